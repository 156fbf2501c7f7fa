"""The commands with a specialist: listed beside the upscalers, inspected, taken into use, used for one search."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from core.cli import run
from core.models.upscalers import active_upscaler
from core.settings import load_settings
from tests.made_weights import STARTER, save_dsr, save_specialist


@pytest.fixture
def path(models_dir: Path, tmp_path: Path) -> Path:
    """A specialist of the starter, which is in use."""
    shutil.copy(STARTER, models_dir)
    return save_specialist(tmp_path / "small.safetensors", STARTER)


def test_list_use_and_info_name_it_and_its_weights(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "use", str(path)]) == 0
    assert "In use for small faces" in capsys.readouterr().out
    assert run(["weights", "list"]) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if "small.safetensors" in line]
    assert row.startswith("*") and "specialist of edgeface-xxs-starter" in row
    assert run(["weights", "info", "small", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["specialist"]
    assert (said["for"], said["max_px"]) == ("edgeface-xxs-starter", 48)
    assert run(["weights", "info", "small"]) == 0
    assert "an encoder for faces up to 48 px" in capsys.readouterr().out
    assert run(["weights", "verify", "small"]) == 0
    assert "embeds small faces" in capsys.readouterr().out


def test_other_weights_release_it_and_say_so(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.torch import load_file

    from tests.made_weights import save_encoder

    assert run(["weights", "use", str(path)]) == 0
    tensors = {key: tensor * 1.001 for key, tensor in load_file(STARTER).items()}
    other = save_encoder(tmp_path / "other.safetensors", tensors)
    capsys.readouterr()
    assert run(["weights", "use", str(other)]) == 0
    assert "small belongs to other weights; in its place is bicubic" in capsys.readouterr().err
    assert run(["weights", "use", "small"]) == 2
    error = capsys.readouterr().err
    assert "edgeface-xxs-starter" in error and "beside other" in error
    assert active_upscaler(load_settings()).name == "bicubic"


def test_a_small_face_is_identified_through_it(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "eileen.png"
    Image.fromarray(data.astronaut()).save(photo)
    assert run(["enroll", "--user-id", "Eileen", "--photos", str(photo)]) == 0
    capsys.readouterr()
    asked = ["identify", str(photo), "--size", "24", "--json"]
    assert run([*asked, "--upscaler", str(path)]) == 0
    [found] = json.loads(capsys.readouterr().out)["results"]
    assert found["upscaler"] == "small" and found["nearest"] == "Eileen"
    assert run([*asked, "--upscaler", "bicubic"]) == 0
    [plain] = json.loads(capsys.readouterr().out)["results"]
    assert plain["upscaler"] == "bicubic"
    assert run([*asked, "--upscaler", str(save_dsr(tmp_path / "dsr.safetensors"))]) == 0
