"""The best of many scores are those that sorting all of them gives, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gallery.top_k import reaches, top_k


def sorted_through(scores: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(0, 4),
    count=st.integers(1, 70) | st.sampled_from([4095, 4096, 4097, 5003]),
    k=st.integers(1, 80),
    levels=st.sampled_from([1, 3, 50, 100_000]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_same_as_sorting_everything(rows, count, k, levels, seed):
    """Few levels make many ties, at the last place too."""
    drawn = np.random.default_rng(seed).integers(-levels, levels + 1, (rows, count))
    scores = (drawn / levels).astype(np.float32)
    expected = sorted_through(scores, k)
    positions, values = top_k(scores.copy(), k)
    assert positions.tolist() == expected.tolist()
    assert values.tolist() == np.take_along_axis(scores, expected, axis=1).tolist()


@pytest.mark.parametrize("place", [0, 63, 64, 4_095, 4_999, 5_000])
def test_the_best_is_found_wherever_it_stands(place):
    scores = np.full((2, 5_001), -1.0, np.float32)
    scores[:, place] = 0.5
    positions, values = top_k(scores, 3)
    others = [number for number in range(4) if number != place][:2]
    assert positions.tolist() == [[place, *others]] * 2
    assert values.tolist() == [[0.5, -1.0, -1.0]] * 2


def test_a_score_just_below_the_threshold_does_not_reach_it():
    """A float32 score and the next float64 above it are the same number as float32."""
    scores = np.array([0.35, 0.5], np.float32)
    just_above = float(np.nextafter(np.float64(scores[0]), 1))
    assert np.float32(just_above) == scores[0]
    assert reaches(scores, just_above).tolist() == [False, True]
    assert reaches(scores, float(scores[0])).tolist() == [True, True]
