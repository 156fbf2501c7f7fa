"""Resamples of people equal the same pairs written out by hand, and all pairs in bins equal them listed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluation.bootstrap import draw_people, pair_weights, resample_all_pairs, resample_pairs
from core.evaluation.metrics import failed_pairs, measure, measure_all_pairs
from core.evaluation.people_alike import equal_pairs
from core.evaluation.scores import side, sorted_scores
from core.evaluation.verification import FARS, area_under, equal_error_rate, fold_accuracies, roc, tar_at_far

MANY = 10**9


def pairs(count: int, people: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(scores, same, first, second) of pairs with overlapping scores and some ties, half of them genuine."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, people, count)
    second = np.where(np.arange(count) % 2 == 0, first, (first + rng.integers(1, people, count)) % people)
    same = first == second
    return np.round(rng.normal(same * 1.5, 1), 1), same, first, second


def faces(people: int, each: int, seed: int = 0, spread: float = 1.6) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows of `each` photographs of every person, alike within a person, and the persons."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    rows = rng.normal(size=(people, 512))[who] + spread * rng.normal(size=(len(who), 512))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), who


def test_a_draw_has_as_many_people_as_there_are() -> None:
    counts = draw_people(40, 500, seed=3)
    assert counts.shape == (40, 500)
    assert np.all(counts.sum(axis=0) == 40)
    assert counts.mean(axis=1) == pytest.approx(np.ones(40), abs=0.2)
    np.testing.assert_array_equal(counts, draw_people(40, 500, seed=3))
    assert not np.array_equal(counts, draw_people(40, 500, seed=4))


def test_a_pair_weighs_the_product_of_two_people_and_the_count_of_one() -> None:
    counts = np.array([[2, 0], [3, 1]], dtype=np.float32)
    weights = pair_weights(counts, np.array([0, 0, 1]), np.array([0, 1, 1]))
    assert weights.tolist() == [[2, 0], [6, 0], [3, 1]]


@given(st.integers(0, 50))
@settings(max_examples=20)
def test_a_resample_is_its_pairs_written_out(seed: int) -> None:
    scores, same, first, second = pairs(60, 8, seed)
    folds = first % 3
    same_fold = first % 3 == second % 3
    scores, same, first, second, folds = (each[same_fold] for each in (scores, same, first, second, folds))
    counts = draw_people(8, 6, seed)
    usable = [
        weight
        for weight in pair_weights(counts, first, second).T.astype(int)
        if weight[same].any() and weight[~same].any()
    ]
    draws = resample_pairs(scores, same, first, second, counts)
    assert len(draws.eer) == len(usable)
    for column, weight in enumerate(usable):
        written, kinds = np.repeat(scores, weight), np.repeat(same, weight)
        curve = roc(written, kinds)
        assert draws.eer[column] == pytest.approx(equal_error_rate(curve))
        assert draws.auc[column] == pytest.approx(area_under(curve))
        assert draws.tar[:, column] == pytest.approx([tar_at_far(curve, far, MANY) for far in FARS])


def test_accuracy_of_a_resample_is_its_pairs_written_out() -> None:
    people = 30
    scores, same, first, second = pairs(600, people, 1)
    kept = first % 3 == second % 3  # folds share nobody
    scores, same, first, second = (each[kept] for each in (scores, same, first, second))
    counts = draw_people(people, 10, 0)
    draws = resample_pairs(scores, same, first, second, counts, first % 3)
    expected = []
    for weight in pair_weights(counts, first, second).T.astype(int):
        again = [np.repeat(each, weight) for each in (scores, same, first % 3)]
        expected.append(fold_accuracies(*again).mean())
    assert draws.accuracy == pytest.approx(expected)


def test_intervals_hold_the_figure_and_narrow_with_more_people() -> None:
    widths = []
    for people in (50, 800):
        scores, same, first, second = pairs(people * 6, people, 5)
        figures = measure(scores, same, (first, second), folds=first % 4, resamples=300, seed=1)
        assert figures.eer_interval is not None and figures.auc_interval is not None
        assert figures.eer_interval[0] < figures.eer < figures.eer_interval[1]
        assert figures.auc_interval[0] < figures.auc < figures.auc_interval[1]
        widths.append(figures.eer_interval[1] - figures.eer_interval[0])
    assert widths[1] < widths[0] / 2


def test_the_interval_covers_the_truth_about_95_times_in_100() -> None:
    # Scores of a person's pairs share an offset: resampling pairs alone would be far too sure.
    truth, covered, runs = 0.5, 0, 80
    for run in range(runs):
        rng = np.random.default_rng(run)
        offset = rng.normal(0, 1.0, 40)
        person = np.repeat(np.arange(40), 10)
        genuine = offset[person] + rng.normal(0, 0.2, 400)
        impostor = rng.normal(0, np.sqrt(1.04), 400)
        first = np.r_[person, 40 + np.arange(400)]
        second = np.r_[person, 440 + np.arange(400)]
        figures = measure(np.r_[genuine, impostor], first == second, (first, second), resamples=100, seed=run)
        assert figures.auc_interval is not None
        covered += figures.auc_interval[0] <= truth <= figures.auc_interval[1]
    assert 0.85 <= covered / runs <= 1.0


def test_the_same_seed_gives_the_same_intervals() -> None:
    scores, same, first, second = pairs(300, 40, 2)
    once, again, other = (measure(scores, same, (first, second), resamples=50, seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert once.eer_interval != other.eer_interval
    assert once.eer == other.eer


@pytest.mark.parametrize("ordered", [False, True])
def test_all_pairs_are_the_listed_pairs(ordered: bool) -> None:
    rows, who = faces(60, 4)
    other_rows = faces(60, 4, seed=0, spread=1.8)[0] if ordered else rows
    i, j = np.nonzero(~np.eye(len(rows), dtype=bool) if ordered else np.triu(np.ones((len(rows), len(rows)), bool), 1))
    scores = np.einsum("nd,nd->n", rows[i], other_rows[j])
    counts = draw_people(60, 150, 0)
    listed = resample_pairs(scores.astype(float), who[i] == who[j], who[i], who[j], counts)
    left, right = side(rows, who), side(other_rows, who)
    impostor = sorted_scores(left, right, ordered=ordered)[1]
    [binned] = resample_all_pairs(left, right, counts, impostor, [equal_pairs(60)], ordered=ordered)
    # A bin is 4 % of its rank wide.
    np.testing.assert_allclose(binned.eer, listed.eer, atol=0.002)
    np.testing.assert_allclose(binned.auc, listed.auc, atol=0.0005)
    np.testing.assert_allclose(binned.tar[0], listed.tar[0], atol=0.01)

    exact = measure(scores, who[i] == who[j], (who[i], who[j]), resamples=0)
    figures = measure_all_pairs(left, right, ordered=ordered, resamples=0).plain
    assert (figures.genuine, figures.impostor) == (exact.genuine, exact.impostor)
    assert figures.eer == pytest.approx(exact.eer, abs=1e-6)
    assert figures.auc == pytest.approx(exact.auc, abs=1e-6)
    assert figures.tar[0.01][0] == pytest.approx(exact.tar[0.01][0], abs=1e-3)
    assert figures.tar[0.0001] == (None, None)


def test_more_resamples_than_fit_at_once_are_all_there() -> None:
    rows, who = faces(12, 3)
    one = side(rows, who)
    counts = draw_people(12, 300, 0)
    impostor = sorted_scores(one, one, ordered=False)[1]
    [draws] = resample_all_pairs(one, one, counts, impostor, [equal_pairs(12)], ordered=False)
    assert draws.eer.shape == (300,) and draws.tar.shape == (3, 300)
    assert np.isfinite(draws.eer).all()


def test_failures_count_as_rejected() -> None:
    rows, who = faces(10, 3)
    everyone = side(rows, who)
    acquired = np.arange(30) % 7 != 0
    there = everyone.only(acquired[everyone.photos])
    failed = failed_pairs(everyone, there, there, ordered=False)
    i, j = np.nonzero(np.triu(np.ones((30, 30), bool), 1))
    both = acquired[i] & acquired[j]
    assert failed == (int((~both & (who[i] == who[j])).sum()), int((~both & (who[i] != who[j])).sum()))
    scores = np.where(both, np.einsum("nd,nd->n", rows[i], rows[j]), -2.0)
    expected = measure(scores, who[i] == who[j], (who[i], who[j]), resamples=0)
    found = measure_all_pairs(there, there, ordered=False, resamples=0, everyone=everyone)
    figures = found.with_failures
    assert (figures.genuine, figures.impostor) == (expected.genuine, expected.impostor)
    assert figures.eer == pytest.approx(expected.eer, abs=1e-6)
    assert figures.auc == pytest.approx(expected.auc, abs=1e-6)
    assert figures.eer > found.plain.eer
