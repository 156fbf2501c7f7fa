"""Sideways and upside-down photographs: the same face at the same place, aligned upright."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.faces.align import align, probe_px
from core.faces.attack import square_around
from core.faces.detect import Detector
from core.faces.face import Face, choose_faces, turned_back
from core.faces.quality import assess, problems
from core.images import resize

QUARTERS = (1, 2, 3)


def _turned(picture: np.ndarray, quarter: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(picture, quarter))


@pytest.mark.parametrize("quarter", QUARTERS)
def test_a_face_is_turned_back_to_where_it_was(quarter: int) -> None:
    points = np.array([[3, 2], [6, 2], [5, 4], [4, 6], [6, 5]], np.float32)
    picture = np.zeros((9, 12), np.uint8)
    for number, (x, y) in enumerate(points.astype(int), start=1):
        picture[y, x] = number
    turned = np.rot90(picture, quarter)
    there = np.array([np.argwhere(turned == number)[0][::-1] for number in range(1, 6)], np.float32)
    low, high = there.min(axis=0), there.max(axis=0) + 1
    back = turned_back(Face((*low, *high), there, 0.9), quarter, picture.shape)
    assert np.array_equal(back.landmarks, points)
    assert back.box_xyxy == (3, 2, 7, 7)
    assert back.quarter == 0
    assert Face((*low, *high), there, 0.9).quarter == (4 - quarter) % 4


@pytest.mark.parametrize("size", [None, 32, 24, 16])
@pytest.mark.parametrize("quarter", QUARTERS)
def test_a_turned_photograph_gives_the_upright_crop(
    astronaut, astronaut_face, detector, quarter: int, size: int | None
) -> None:
    if size is not None:
        astronaut = resize(astronaut, round(512 * size / probe_px(astronaut_face.landmarks)))
        [astronaut_face] = detector.detect(astronaut)
    turned = _turned(astronaut, quarter)
    [face] = detector.detect(turned)
    assert face.quarter == (4 - quarter) % 4
    side = probe_px(astronaut_face.landmarks)
    back = turned_back(face, quarter, astronaut.shape)
    assert np.abs(back.landmarks - astronaut_face.landmarks).max() < 0.04 * side
    one = detector.detect_one(turned, "largest")
    assert one is not None and one.quarter == face.quarter
    crop, upright = (
        align(*each, 28).ravel() for each in ((turned, face.landmarks), (astronaut, astronaut_face.landmarks))
    )
    assert np.corrcoef(crop, upright)[0, 1] > 0.9


def test_one_upside_down_beside_one_upright(astronaut, detector) -> None:
    head = astronaut[:300, 80:380]
    both = np.hstack([head, _turned(head, 2)])
    found = detector.detect(both)
    assert sorted((face.centre[0] > 300, face.quarter) for face in found) == [(False, 0), (True, 2)]


def test_what_a_stream_finds_is_confirmed_upright(astronaut, detector) -> None:
    turned = _turned(astronaut, 2)
    seen = detector.look(turned)
    assert seen
    [face] = detector.confirm(turned, seen)
    assert face.quarter == 2
    [again] = detector.confirm(turned, [face])
    assert np.abs(again.landmarks - face.landmarks).max() < 2


@pytest.mark.parametrize("quarter", QUARTERS)
def test_the_check_against_attacks_sees_a_turned_face_upright(
    astronaut, astronaut_face, detector, quarter: int
) -> None:
    upright = square_around(astronaut, astronaut_face, 1.0)
    turned = _turned(astronaut, quarter)
    [face] = detector.detect(turned)
    seen = square_around(turned, face, 1.0)
    assert np.corrcoef(resize(seen, 28).ravel(), resize(upright, 28).ravel())[0, 1] > 0.9


@pytest.mark.parametrize(("quarter", "word"), [(0, None), (1, "sideways"), (2, "upside down"), (3, "sideways")])
def test_a_turned_face_is_said_to_be_one(astronaut, detector, quarter: int, word: str | None) -> None:
    turned = _turned(astronaut, quarter)
    [face] = detector.detect(turned)
    quality = assess(align(turned, face.landmarks), probe_px(face.landmarks), face)
    said = [problem.text for problem in problems(quality) if problem.code == "rotated"]
    assert said == ([f"{word} in the photograph, matched upright"] if word else [])


@pytest.mark.parametrize("fold", [2])
def test_turned_photographs_of_many_people(shared_dir, fold: int) -> None:
    """At full size and at 16 px, every face that is found in a turned photograph is found upright."""
    from core.images import read_image, reduce_photograph

    lines = (shared_dir / "data" / "lfw" / "pairs.txt").read_text().splitlines()[1:]
    names = sorted({line.split("\t")[0] for line in lines[(fold - 1) * 600 : fold * 600]})[:40]
    detector = Detector()
    missed = 0
    for name in names:
        picture = read_image(shared_dir / "data" / "lfw" / "images" / name / f"{name}_0001.jpg")
        whole = detector.detect_one(picture, "centre")
        assert whole is not None
        for shown in (picture, reduce_photograph(picture, probe_px(whole.landmarks), 16)):
            for quarter in QUARTERS:
                turned = _turned(shown, quarter)
                found = choose_faces(detector.detect(turned), "centre", turned.shape)
                missed += not found
                assert all(face.quarter == (4 - quarter) % 4 for face in found), (name, quarter)
    assert missed <= 5


@pytest.mark.parametrize("size", [None, 32])
@pytest.mark.parametrize("degrees", [30, 45, -45, 60, 135, -135])
def test_a_tilted_face_has_its_landmarks_where_they_are(
    astronaut, astronaut_face, detector, degrees: int, size: int | None
) -> None:
    """YuNet itself takes a face tilted by 45 degrees for upright or sideways: 16 px of 112 off, and strangers match."""
    if size is not None:
        astronaut = resize(astronaut, round(512 * size / probe_px(astronaut_face.landmarks)))
        [astronaut_face] = detector.detect(astronaut)
    height, width = astronaut.shape[:2]
    there = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1.0)
    tilted = cv2.warpAffine(astronaut, there, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    face = detector.detect_one(tilted, "centre")
    assert face is not None
    expected = astronaut_face.landmarks @ there[:, :2].T + there[:, 2]
    off = np.linalg.norm(face.landmarks - expected, axis=1).mean() * 112 / probe_px(astronaut_face.landmarks)
    assert off < 7
    centre = there[:, :2] @ (np.array(astronaut_face.centre) - 0.5) + there[:, 2] + 0.5
    assert np.hypot(*np.subtract(face.centre, centre)) < 0.25 * astronaut_face.width
