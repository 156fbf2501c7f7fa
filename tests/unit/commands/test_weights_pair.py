"""`weights use`: encoder and upscaler are a pair, and taking one offers the other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from core.cli import run
from core.models.header import BESIDE
from core.models.upscalers import active_upscaler, use_upscaler
from core.settings import Settings, load_settings
from tests.made_weights import save_dsr

pytestmark = pytest.mark.shared


@pytest.fixture
def settings(own_data_dir: Path, shared_dir: Path) -> Settings:
    """Official weights in the folder, and the network of a fine-tuning run in use."""
    settings = load_settings()
    settings.weights_dir.mkdir()
    shutil.copy(shared_dir / "weights" / "edgeface_xxs_q.pt", settings.weights_dir)
    use_upscaler(settings, save_dsr(settings.weights_dir / "tuned-dsr.safetensors", trained_with_encoder=BESIDE))
    return settings


def test_the_shipped_network_says_what_it_helps_with(capsys) -> None:
    network = Path(__file__).resolve().parents[3] / "data" / "models" / "edgeface-dsr.safetensors"
    assert run(["weights", "info", str(network)]) == 0
    assert "remark: Helps on faces shrunk by bicubic, not on camera images" in capsys.readouterr().out


def test_official_weights_beside_a_fine_tunes_network_say_so_and_name_the_way_out(settings: Settings, capsys) -> None:
    assert run(["weights", "use", "edgeface_xxs_q"]) == 0
    out, err = capsys.readouterr()
    assert (
        "(official edgeface_xxs_q)" in out
        and "tuned-dsr, which enlarges small faces, was trained together with other weights" in err
    )
    assert "edgeface-studio weights use bicubic" in err
    assert active_upscaler(settings).name == "tuned-dsr", "nothing is replaced unasked"


def test_the_starter_is_called_what_it_is(settings: Settings, capsys) -> None:
    shipped = Path(__file__).parents[3] / "data" / "models" / "edgeface-xxs-starter.safetensors"
    assert run(["weights", "use", str(shipped)]) == 0
    assert "edgeface-xxs-starter.safetensors (this project's starter)" in capsys.readouterr().out


def test_pair_takes_the_other_one_too(settings: Settings, capsys) -> None:
    assert run(["weights", "use", "edgeface_xxs_q", "--pair", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["name"] == "edgeface_xxs_q" and told["pair"]["name"] == "bicubic" and err == ""
    assert active_upscaler(settings).path is None
    assert run(["weights", "use", "bicubic", "--pair", "--json"]) == 0
    assert "pair" not in json.loads(capsys.readouterr().out), "they are one"
