"""Sketches name the candidates, the product decides among them; small galleries and new ones do without."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from core.gallery import Gallery, Space
from core.gallery import sketch as sketches
from core.gallery.match import Index
from core.gallery.sketch import Sketch, signs, sketch_of, wait_for_sketch

SPACE = Space("xxs", "a" * 64, "bicubic", True)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return unit(np.random.default_rng(0).normal(size=(6_000, 512)))


def index(matrix: np.ndarray, means_each: int) -> Index:
    people = len(matrix) // means_each
    numbers, sizes = np.arange(people) + 7, np.tile(np.array([0, 16, 24, 32])[:means_each], people)
    names, starts = [f"p{number}" for number in numbers], np.arange(people) * means_each
    return Index(SPACE, numbers, np.ones(people, np.int64), numbers, names, starts, sizes, matrix)


def test_signs_are_a_bit_for_each_number():
    row = np.array([[0.1, -0.1, 0.0, 2.0, -3.0, 1.0, 1.0, -1.0]], np.float32)
    assert signs(row).tolist() == [[0b10010110]]


def test_the_nearest_by_sign_are_those_that_counting_by_hand_gives(matrix):
    sketch, probe = Sketch(matrix), matrix[17]
    rows, scores = sketch.nearest(matrix, probe, 200)
    assert scores == pytest.approx(matrix[rows] @ probe, abs=1e-6)
    assert len(set(rows.tolist())) == len(rows) >= 200
    differ = ((matrix > 0) != (probe > 0)).sum(axis=1)
    half = len(matrix) // len(sketch._parts)
    for part in range(len(sketch._parts)):
        inside = (rows >= part * half) & (rows < (part + 1) * half)
        worst = np.sort(differ[part * half : (part + 1) * half])[inside.sum() - 1]
        assert (differ[rows[inside]] <= worst).all()


@pytest.mark.parametrize("means_each", [1, 4])
def test_it_finds_what_comparing_everybody_finds(matrix, means_each, monkeypatch):
    """Other looks at a cosine of 0.6, among enough candidates: names, scores, kinds and sizes."""
    rng = np.random.default_rng(1)
    asked = rng.choice(len(matrix), 40, replace=False)
    away = rng.normal(size=(40, 512))
    away -= (away * matrix[asked]).sum(axis=1, keepdims=True) * matrix[asked]
    probes = unit(0.6 * matrix[asked] + 0.8 * unit(away))
    near = index(matrix, means_each)
    exact = near.search(probes, 3)
    monkeypatch.setattr("core.gallery.sketch.SKETCH_FROM", 3)
    assert near.search(probes, 3) == exact, "every identity is compared until the sketch is built"
    wait_for_sketch()
    assert sketch_of(matrix) is not None
    for one, other in zip(exact, near.search(probes, 3), strict=True):
        assert (one[0].name, one[0].kind, one[0].size_px) == (other[0].name, other[0].kind, other[0].size_px)
        assert one[0].score == pytest.approx(other[0].score, abs=1e-6)
        assert len({candidate.name for candidate in other}) == 3
        assert [c.score for c in other] == sorted((c.score for c in other), reverse=True)
    assert len(near.search(probes[0], 101)[0]) == 101, "more than a sketch is for: everybody is compared"


def test_it_is_made_in_the_background_and_again_after_a_change(path, space, person, templates, monkeypatch):
    monkeypatch.setattr("core.gallery.sketch.SKETCH_FROM", 3)
    with Gallery.open(path) as gallery:
        for number in range(2):
            gallery.enrol(f"p{number}", templates(person(number)), space=space)
        gallery.search(person(0), space)
        wait_for_sketch()
        assert sketch_of(gallery.index(space).matrix) is None, "too small to need one"
        gallery.enrol("p2", templates(person(2)), space=space)
        assert gallery.search(person(2), space)[0][0].name == "p2"
        wait_for_sketch()
        first = sketch_of(gallery.index(space).matrix)
        assert first is not None
        gallery.enrol("p3", templates(person(3)), space=space)
        assert gallery.search(person(3), space)[0][0].name == "p3", "found before the new sketch is there"
        wait_for_sketch()
        assert sketch_of(gallery.index(space).matrix) not in (None, first)
        gallery.remove("p0")
        assert "p0" not in {candidate.name for candidate in gallery.search(person(0)[0], space)[0]}
        wait_for_sketch()
        assert gallery.search(person(3)[0], space)[0][0].name == "p3"


def test_a_sketch_goes_with_its_matrix(monkeypatch):
    """Removing a person drops the matrix that held their vectors; nothing derived from it stays in memory."""
    monkeypatch.setattr("core.gallery.sketch.SKETCH_FROM", 3)
    own = unit(np.random.default_rng(2).normal(size=(8, 512)))
    key = id(own)
    sketch_of(own)
    wait_for_sketch()
    assert key in sketches._sketches
    del own
    gc.collect()
    assert key not in sketches._sketches
