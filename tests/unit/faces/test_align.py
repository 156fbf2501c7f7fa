"""Alignment: the transform by hand, sizes, and crops of every size that show the same square."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.faces.align import ARCFACE_TEMPLATE, align, probe_px, similarity_transform
from core.images import resize


def _moved(scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (scale * ARCFACE_TEMPLATE @ turn.T + np.array(shift)).astype(np.float32)


@given(st.floats(0.05, 20), st.floats(-3, 3), st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
def test_a_known_similarity_is_found_and_undone(scale: float, angle: float, shift: tuple[float, float]) -> None:
    matrix = similarity_transform(_moved(scale, angle, shift), ARCFACE_TEMPLATE)
    assert np.hypot(matrix[0, 0], matrix[1, 0]) == pytest.approx(1 / scale, rel=1e-3)
    back = _moved(scale, angle, shift) @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(back - ARCFACE_TEMPLATE).max() < 0.05


@given(st.integers(0, 2**32 - 1))
def test_it_is_the_least_squares_similarity(seed: int) -> None:
    """By hand: the best a, b, shift of x' = a x - b y + p, y' = b x + a y + q by numpy's least squares."""
    points = np.random.default_rng(seed).uniform(0, 100, (5, 2)).astype(np.float32)
    rows, target = [], []
    for (x, y), (u, v) in zip(points, ARCFACE_TEMPLATE, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        target += [u, v]
    a, b, p, q = np.linalg.lstsq(np.array(rows, dtype=np.float64), np.array(target), rcond=None)[0]
    assert np.allclose(similarity_transform(points, ARCFACE_TEMPLATE), [[a, -b, p], [b, a, q]], atol=1e-4)


def test_coinciding_landmarks_have_no_transform() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.ones((5, 2), np.float32), ARCFACE_TEMPLATE)


@given(st.floats(0.1, 10))
def test_probe_px_grows_with_the_face(scale: float) -> None:
    assert probe_px(_moved(scale, 0.3, (5, 7))) == pytest.approx(112 * scale, rel=1e-3)


def test_a_face_at_the_template_is_cut_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    assert (align(picture, ARCFACE_TEMPLATE) == picture).all()


def test_a_shifted_face_is_cut_where_it_lies() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 220, 3), dtype=np.uint8)
    assert (align(picture, ARCFACE_TEMPLATE + np.float32([30, 50])) == picture[50:162, 30:142]).all()


def test_crops_of_every_size_show_the_same_square(astronaut, astronaut_face) -> None:
    large = align(astronaut, astronaut_face.landmarks, 112)
    for size in (16, 24, 32, 56):
        small = align(astronaut, astronaut_face.landmarks, size).astype(float)
        shrunk = resize(large, size).astype(float)
        assert small.shape == (size, size, 3)
        assert np.abs(small - shrunk).mean() < 6
        moved = np.abs(small[:, 1:] - shrunk[:, :-1]).mean()
        assert np.abs(small - shrunk).mean() < moved / 1.5, "no shift by a pixel"


def test_shrinking_is_antialiased() -> None:
    chequers = (np.indices((1120, 1120)).sum(axis=0) % 2 * 255).astype(np.uint8)
    picture = np.repeat(chequers[..., None], 3, axis=2)
    crop = align(picture, ARCFACE_TEMPLATE * 10, 112)
    assert np.abs(crop.astype(int) - 127).max() <= 8


def test_beyond_the_border_the_edge_is_repeated() -> None:
    crop = align(np.full((60, 60, 3), 77, np.uint8), ARCFACE_TEMPLATE - np.float32([60, 60]), 112)
    assert (crop == 77).all()
