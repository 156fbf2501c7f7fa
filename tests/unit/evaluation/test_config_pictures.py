"""The pictures that a run's config names: of folders and CSVs that aren't data sets of this program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.evaluation.config_models import DatasetConfig
from core.evaluation.evaluation_spec import Plan, SystemSpec
from core.evaluation.job import pictures_of_config
from core.evaluation.run_config import dataset_config
from core.images import ImageUnreadable, encode_image


def listed(folder: Path, files: dict[str, np.ndarray], place: str) -> Path:
    """A CSV in a folder of its own, of pictures in another; `place` comes before each path."""
    (folder / "pictures").mkdir(parents=True)
    for name, rgb in files.items():
        (folder / "pictures" / name).write_bytes(encode_image(rgb, "png"))
    (folder / "lists").mkdir()
    rows = [f"{place}{name},person {number},{'AB'[number % 2]}" for number, name in enumerate(files)]
    path = folder / "lists" / "index.csv"
    path.write_text("\n".join(["path,identity,source", *rows]))
    return path


def noise(number: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (*shape, 3)).astype(np.uint8)


CROPS = {f"{number}.png": noise(number, 112, 112) for number in range(4)}


@pytest.mark.parametrize("absolute", [True, False])
def test_a_csv_may_name_pictures_anywhere(tmp_path: Path, absolute: bool) -> None:
    path = listed(tmp_path, CROPS, f"{tmp_path}/pictures/" if absolute else "../pictures/")
    config = DatasetConfig(dataset=str(path), plan=Plan(by=("source",)))
    pictures, data = pictures_of_config(config.dataset, config)
    assert [(one.identity, one.groups) for one in pictures] == [
        (f"person {number}", {"source": "AB"[number % 2]}) for number in range(4)
    ]
    assert all(one.aligned and len(one.sha256) == 64 for one in pictures) and data["data"] == "index.csv"
    other = DatasetConfig(dataset=str(path), plan=Plan(by=("sex",)))
    with pytest.raises(SettingsInvalid, match=r"^index.csv has no column 'sex' to tell groups by\."):
        pictures_of_config(other.dataset, other)


def test_pictures_that_cant_be_read_end_an_evaluation_by_name(tmp_path: Path) -> None:
    path = listed(tmp_path, CROPS, "../pictures/")
    (tmp_path / "pictures/2.png").write_bytes(b"no picture")
    config = DatasetConfig(dataset=str(path))
    with pytest.raises(ImageUnreadable, match=r"1 of 4 pictures of index\.csv can't be read, first \.\./pictures/2\.p"):
        pictures_of_config(config.dataset, config)


def test_faces_are_searched_on_a_csvs_photographs(tmp_path: Path) -> None:
    """They aren't taken for crops that are aligned already, and can be measured end to end."""
    plan = {"modes": ["end to end"], "sections": ["similarity"]}
    files = {f"{number}.png": noise(number, 200 + number, 300) for number in range(4)}
    path = listed(tmp_path / "photographs", files, "../pictures/")
    config = DatasetConfig(dataset=str(path))
    assert not any(picture.aligned for picture in pictures_of_config(config.dataset, config)[0])
    assert dataset_config(path, [SystemSpec()], plan)["plan"]["modes"] == ["end to end"]
    crops = listed(tmp_path / "crops", CROPS, "../pictures/")
    with pytest.raises(SettingsInvalid, match="End-to-end figures need photographs"):
        dataset_config(crops, [SystemSpec()], plan)
