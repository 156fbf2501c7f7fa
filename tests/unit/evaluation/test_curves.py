"""Curves, histograms, the sweep, what rejecting is worth: against scikit-learn, by hand, and as properties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from core.evaluation.curves import rates_at, roc_points, score_histogram, sweep
from core.evaluation.identification import Outcomes
from core.evaluation.metrics import rates_at_threshold
from core.evaluation.reject import reject_curves, sample_pairs, scores_of
from core.evaluation.scores import side, sorted_scores
from core.evaluation.verification import equal_error_rate, roc, roc_of_sorted, tar_at_far


def random_scores(seed: int, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(0.5, 0.2, count), -1, 1), np.clip(rng.normal(0.1, 0.2, 3 * count), -1, 1)


@given(st.integers(0, 1000))
def test_the_drawn_roc_lies_on_scikit_learns_and_only_rises(seed: int) -> None:
    genuine, impostor = random_scores(seed)
    points = roc_points(roc_of_sorted(np.sort(genuine), np.sort(impostor)))
    far, tar, _ = roc_curve(np.r_[np.ones(len(genuine)), np.zeros(len(impostor))], np.r_[genuine, impostor])
    steps = set(zip(np.round(far, 9), np.round(tar, 9), strict=True))
    full = roc(np.r_[genuine, impostor], np.r_[np.ones(len(genuine)), np.zeros(len(impostor))])
    steps |= set(zip(np.round(full.far, 9), np.round(full.tar, 9), strict=True))
    assert set(zip(np.round(points["far"], 9), np.round(points["tar"], 9), strict=True)) <= steps
    assert points["far"].is_monotonic_increasing and points["tar"].is_monotonic_increasing


@given(st.integers(0, 1000), st.floats(1e-3, 1), st.floats(1e-3, 1))
def test_tar_only_rises_with_far(seed: int, a: float, b: float) -> None:
    genuine, impostor = random_scores(seed)
    curve = roc_of_sorted(np.sort(genuine), np.sort(impostor))
    low, high = sorted((a, b))
    assert (tar_at_far(curve, low, 10**6) or 0) <= (tar_at_far(curve, high, 10**6) or 0)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50))
def test_identical_distributions_err_half_the_time_and_separable_ones_never(scores: list[float]) -> None:
    values = np.sort(np.array(scores, dtype=np.float64))
    assert equal_error_rate(roc_of_sorted(values, values)) == pytest.approx(0.5)
    assert equal_error_rate(roc_of_sorted(values + 3, values)) == pytest.approx(0, abs=1e-12)


@given(st.integers(0, 300), st.integers(-200, 199))
def test_rates_from_the_histogram_are_exact_at_its_edges(seed: int, edge: int) -> None:
    genuine, impostor = random_scores(seed, 100)
    histogram = score_histogram(genuine, impostor)
    assert histogram["genuine"].sum() == 100 and histogram["impostor"].sum() == 300
    threshold = float(histogram["low"].iloc[edge + 200])
    far, frr = rates_at(histogram, threshold)
    assert far == pytest.approx((impostor >= threshold).mean()) and frr == pytest.approx((genuine < threshold).mean())


def test_the_sweep_by_hand() -> None:
    outcomes = Outcomes(
        person=np.arange(4),
        photo=np.arange(4),
        genuine=np.array([0.9, 0.5, 0.3, np.nan]),
        impostor=np.array([0.2, 0.6, 0.1, 0.7]),
        impostor_person=np.array([1, 2, 3, 0]),
        rank=np.array([1, 2, 1, 0]),
    )
    rows = sweep(np.array([0.9, 0.5]), np.array([0.1, 0.55]), outcomes, outcomes, thresholds=(0.0, 0.5, 0.65))
    assert rows["far"].tolist() == [1.0, 0.5, 0.0] and rows["frr"].tolist() == [0.0, 0.0, 0.5]
    # The notes' accuracy: top score >= threshold and the name right, of the three mated probes.
    assert rows["accuracy"].tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    assert rows["wrong"].tolist() == pytest.approx([1 / 3, 1 / 3, 0]), "the second is taken for another at 0.6"
    assert rows["rejected"].tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    assert rows[["genuine", "impostor", "probes", "strangers"]].values.tolist() == [[2, 2, 3, 1]] * 3
    assert rows["fpir"].tolist() == [1.0, 1.0, 1.0] and rows["fnir"].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def spoiled(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vectors, people, how much each is spoiled by noise)."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(60), 4)
    noise = rng.uniform(0.2, 2.5, len(people))
    vectors = rng.normal(size=(60, 16))[people] + noise[:, None] * rng.normal(size=(len(people), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), people, noise


@pytest.mark.parametrize("ordered", [False, True])
def test_rejecting_the_worst_helps_when_the_measure_knows_them(ordered: bool) -> None:
    vectors, people, noise = spoiled()
    measures = {"right": -noise, "wrong": noise, "unknown": np.full(len(noise), np.nan)}
    curves = reject_curves(vectors, vectors, people, measures, ordered=ordered)
    assert list(curves["measure"].unique()) == ["right", "wrong"], "one that is known of no image is left out"
    right, wrong = (curves[curves["measure"] == name] for name in ("right", "wrong"))
    eer = right.set_index("rejected")["eer"]
    assert eer[0.5] < eer[0.2] < eer[0.0]
    assert wrong.set_index("rejected")["eer"][0.3] > eer[0.0]
    assert right.set_index("rejected")["images"].loc[0.1] == 216
    frr = right.set_index("rejected")["frr"]
    assert frr[0.3] < frr[0.0]


def test_scores_by_blocks_are_the_cosines() -> None:
    vectors, people, _ = spoiled()
    a, b = sample_pairs(people, ordered=False)
    np.testing.assert_allclose(scores_of(vectors, vectors, a, b), (vectors[a] * vectors[b]).sum(1), atol=1e-5)
    same = people[a] == people[b]
    assert same.sum() == 60 * 6 and (~same).sum() == 240 * 239 // 2 - 360
    some_a, some_b = sample_pairs(people, ordered=True, most_impostors=1000)
    assert (people[some_a] == people[some_b]).sum() == 720
    assert 900 < (people[some_a] != people[some_b]).sum() <= 1000


def test_the_curve_doesnt_follow_the_order_of_names() -> None:
    vectors, people, noise = spoiled()
    small = np.random.default_rng(1).normal(size=vectors.shape) * 0.2 + vectors * np.linspace(0.2, 2, 240)[:, None]
    small = (small / np.linalg.norm(small, axis=1, keepdims=True)).astype(np.float32)
    there = reject_curves(small, vectors, people, {"noise": -noise}, ordered=True)
    back = np.arange(240)[::-1]  # as if the last name were the first
    turned = {"noise": -noise[back]}
    other = reject_curves(small[back], vectors[back], people.max() - people[back], turned, ordered=True)
    pd.testing.assert_frame_equal(there, other)
    assert there["impostor"][0] == 240 * 236, "every picture small against every other person's"
    every = reject_curves(small, vectors, people, {"noise": -noise}, ordered=True, shares=(0.0,))
    genuine, impostor = sorted_scores(side(small, people), side(vectors, people), ordered=True)
    assert every["eer"][0] == pytest.approx(equal_error_rate(roc_of_sorted(genuine, impostor)), abs=1e-4)


def test_a_curve_without_both_kinds_is_empty() -> None:
    vectors, _, noise = spoiled()
    for people in (np.zeros(240, int), np.arange(240)):
        curves = reject_curves(vectors, vectors, people, {"noise": noise}, ordered=False)
        assert curves.empty and "measure" in curves


@pytest.mark.parametrize("ordered", [False, True])
def test_rates_at_a_given_threshold_count_every_pair(ordered: bool) -> None:
    vectors, people, _ = spoiled()
    one = side(vectors, people)
    rates = rates_at_threshold(one, one, 0.4, ordered=ordered, resamples=300)
    products = vectors @ vectors.T
    there = ~np.eye(240, dtype=bool) if ordered else np.triu(np.ones((240, 240), bool), 1)
    same = people[:, None] == people[None]
    assert (rates.genuine, rates.impostor) == ((there & same).sum(), (there & ~same).sum())
    assert rates.far == pytest.approx((products[there & ~same] >= 0.4).mean(), abs=1e-4)
    assert rates.tar == pytest.approx((products[there & same] >= 0.4).mean(), abs=1e-3)
    assert rates.far_interval[0] < rates.far < rates.far_interval[1]  # type: ignore[operator]
    assert rates.tar_interval[0] < rates.tar < rates.tar_interval[1]  # type: ignore[operator]
