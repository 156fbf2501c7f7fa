"""One photograph: its images and rows, the reasons against it, and the names it may get."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.dataset.degrade import replay
from core.dataset.photograph import Photograph, Recipe, Rejected, Taken, take, unique_names
from core.errors import SettingsInvalid
from core.faces.align import align
from core.faces.detect import Detector
from core.faces.quality import Limits
from core.images import read_image, resize, sha256_of


def _photo(path: Path, **more: object) -> Photograph:
    return Photograph(path, "Person 0", "Person 0__0000.png", "Person 0/0000.jpg", **more)


@pytest.mark.parametrize("method", ["bicubic", "camera"])
def test_a_face_becomes_an_hr_and_every_vlr_that_its_row_makes_again(people: Path, method: str) -> None:
    taken = take(_photo(people / "Person 0" / "0000.jpg"), Recipe(method=method, seed=3), Detector())
    assert isinstance(taken, Taken)
    assert [row["path"] for row in taken.rows] == [
        "all/hr_images/Person 0__0000.png",
        "all/vlr_images_16/Person 0__0000.png",
        "all/vlr_images_24/Person 0__0000.png",
        "all/vlr_images/Person 0__0000.png",
    ]
    hr = read_image(taken.files[taken.rows[0]["path"]])
    assert hr.shape == (112, 112, 3)
    for row in taken.rows:
        content = taken.files[row["path"]]
        assert sha256_of(content) == row["sha256"]
        assert row["pair"] == "Person 0__0000" and row["identity"] == "Person 0" and row["split"] == ""
        if row["kind"] == "vlr":
            assert np.array_equal(read_image(content), replay(hr, json.loads(row["degradation"])))
            assert read_image(content).shape[0] == row["size_px"]
    assert 40 < float(taken.rows[0]["probe_px"]) < 120
    assert {row["recognisability"] for row in taken.rows} == {taken.rows[0]["recognisability"]}
    assert 0 <= float(taken.rows[0]["recognisability"]) <= 1


def test_every_reason_has_a_code_and_words(people: Path) -> None:
    detector = Detector()
    broken = take(_photo(people / "Person 0" / "broken.jpg"), Recipe(), detector)
    nobody = take(_photo(people / "Person 1" / "nobody.png"), Recipe(), detector)
    strict = Recipe(limits=Limits(severe_probe_px=500.0, advised_probe_px=600.0))
    small = take(_photo(people / "Person 0" / "0000.jpg"), strict, detector)
    missing = take(_photo(people / "gone.jpg"), Recipe(), detector)
    found = [broken, nobody, small, missing]
    assert all(isinstance(one, Rejected) for one in found)
    assert [one.code for one in found] == ["unreadable", "no_face", "too_small", "unreadable"]
    assert all(one.reason.endswith(".") for one in found)


def test_an_aligned_crop_is_taken_as_it_is(people: Path, portrait: np.ndarray, tmp_path: Path) -> None:
    from PIL import Image

    crop = portrait[40:240, 60:260]
    Image.fromarray(crop).save(tmp_path / "crop.png")
    taken = take(_photo(tmp_path / "crop.png", aligned=True), Recipe(), Detector())
    assert np.array_equal(read_image(taken.files[taken.rows[0]["path"]]), resize(crop, 112))


@given(st.lists(st.sampled_from(["a.png", "A.png", "a_2.png", "b.png", "B_2.PNG", "ß.png", "ss.png"]), max_size=12))
def test_names_stay_apart_where_capitals_do_not_count(names: list[str]) -> None:
    unique = unique_names(names)
    assert len({name.casefold() for name in unique}) == len(names)
    assert all(made.startswith(Path(name).stem) for made, name in zip(unique, names, strict=True))
    assert unique_names(unique) == unique


def test_an_aligned_crop_upside_down_is_left_out(portrait: np.ndarray, tmp_path: Path) -> None:
    face = Detector().detect_one(portrait, "centre")
    assert face is not None
    crop = align(portrait, face.landmarks)
    Image.fromarray(np.ascontiguousarray(crop[::-1, ::-1])).save(tmp_path / "crop.png")
    left_out = take(_photo(tmp_path / "crop.png", aligned=True), Recipe(), Detector())
    assert isinstance(left_out, Rejected)
    assert left_out.code == "rotated" and "upside down" in left_out.reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"sizes": ()},
        {"sizes": (16, 16), "vlr_px": 16},
        {"sizes": (200,), "vlr_px": 200},
        {"vlr_px": 20},
        {"method": "x"},
    ],
)
def test_a_recipe_that_can_not_be_is_refused(wrong: dict) -> None:
    with pytest.raises(SettingsInvalid):
        Recipe(**wrong)
