"""Intervals: Wilson's by the formula, resampled people as trials, and people where no resample differs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.evaluation.intervals import (
    alike_people,
    change_interval,
    paired_interval,
    resampled_interval,
    share_interval,
    wilson,
)
from core.evaluation.metrics import measure, measure_all_pairs
from core.evaluation.scores import side

SQUARE = 1.959964**2
PEOPLE = np.repeat(np.arange(60), 10)


def test_wilson_by_the_formula() -> None:
    # 0 of 10: the upper end is z^2 / (n + z^2), with z = 1.959964.
    low, high = wilson(0, 10)
    assert low == 0
    assert high == pytest.approx(1.959964**2 / (10 + 1.959964**2), abs=1e-6)
    assert wilson(10, 10) == pytest.approx((1 - high, 1))
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 0) == (0, 1)


@example(0, 7)
@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_holds_the_share(successes: int, more: int) -> None:
    trials = successes + more
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert high - low > wilson(successes * 4, trials * 4)[1] - wilson(successes * 4, trials * 4)[0]


@pytest.mark.parametrize(("every", "bounds"), [(False, (0, SQUARE / (60 + SQUARE))), (True, (60 / (60 + SQUARE), 1))])
def test_none_of_600_probes_and_all_of_them_say_as_much_as_their_60_people(every: bool, bounds: tuple) -> None:
    found = share_interval(np.full(600, every), PEOPLE, resamples=100)
    assert found == pytest.approx(bounds, abs=1e-6)
    assert found == pytest.approx(wilson(60 * every, 60))


def test_a_share_that_is_the_same_for_everybody_says_as_much_as_the_people() -> None:
    half = np.tile([True, False], 300)  # five of ten for each: no resample differs from another
    assert share_interval(half, PEOPLE, resamples=100) == pytest.approx(wilson(30, 60))


def test_ten_alike_probes_of_a_person_are_one_trial_and_ten_independent_ones_are_ten() -> None:
    rng = np.random.default_rng(7)
    who = np.repeat(np.arange(400), 10)
    alike, apart = np.repeat(rng.random(400) < 0.8, 10), rng.random(4000) < 0.8
    for hits, trials in ((alike, 400), (apart, 4000)):
        found = share_interval(hits, who, resamples=1000)
        assert found == pytest.approx(wilson(hits.mean() * trials, trials), abs=0.005)


@given(st.integers(2, 30), st.integers(0, 30), st.integers(0, 5))
def test_an_interval_of_a_share_holds_it_and_has_a_width(people: int, right: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hits, who = rng.random(4 * people) < right / 30, rng.integers(0, people, 4 * people)
    low, high = share_interval(hits, who, resamples=50, seed=seed)
    assert 0 <= low <= hits.mean() <= high <= 1
    assert high - low > 0.02


def test_a_person_with_most_of_the_pairs_leaves_few_that_count() -> None:
    assert alike_people(np.full(60, 7)) == pytest.approx(60)
    assert alike_people(np.array([100, 1, 1, 1])) == pytest.approx(103**2 / 10_003)
    drawn = np.random.default_rng(0).normal(0.2, 0.03, 2000)
    even, uneven = (resampled_interval(0.2, drawn, 60, alike=units) for units in (60, 10))
    assert even == resampled_interval(0.2, drawn, 60) and np.ptp(uneven) > 1.15 * np.ptp(even)


def test_resamples_that_hardly_differ_make_pairs_worth_no_more_than_their_number() -> None:
    drawn = np.random.default_rng(0).normal(0.9, 1e-4, 2000)
    assert resampled_interval(0.9, drawn, 10**6, trials=200) == pytest.approx(wilson(180, 200), abs=1e-6)


def test_one_person_says_nothing_of_others() -> None:
    low, high = share_interval(np.array([True, False, True]), np.zeros(3, int), resamples=50)
    assert high - low > 0.7
    assert resampled_interval(float("nan"), [], 0) == pytest.approx((np.nan, np.nan), nan_ok=True)


def test_a_change_of_nobody_isnt_known_to_be_none() -> None:
    upper = wilson(0, 40)[1]
    people = np.repeat(np.arange(40), 5)
    before = np.zeros(200, bool)
    after = before.copy()
    after[::5] = True  # one probe of each person
    assert paired_interval(before, before, people, resamples=200) == pytest.approx((-upper, upper))
    assert paired_interval(before, after, people, resamples=200) == pytest.approx((0.2 - upper, 0.2 + upper))
    assert paired_interval(before, after, people, resamples=0) is None
    assert change_interval(0.99, [0.99, 0.99], 40) == pytest.approx((0.99 - upper, 1))


def test_a_change_by_students_t_over_people() -> None:
    rng = np.random.default_rng(1)
    people = np.arange(50)
    before, after = rng.random(50) < 0.5, rng.random(50) < 0.8
    change = after.astype(float) - before
    low, high = paired_interval(before, after, people, resamples=20_000)
    half = 2.00958 * change.std(ddof=1) / np.sqrt(50)  # t of 49 degrees of freedom
    assert (low, high) == pytest.approx((change.mean() - half, change.mean() + half), rel=0.02)


def test_no_error_in_four_pairs_isnt_an_error_rate_of_0_to_0() -> None:
    first, second = np.array([0, 1, 0, 1]), np.array([0, 1, 2, 3])
    figures = measure([0.9, 0.8, 0.1, 0.2], first == second, (first, second), folds=[1, 2, 1, 2], resamples=200)
    assert (figures.eer, figures.auc, figures.accuracy) == (0, 1, 1)
    # Two people have genuine pairs: two trials.
    assert figures.eer_interval == pytest.approx(wilson(0, 2))
    assert figures.auc_interval == figures.accuracy_interval == pytest.approx(wilson(2, 2))


def test_no_error_in_all_pairs_of_sixty_people() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 64))[np.repeat(np.arange(60), 2)]
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    one = side(rows, np.repeat(np.arange(60), 2))
    figures = measure_all_pairs(one, one, ordered=False, resamples=100).plain
    assert figures.eer == 0 and figures.eer_interval == pytest.approx(wilson(0, 60))
    assert figures.tar[0.01] == (1, pytest.approx(wilson(60, 60)))
