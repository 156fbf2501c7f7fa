"""One embedding from many frames: the weighted mean direction, re-derived by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SettingsInvalid
from core.faces.quality import Quality
from core.gallery.match import LEAST_WEIGHT
from core.recognition.pooling import FRAMES, Pool, pooled, weight_of

GOOD = Quality(48.0, 1.0, 120.0, 50.0, 0.0, 0.0, 0.0, 1.0)


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_the_weighted_mean_is_renormalised() -> None:
    found = pooled([unit(1, 0), unit(0, 1)], [3.0, 1.0])
    assert found == pytest.approx([3 / np.sqrt(10), 1 / np.sqrt(10)], abs=1e-6)
    assert found.dtype == np.float32


def test_vectors_that_cancel_give_the_heaviest() -> None:
    assert pooled([unit(1, 0), unit(-1, 0)], [1.0, 1.0 + 1e-9]) == pytest.approx([-1, 0])


@pytest.mark.parametrize(("vectors", "weights"), [([], []), ([unit(1, 0)], [0.0]), ([unit(1, 0)], [1.0, 1.0])])
def test_what_cannot_be_pooled_is_said(vectors, weights) -> None:
    with pytest.raises(SettingsInvalid, match="Pooling needs"):
        pooled(vectors, weights)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_norm_is_one_and_only_the_weights_proportions_count(count: int, seed: int, factor: float) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights = random.uniform(0.1, 1, count)
    found = pooled(vectors, weights)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    assert pooled(vectors, factor * weights) == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize(("recognisability", "weight"), [(0.62, 0.62), (1.0, 1.0), (0.0, LEAST_WEIGHT)])
def test_a_frame_weighs_as_much_as_it_can_be_recognised(recognisability: float, weight: float) -> None:
    assert weight_of(replace(GOOD, sharpness=0.1, recognisability=recognisability)) == weight


def test_a_frame_that_can_hardly_be_recognised_moves_the_pool_less() -> None:
    pool = Pool()
    pool.add(unit(1, 0), replace(GOOD, recognisability=0.9), 0.0)
    found = pool.add(unit(1, 1), replace(GOOD, recognisability=0.1), 0.1)
    by_hand = 0.9 * unit(1, 0) + 0.1 * unit(1, 1)
    assert found.vector == pytest.approx(by_hand / np.linalg.norm(by_hand), abs=1e-6)


def test_without_recognisability_larger_sharper_and_frontal_frames_weigh_more() -> None:
    assert weight_of(GOOD) == pytest.approx(1.0)
    worse = (
        Quality(16.0, 1.0, 120.0, 50.0, 0.0, 0.0, 0.0, 1.0),
        Quality(48.0, 0.5, 120.0, 50.0, 0.0, 0.0, 0.0, 1.0),
        Quality(48.0, 1.0, 120.0, 50.0, 60.0, 0.0, 0.0, 1.0),
        Quality(48.0, 1.0, 120.0, 50.0, 0.0, 0.0, 0.0, 0.6),
    )
    assert [weight_of(each) for each in worse] == pytest.approx([1 / 3, 0.5, 0.5, 0.6])


def test_noise_in_single_frames_is_averaged_away() -> None:
    random = np.random.default_rng(3)
    truth = unit(*random.normal(size=128))
    pool = Pool()
    noisy = [unit(*(truth + 0.15 * random.normal(size=128))) for _ in range(FRAMES)]
    for at, vector in enumerate(noisy):
        found = pool.add(vector, GOOD, 0.1 * at)
    assert found.frames == FRAMES
    assert float(found.vector @ truth) > max(float(vector @ truth) for vector in noisy) + 0.2


def test_old_evidence_goes_and_no_more_than_so_many_frames_count() -> None:
    pool = Pool(frames=3, window_s=1.0)
    for at in range(5):
        found = pool.add(unit(1, 0.01 * at), GOOD, 0.1 * at)
    assert found.frames == 3
    assert pool.add(unit(1, 0), GOOD, 10.0).frames == 1


def test_one_frame_that_contradicts_is_left_out_two_replace_the_evidence() -> None:
    pool = Pool()
    for at in range(4):
        pool.add(unit(1, 0, 0), GOOD, 0.1 * at)
    assert pool.add(unit(0, 1, 0), GOOD, 0.5).vector == pytest.approx([1, 0, 0])
    assert pool.add(unit(1, 0, 0), GOOD, 0.6).vector == pytest.approx([1, 0, 0])
    pool.add(unit(0, 1, 0), GOOD, 0.7)
    replaced = pool.add(unit(0, 1, 0), GOOD, 0.8)
    assert replaced.vector == pytest.approx([0, 1, 0]) and replaced.frames == 2


def test_the_pooled_size_is_the_weighted_mean() -> None:
    pool = Pool()
    pool.add(unit(1, 0), Quality(16.0, 1.0, 120.0, 50.0), 0.0)
    found = pool.add(unit(1, 0), Quality(32.0, 1.0, 120.0, 50.0), 0.1)
    assert found.probe_px == pytest.approx((16 * 1 / 3 + 32 * 2 / 3) / 1)
