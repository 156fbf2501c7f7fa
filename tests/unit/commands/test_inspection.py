"""The inspect command: a photograph, one image of a data set, a contact sheet, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import skimage.data
from PIL import Image
from safetensors.torch import save_file

from core.cli import run
from core.sr.network import DSR, DSRConfig
from core.sr.upscale import FORMAT
from tests.unit.commands.test_evaluate import told
from tests.unit.evaluation.sets import small_dataset


@pytest.fixture
def given(own_data_dir: Path, shared_dir: Path, tmp_path: Path) -> dict[str, str]:
    """Paths: official weights, a DSR file, a photograph, a small data set."""
    dsr = tmp_path / "tiny.safetensors"
    config = {"channels": 4, "blocks": 1, "min_px": 12, "max_px": 48}
    save_file(DSR(DSRConfig(4, 1)).state_dict(), str(dsr), {"format": FORMAT, "config": json.dumps(config)})
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photo.png")
    return {
        "weights": str(shared_dir / "weights" / "edgeface_xxs_q.pt"),
        "dsr": str(dsr),
        "photo": str(tmp_path / "photo.png"),
        "set": str(small_dataset(tmp_path / "small", people=3, each=2, single=0).root),
        "sheet": str(tmp_path / "sheet.png"),
    }


@pytest.mark.shared
def test_a_photograph_an_image_and_a_contact_sheet(given: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with_dsr = ("--weights", given["weights"], "--upscaler", given["dsr"])
    out = told(capsys, "inspect", given["photo"], "--size", 16, "--out", given["sheet"], *with_dsr)
    assert "bicubic; PSNR" in out and "tiny (super-resolved: detail is invented); PSNR" in out
    sheet = Image.open(given["sheet"])
    assert json.loads(sheet.text["inspection"])["size_px"] == 16

    one = json.loads(told(capsys, "inspect", "--dataset", given["set"], "--image", "Person 1__0", "--json", *with_dsr))
    assert one["identity"] == "Person 1" and one["pictures"][0]["people"] == 3
    assert one["pictures"][1]["label"] == "super-resolved: detail is invented"

    many = json.loads(
        told(capsys, "inspect", "--dataset", given["set"], "--order", "loss", "--faces", 4, "--json", *with_dsr)
    )
    gains = [face["similarity_gain"] for face in many["faces"]]
    assert len(gains) == 4 and gains == sorted(gains) and many["reference"].startswith("small, HR images of 3 people")
    bicubic = ("--weights", given["weights"], "--upscaler", "bicubic")
    out = told(capsys, "inspect", "--dataset", given["set"], "--faces", 6, "--out", given["sheet"], *bicubic)
    assert out.count("cosine ") == 6 and Image.open(given["sheet"]).size[0] > 1000
    out = told(capsys, "inspect", "--dataset", given["set"], "--saliency", 1, *bicubic)
    assert "where the map is highest" in out and "of 1 faces" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Name a photograph"),
        (("a.jpg", "--dataset", "x"), "not both"),
        (("--dataset", "nowhere"), "There is no data set"),
        (("a.jpg", "--out", "."), "is a folder"),
        (("a.jpg", "--size", "7"), "greater than or equal to 8"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1
