"""Rates over thresholds: by hand, against scikit-learn, and the properties that hold for any scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from core.evaluation.verification import (
    Roc,
    area_under,
    best_threshold,
    equal_error_rate,
    fold_accuracies,
    roc,
    roc_of_sorted,
    tar_at_far,
)

# Few distinct values, so that ties within and between the kinds are common.
SCORES = st.lists(st.integers(-8, 8).map(lambda n: n / 8), min_size=1, max_size=25)


def joined(genuine: list[float], impostor: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(genuine + impostor), np.array([True] * len(genuine) + [False] * len(impostor))


def curve_of(genuine: list[float], impostor: list[float]):
    return roc(*joined(genuine, impostor))


def test_a_pair_is_accepted_when_its_score_reaches_the_threshold() -> None:
    curve = curve_of([0.9, 0.5], [0.5, 0.1])
    at = list(curve.thresholds).index(0.5)
    assert (curve.far[at], curve.tar[at]) == (0.5, 1.0)
    assert (curve.far[0], curve.tar[0], curve.thresholds[0]) == (0.0, 0.0, np.inf)


def test_eer_by_hand() -> None:
    # From the strictest threshold: FAR 0, 0, 1/4, 1/4, ... and FRR 3/4, 2/4, 2/4, 1/4, ...: they cross at 1/4.
    assert equal_error_rate(curve_of([0.9, 0.8, 0.6, 0.2], [0.7, 0.3, 0.1, 0.0])) == pytest.approx(0.25)
    # FAR 0 -> 1/2 while FRR stays 1/3: on that line FAR = FRR at 1/3.
    assert equal_error_rate(curve_of([0.9, 0.8, 0.2], [0.5, 0.1])) == pytest.approx(1 / 3)
    # A tie moves both at once: FAR 0 -> 1/2, FRR 1/2 -> 0 meet halfway, at 1/4.
    assert equal_error_rate(curve_of([0.9, 0.5], [0.5, 0.1])) == pytest.approx(0.25)


def test_eer_is_0_for_separable_scores_and_1_for_reversed_ones() -> None:
    assert equal_error_rate(curve_of([0.6, 0.7], [0.1, 0.5])) == 0
    assert equal_error_rate(curve_of([0.1, 0.5], [0.6, 0.7])) == 1


@given(SCORES)
def test_eer_and_auc_are_a_half_for_identical_distributions(scores: list[float]) -> None:
    curve = curve_of(scores, scores)
    assert equal_error_rate(curve) == pytest.approx(0.5)
    assert area_under(curve) == pytest.approx(0.5)


@given(SCORES, SCORES)
def test_curve_and_auc_are_scikit_learns(genuine: list[float], impostor: list[float]) -> None:
    scores, same = joined(genuine, impostor)
    curve = roc(scores, same)
    far, tar, _ = roc_curve(same, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.far, far)
    np.testing.assert_allclose(curve.tar, tar)
    assert area_under(curve) == pytest.approx(roc_auc_score(same, scores))


@given(SCORES, SCORES)
def test_rates_are_what_counting_gives(genuine: list[float], impostor: list[float]) -> None:
    curve = curve_of(genuine, impostor)
    for threshold, far, tar in zip(curve.thresholds, curve.far, curve.tar, strict=True):
        assert far == pytest.approx(np.mean(np.array(impostor) >= threshold))
        assert tar == pytest.approx(np.mean(np.array(genuine) >= threshold))


def eer_threshold(curve: Roc) -> float:
    """The strictest threshold at which FAR >= FRR."""
    return float(curve.thresholds[int(np.argmax(curve.far - (1 - curve.tar) >= 0))])


@given(SCORES, SCORES)
def test_the_eer_lies_between_the_rates_around_it(genuine: list[float], impostor: list[float]) -> None:
    curve = curve_of(genuine, impostor)
    eer, at = equal_error_rate(curve), eer_threshold(curve)
    far, frr = np.mean(np.array(impostor) >= at), np.mean(np.array(genuine) < at)
    assert frr <= eer + 1e-12 and eer <= far + 1e-12


@given(SCORES, SCORES)
def test_tar_only_rises_with_far(genuine: list[float], impostor: list[float]) -> None:
    curve = curve_of(genuine, impostor)
    told = [tar_at_far(curve, far, impostors=10**9) for far in np.linspace(0.001, 1, 50)]
    assert told == sorted(told)  # type: ignore[type-var]
    assert told[-1] == 1


@given(SCORES, SCORES, st.floats(0.001, 1))
def test_tar_at_far_is_the_best_among_allowed_thresholds(
    genuine: list[float], impostor: list[float], far: float
) -> None:
    thresholds = [*genuine, *impostor, 2.0]
    allowed = [t for t in thresholds if np.mean(np.array(impostor) >= t) <= far]
    best = max(np.mean(np.array(genuine) >= t) for t in allowed)
    assert tar_at_far(curve_of(genuine, impostor), far, impostors=10**9) == pytest.approx(best)


def test_tar_is_not_told_from_too_few_impostors() -> None:
    curve = curve_of([0.9], [0.1])
    assert tar_at_far(curve, 0.01, impostors=999) is None
    assert tar_at_far(curve, 0.01, impostors=1000) == 1.0
    assert tar_at_far(curve, 1e-4, impostors=100_000) == 1.0


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans(), st.integers(0, 3)), min_size=2, max_size=25), st.randoms())
def test_weights_repeat_pairs_and_order_does_not_matter(rows: list[tuple[int, bool, int]], random) -> None:
    repeated = [(score, same) for score, same, weight in rows for _ in range(weight)]
    assume(len({same for _, same in repeated}) == 2)
    by_repetition = roc([score for score, _ in repeated], [same for _, same in repeated])
    random.shuffle(rows)
    weighted = roc(*zip(*rows, strict=True))
    assert equal_error_rate(weighted) == pytest.approx(equal_error_rate(by_repetition))
    assert eer_threshold(weighted) == eer_threshold(by_repetition)
    assert area_under(weighted) == pytest.approx(area_under(by_repetition))
    for far in (0.05, 0.3):
        assert tar_at_far(weighted, far, 10**9) == pytest.approx(tar_at_far(by_repetition, far, 10**9))


@given(SCORES, SCORES)
def test_sorted_arrays_give_the_same_figures(genuine: list[float], impostor: list[float]) -> None:
    whole = curve_of(genuine, impostor)
    short = roc_of_sorted(np.sort(np.float32(genuine)), np.sort(np.float32(impostor)))
    assert np.all(np.diff(short.far) >= 0) and np.all(np.diff(short.tar) >= 0)
    assert equal_error_rate(short) == pytest.approx(equal_error_rate(whole))
    assert area_under(short) == pytest.approx(area_under(whole))
    for far in (0.04, 0.1, 0.5):
        assert tar_at_far(short, far, 10**9) == pytest.approx(tar_at_far(whole, far, 10**9))


@pytest.mark.parametrize("kind", [True, False])
def test_a_curve_needs_both_kinds(kind: bool) -> None:
    with pytest.raises(ValueError, match="genuine and impostor"):
        roc([0.1, 0.2], [kind, kind])
    with pytest.raises(ValueError, match="genuine and impostor"):
        roc([0.1, 0.2], [kind, not kind], [1, 0])
    with pytest.raises(ValueError, match="genuine and impostor"):
        roc_of_sorted(np.ones(kind * 2, np.float32), np.ones((not kind) * 2, np.float32))


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        roc([0.1, np.nan], [True, False])


def test_the_best_threshold_lies_between_scores() -> None:
    scores, same = joined([0.9, 0.8], [0.4, 0.1])
    assert best_threshold(scores, same) == pytest.approx(0.6)
    # Nothing beats accepting none, and the threshold is above every score then.
    scores, same = joined([0.1], [0.5, 0.9])
    assert best_threshold(scores, same) > 0.9
    # One kind alone: accept all, or none.
    assert best_threshold(np.array([0.2, 0.4]), np.array([True, True])) <= 0.2
    assert best_threshold(np.array([0.2, 0.4]), np.array([False, False])) > 0.4
    with pytest.raises(ValueError, match="needs pairs"):
        best_threshold(np.array([0.2]), np.array([True]), np.array([0.0]))


@given(SCORES, SCORES)
def test_no_threshold_is_right_more_often(genuine: list[float], impostor: list[float]) -> None:
    scores, same = joined(genuine, impostor)
    best = np.sum((scores >= best_threshold(scores, same)) == same)
    assert best == max(np.sum((scores >= t) == same) for t in [*scores, 2.0])


def test_accuracy_over_folds_by_hand() -> None:
    scores = [0.9, 0.3, 0.8, 0.5, 0.45, 0.1]
    same = [True, False, True, False, True, False]
    folds = [1, 1, 2, 2, 3, 3]
    # Fold 1 by 2 and 3: 0.45 is the best, between 0.45 and 0.1 (0.275): one error there, the impostor at 0.3, so 1/2.
    # Its other choice, between 0.8 and 0.5, errs once as well and is stricter: (0.8 + 0.5) / 2 = 0.65 -> all right.
    # Fold 2 by 1 and 3: between 0.45 and 0.3 all are right: 0.375 -> 0.5 is accepted, 1/2.
    # Fold 3 by 1 and 2: between 0.8 and 0.5: 0.65 -> 0.45 is rejected, 1/2.
    np.testing.assert_allclose(fold_accuracies(scores, same, folds), [1, 0.5, 0.5])


@given(
    st.lists(
        st.tuples(st.integers(-5, 5), st.booleans(), st.integers(1, 3), st.integers(0, 3)), min_size=4, max_size=30
    )
)
def test_weights_repeat_pairs_in_the_accuracy_too(rows: list[tuple[int, bool, int, int]]) -> None:
    repeated = [row[:3] for row in rows for _ in range(row[3])]
    folds = {fold for _, _, fold in repeated}
    assume(len(folds) > 1)
    assume({row[2] for row in rows} == folds)
    scores, same, fold, weights = zip(*rows, strict=True)
    expected = fold_accuracies(*zip(*repeated, strict=True))
    np.testing.assert_allclose(fold_accuracies(scores, same, fold, weights), expected)


def test_one_fold_has_no_accuracy() -> None:
    assert len(fold_accuracies([0.9, 0.1], [True, False], [4, 4])) == 0
