"""`--box` of enroll and identify: the face in a box in place of detection, and what can't go together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from core import cli

FACE, NOTHING = "178,60,90,110", "400,400,60,60"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photographs") / "eileen.png"
    Image.fromarray(skimage.data.astronaut()).save(path)
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--box", "12,13,14"), "--box 12,13,14 isn't a box"),
        (("--box", "12,13,14,wide"), "left edge, top edge, width, height"),
        (("--box", FACE, "other.png"), "--box goes with one photograph; 2 were given"),
        (("--box", FACE, "--all-faces"), "both choose the faces"),
        (("--box", FACE, "--aligned"), "takes the picture as the face"),
    ],
)
def test_a_box_that_cannot_be_meant_is_refused_at_once(
    options: tuple[str, ...], said: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["identify", str(photo), *options]) == 2
    told = capsys.readouterr()
    assert said in told.err and told.err.count("\n") == 1 and not told.out


def test_a_box_is_for_a_photograph_not_for_the_camera(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["enroll", "--user-id", "Ada", "--webcam", "--box", FACE]) == 2
    assert "--box goes with a photograph" in capsys.readouterr().err


@pytest.mark.shared
def test_enrolled_and_identified_by_boxes(
    photo: Path, own_data_dir: Path, shared_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_data_dir / "weights").mkdir()
    shutil.copy(shared_dir / "weights" / "edgeface_xxs_q.pt", own_data_dir / "weights")

    assert cli.run(["enroll", "--user-id", "Eileen", "--photos", str(photo), "--box", NOTHING]) == 2
    assert "No face can be seen in the box" in capsys.readouterr().err
    assert cli.run(["enroll", "--user-id", "Eileen", "--photos", str(photo), "--box", FACE]) == 0
    assert "; in the box" in capsys.readouterr().out

    assert cli.run(["identify", str(photo), "--box", FACE, "--box", NOTHING, "--json"]) == 0
    found, nothing = json.loads(capsys.readouterr().out)["results"]
    assert (found["outcome"], found["identity"], found["taken"]) == ("match", "Eileen", "box")
    assert (nothing["outcome"], nothing["reason"]) == ("unrecognisable", "no face can be seen in the box")
    assert cli.run(["identify", str(photo), "--box", FACE, "--size", "24"]) == 0
    assert "24 px in the box" in capsys.readouterr().out
    assert cli.run(["identify", str(photo), "--box", "500,0,90,90"]) == 2
    assert "isn't inside the photograph, which has 512 x 512 px" in capsys.readouterr().err
