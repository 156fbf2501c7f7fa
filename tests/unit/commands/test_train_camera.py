"""`train camera`: a folder of small faces becomes a file of figures, which a training takes; mistakes are named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli import run as command
from core.commands.train.launch import make_run_config
from core.dataset.camera import clean, estimate
from core.dataset.camera.clean import clean_crops
from core.dataset.camera.file import read_camera, write_camera
from core.dataset.degrade import CameraRanges, degrade
from core.dataset.errors import CameraUnclear
from tests.made_weights import official_tensors, save_encoder

CAMERA = CameraRanges(blur_px=(1.0, 1.4), kernels=("area",), shot=(2e-4, 4e-4), quality=(70, 75))


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory):
    """A folder with aligned crops of 32 px, as a camera delivers them."""
    folder = tmp_path_factory.mktemp("far")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clean, "DRAWN", 20)
        patch.setattr(estimate, "CAMERAS", 40)
        patch.setattr(estimate, "FACES_EACH", 8)
        for number, crop in enumerate(clean_crops(None)):
            small, _ = degrade(crop, 32, "camera", seed=number, ranges=CAMERA)
            Image.fromarray(small).save(folder / f"{number:02d}.png")
        yield folder


def test_a_folder_becomes_a_file_of_figures(far: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "camera.json"
    assert command(["train", "camera", str(far), "--out", str(target)]) == 0
    said = capsys.readouterr()
    assert "JPEG quality, from the pixels" in said.out and "32 to 32" in said.out and str(target) in said.out
    assert "Drawn people" in said.err
    found = read_camera(target)
    assert found.faces >= 12 and 68 <= found.ranges.quality[0] <= found.ranges.quality[1] <= 77
    again = tmp_path / "again.json"
    assert command(["train", "camera", str(far), "--out", str(again), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert again.read_bytes() == target.read_bytes() and shown.pop("file") == str(again)
    assert shown == json.loads(target.read_text())


@pytest.mark.shared
def test_a_training_takes_the_file(tmp_path: Path, shared_dir: Path) -> None:
    path = tmp_path / "camera.json"
    found = estimate.CameraEstimate(CAMERA, tuple(np.linspace(15, 31, 9).tolist()), 50, "files", False)
    write_camera(path, found)
    weights = save_encoder(tmp_path / "mine.safetensors", official_tensors(shared_dir))
    given = {"train_dir": str(tmp_path), "edgeface": str(weights), "camera": str(path)}
    config = make_run_config("finetune", "specialist", {}, ["camera_ranges.blur_px=0.5,0.9"], **given)
    [stage] = config.recipe.stages
    assert stage.camera_ranges.blur_px == (0.5, 0.9), "a setting that is named counts more than the file"
    assert stage.camera_ranges.shot == CAMERA.shot and stage.camera_ranges.quality == CAMERA.quality
    assert stage.camera_ranges.kernels == ("area",) and stage.sizes_px == (15, 17, 19, 21, 23, 25, 27, 29, 31)


@pytest.mark.parametrize("sizes", ["[]", "[NaN]", "[16, Infinity]", "[-3]", '["wide"]'])
def test_a_file_without_sizes_is_damaged(sizes: str, tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    write_camera(path, estimate.CameraEstimate(CAMERA, (16.5,), 50, "files", False))
    assert read_camera(path).sizes_px == (16.5,)
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "sizes_px": 0}).replace('"sizes_px": 0', f'"sizes_px": {sizes}'))
    with pytest.raises(CameraUnclear, match="is damaged"):
        read_camera(path)


def test_a_file_of_another_kind_names_the_command_that_writes_one(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text("[" * 90_000)
    with pytest.raises(CameraUnclear, match="isn't a camera's estimate") as refused:
        read_camera(path)
    assert "edgeface-studio train camera" in refused.value.next_step


def test_mistakes_end_with_one_line(far: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.json").write_text("{}")
    target = str(tmp_path / "camera.json")
    for words, says in (
        (["train", "camera", str(tmp_path / "nowhere"), "--out", target], "There is no folder"),
        (["train", "camera", str(tmp_path / "empty"), "--out", target], "holds no picture"),
        (["train", "camera", str(far), "--out", target, "--dataset", str(tmp_path / "empty")], "data set"),
        (
            ["train", "finetune", "--train-dir", str(far), "--camera", str(tmp_path / "no.json")],
            "isn't a camera's estimate",
        ),
    ):
        assert command(words) == 2, words
        said = capsys.readouterr().err
        assert says in said and "Traceback" not in said
    assert not Path(target).exists()
