"""Crops aligned by other programs are aligned again: from known errors back to the template, or kept as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sets import tree

from core.dataset.errors import SourceInvalid
from core.dataset.ingest import ingest
from core.dataset.manifest import read_dataset
from core.dataset.photograph import AS_FOUND, Photograph, Recipe, Taken, take
from core.faces.align import ARCFACE_TEMPLATE, align, similarity_transform
from core.faces.detect import Detector
from core.faces.quality import Limits
from core.images import read_image
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped

AGAIN = Recipe(align_again=True)
LENIENT = replace(AGAIN, limits=Limits(severe_recognisability=0.0))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


def _landmarks(detector: Detector, photograph: np.ndarray) -> np.ndarray:
    face = detector.detect_one(photograph, "centre")
    assert face is not None
    return face.landmarks


def _misaligned(photograph: np.ndarray, landmarks: np.ndarray, error: np.ndarray) -> np.ndarray:
    """A crop whose face is moved by the similarity `error` (2, 3), in px of 112, from where the template has it."""
    matrix = similarity_transform(landmarks, ARCFACE_TEMPLATE)
    whole = np.vstack([error, [0, 0, 1]]) @ np.vstack([matrix, [0, 0, 1]])
    inverse = np.linalg.inv(whole)
    template = np.hstack([ARCFACE_TEMPLATE, np.ones((5, 1), np.float32)])
    return align(photograph, (template @ inverse[:2].T).astype(np.float32))


def _error(turn_deg: float, scale: float, x: float, y: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((56.0, 72.0), turn_deg, scale)
    matrix[:, 2] += x, y
    return matrix


def _taken(path: Path, crop: np.ndarray, recipe: Recipe, detector: Detector) -> tuple[np.ndarray, dict[str, str]]:
    Image.fromarray(crop).save(path)
    taken = take(Photograph(path, "Ada", "Ada__1.png", "Ada/1.png", aligned=True), recipe, detector)
    assert isinstance(taken, Taken)
    return read_image(taken.files[taken.rows[0]["path"]]), taken.rows[0]


def _points(detector: Detector, crop: np.ndarray) -> np.ndarray:
    face = detector.at_box(crop, (16.0, 13.0, 96.0, 119.0))
    assert face is not None
    return face.landmarks


def _apart_px(points: np.ndarray, others: np.ndarray) -> float:
    return float(np.linalg.norm(points - others, axis=1).mean())


SMALL = st.floats(-1, 1, allow_nan=False)


@settings(max_examples=15, deadline=None)
@given(st.tuples(SMALL, SMALL, SMALL, SMALL))
def test_a_crop_off_by_a_known_amount_comes_back(
    detector: Detector, portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory, amounts: tuple[float, ...]
) -> None:
    landmarks = _landmarks(detector, portrait)
    error = _error(10 * amounts[0], 1 + 0.08 * amounts[1], 5 * amounts[2], 5 * amounts[3])
    path = tmp_path_factory.getbasetemp() / "off.png"
    crop, row = _taken(path, _misaligned(portrait, landmarks, error), AGAIN, detector)
    assert row["aligner"] == detector.aligner
    right = _points(detector, align(portrait, landmarks))
    assert _apart_px(_points(detector, crop), right) < 2.2  # without what is around it, a crop is read within 1 px or 2
    known_px = _apart_px(np.hstack([right, np.ones((5, 1))]) @ error.T, ARCFACE_TEMPLATE)
    assert abs(float(row["correction_px"]) - known_px) < 1.2


def test_real_crops_off_by_a_known_shift_come_back(detector: Detector, shared_dir: Path, tmp_path: Path) -> None:
    photographs = sorted((shared_dir / "data" / "lfw" / "images").rglob("*.jpg"))[:2000:200]
    assert len(photographs) == 10
    after, said = [], []
    for path in photographs:
        photograph = read_image(path)
        landmarks = _landmarks(detector, photograph)
        right = _points(detector, align(photograph, landmarks))
        off = _misaligned(photograph, landmarks, _error(0, 1, 4, -3))
        crop, row = _taken(tmp_path / "crop.png", off, AGAIN, detector)
        after.append(_apart_px(_points(detector, crop), right))
        said.append(float(row["correction_px"]) - _apart_px(right + np.array([4, -3]), ARCFACE_TEMPLATE))
    assert max(after) < 2 and np.mean(after) < 1.2 and np.abs(said).max() < 1.2


@pytest.mark.parametrize("shift", [None, 24.0])
def test_without_a_face_where_it_should_be_a_crop_stays(
    detector: Detector, portrait: np.ndarray, tmp_path: Path, shift: float | None
) -> None:
    crop = np.random.default_rng(0).integers(90, 160, (112, 112, 3)).astype(np.uint8)
    if shift is not None:
        crop = _misaligned(portrait, _landmarks(detector, portrait), _error(0, 1, shift, 0))
    made, row = _taken(tmp_path / "crop.png", crop, LENIENT, detector)
    assert np.array_equal(made, crop)
    assert (row["aligner"], row["correction_px"]) == (AS_FOUND, "")


def test_unasked_a_crop_stays_and_its_row_says_so(detector: Detector, portrait: np.ndarray, tmp_path: Path) -> None:
    crop = _misaligned(portrait, _landmarks(detector, portrait), _error(0, 1, 4, 4))
    made, row = _taken(tmp_path / "crop.png", crop, Recipe(), detector)
    assert np.array_equal(made, crop) and row["aligner"] == AS_FOUND


@pytest.fixture(scope="module")
def crops(detector: Detector, portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people with three crops each, off by 1 to 6 px, and a crop whose face is far from where it should be."""
    root = tmp_path_factory.mktemp("crops")
    landmarks = _landmarks(detector, portrait)
    for number in range(6):
        folder = root / ("Ada" if number < 3 else "Grace")
        folder.mkdir(exist_ok=True)
        crop = _misaligned(portrait, landmarks, _error(0, 1, number + 1, 0))
        Image.fromarray(crop).save(folder / f"{number}.png")
    Image.fromarray(_misaligned(portrait, landmarks, _error(0, 1, 24, 0))).save(root / "Grace" / "far.png")
    return root


def test_an_ingest_reports_corrections_and_crops_kept(crops: Path, tmp_path: Path) -> None:
    done = ingest(crops, tmp_path / "set", align_again=True, workers=2)
    again = done.realigned
    assert again is not None and (again.crops, again.kept) == (6, 1)
    assert again.mean_px is not None and again.p90_px is not None and 0 < again.mean_px < again.p90_px
    assert f"Aligned again: 6 crops, by {again.mean_px:.1f} px" in done.text and "taken as they are: 1" in done.text
    frame = read_dataset(tmp_path / "set").frame
    assert set(frame.loc[frame["source"] == "Grace/far.png", "aligner"]) == {AS_FOUND}
    assert read_dataset(tmp_path / "set").info.parameters["align_again"] is True
    assert ingest(crops, tmp_path / "plain", workers=2).realigned is None


def test_stopped_it_goes_on_to_the_same_bytes(crops: Path, tmp_path: Path) -> None:
    ingest(crops, tmp_path / "whole", name="set", align_again=True, workers=1)
    asked = iter(range(1000))
    with pytest.raises(JobStopped):
        hooks = Hooks(should_stop=lambda: next(asked) >= 4)
        ingest(crops, tmp_path / "set", name="set", align_again=True, workers=1, hooks=hooks)
    done = ingest(crops, tmp_path / "set", name="set", align_again=True, workers=1)
    assert done.realigned is not None and done.realigned.crops == 6
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


def test_the_large_crops_of_pairs_are_aligned_again_in_their_splits(crops: Path, tmp_path: Path) -> None:
    for number, split in enumerate(("train", "train", "val")):
        crop = read_image(crops / "Ada" / f"{number}.png")
        for folder, side in (("hr_images", 112), ("vlr_images", 32)):
            path = tmp_path / "pairs" / split / folder / f"007_01_01_051_{number:02}_crop_112.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(cv2.resize(crop, (side, side))).save(path)
    with pytest.raises(SourceInvalid, match="in pairs already"):
        ingest(tmp_path / "pairs", tmp_path / "set")
    done = ingest(tmp_path / "pairs", tmp_path / "set", align_again=True, workers=1)
    assert done.photographs == 3 and done.realigned is not None and done.realigned.crops == 3
    frame = read_dataset(tmp_path / "set").frame
    assert frame.groupby("split")["pair"].nunique().to_dict() == {"train": 2, "val": 1}
    assert set(frame["camera"]) == {"051"} and set(frame["identity"]) == {"007"}


def test_photographs_are_not_aligned_again(people: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="isn't known to hold aligned crops"):
        ingest(people, tmp_path / "set", align_again=True)
