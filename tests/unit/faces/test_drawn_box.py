"""Faces in boxes that a person drew: looser or tighter than a detector's, off the centre, of any roll."""

from __future__ import annotations

import numpy as np
import pytest

from core.faces.align import probe_px
from core.faces.detect import Detector
from core.faces.face import Face, turned_back
from core.images import resize


@pytest.fixture(scope="module")
def small(astronaut: np.ndarray, astronaut_face: Face) -> tuple[np.ndarray, np.ndarray]:
    """The photograph reduced until its face has 16 px, and where the landmarks are in it."""
    picture = resize(astronaut, round(astronaut.shape[0] * 16 / probe_px(astronaut_face.landmarks)))
    return picture, (astronaut_face.landmarks + 0.5) * picture.shape[0] / astronaut.shape[0] - 0.5


def square(landmarks: np.ndarray, size: float, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[float, ...]:
    """A square of `size` times a detector's box around landmarks, shifted by shares of that box."""
    side = probe_px(landmarks) / 1.22
    x, y = landmarks.mean(axis=0) + 0.5 + np.array(shift) * side
    return x - size * side / 2, y - size * side / 2, x + size * side / 2, y + size * side / 2


def error_of_112(face: Face | None, expected: np.ndarray) -> float:
    assert face is not None
    return float(np.linalg.norm(face.landmarks - expected, axis=1).mean() * 112 / probe_px(expected))


@pytest.mark.parametrize("size", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.15, 0.1), (-0.1, -0.15)])
def test_a_drawn_square_need_not_be_exact(detector: Detector, small, size: float, shift) -> None:
    picture, expected = small
    face = detector.at_drawn_box(picture, square(expected, size, shift))
    assert error_of_112(face, expected) < 8 and face.by_hand


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_the_face_in_it_may_be_turned(detector: Detector, small, quarter: int) -> None:
    picture, expected = small
    turned = np.ascontiguousarray(np.rot90(picture, quarter))
    upright = Face((0, 0, 1, 1), expected.astype(np.float32), 1.0)
    there = turned_back(upright, 4 - quarter, turned.shape).landmarks
    face = detector.at_drawn_box(turned, square(there, 1.1))
    assert error_of_112(face, there) < 10 and face.quarter == (4 - quarter) % 4


def test_a_square_beside_the_face_shows_none(detector: Detector, small) -> None:
    picture, expected = small
    assert detector.at_drawn_box(picture, square(expected, 1.0, (1.1, 0.0))) is None
    assert detector.at_drawn_box(np.full((60, 60, 3), 128, np.uint8), (10, 10, 40, 40)) is None
