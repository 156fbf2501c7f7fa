"""`weights use`: encoder and upscaler are a pair, and taking one offers the other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from core.cli import run
from core.models.header import BESIDE
from core.models.upscalers import active_upscaler, use_upscaler
from core.models.variants import VARIANTS
from core.settings import Settings, load_settings
from tests.made_weights import official_tensors, save_dsr, save_shipped

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


def test_shipped_weights_are_called_what_they_are(
    settings: Settings, models_dir: Path, shared_dir: Path, tmp_path: Path, capsys
) -> None:
    shipped = save_shipped(models_dir / "starter.safetensors", official_tensors(shared_dir))
    assert run(["weights", "use", "starter"]) == 0
    assert "starter.safetensors (shipped, fine-tuned by this project)" in capsys.readouterr().out
    assert run(["weights", "list"]) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("* ") and "starter" in line]
    assert "shipped, fine-tuned" in row
    assert run(["weights", "info", "starter"]) == 0
    told = capsys.readouterr().out
    assert "origin: shipped, fine-tuned" in told and f"space of: {VARIANTS['edgeface_xxs'].int8_sha256}" in told
    copied = shutil.copy(shipped, tmp_path / "copied.safetensors")
    assert run(["weights", "info", str(copied), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["origin"] == "fine-tuned" and not facts["shipped"]
    assert facts["card"]["space_of"] == VARIANTS["edgeface_xxs"].int8_sha256


def test_pair_takes_the_other_one_too(settings: Settings, capsys) -> None:
    assert run(["weights", "use", "edgeface_xxs_q", "--pair", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["name"] == "edgeface_xxs_q" and told["pair"]["name"] == "bicubic" and err == ""
    assert active_upscaler(settings).path is None
    assert run(["weights", "use", "bicubic", "--pair", "--json"]) == 0
    assert "pair" not in json.loads(capsys.readouterr().out), "they are one"
