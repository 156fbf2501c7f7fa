"""How many may reach a threshold: against binomial tables, and by drawing people again and again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from core.evaluation.identification import threshold_at
from core.evaluation.metrics import rates_at_threshold
from core.evaluation.scores import Side, side, sorted_scores
from core.evaluation.tolerance import effective_pairs, enough, tolerated, tolerated_share


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("people", [1, 22, 229, 230, 1000, 5000])
def test_as_many_as_a_binomial_table_allows(people: int, rate: float, confidence: float) -> None:
    chances = binom.cdf(np.arange(people), people, rate)
    allowed = np.nonzero(chances <= 1 - confidence)[0]
    assert tolerated(people, rate, confidence) == (int(allowed[-1]) if len(allowed) else None)


def test_229_people_say_nothing_of_1_percent_at_90_percent_and_230_allow_none() -> None:
    """(1 - 0.01)^229 = 0.1001: as many strangers without one above would be no surprise at 1 %."""
    assert tolerated(229, 0.01, 0.9) is None and tolerated_share(229, 0.01, 0.9) is None
    assert tolerated(230, 0.01, 0.9) == 0


def test_enough_asks_for_photographs_and_for_people() -> None:
    assert enough(1_000, 300, 0.01)
    assert not enough(1_200, 10, 0.01), "120 photographs each of 10 people"
    assert not enough(999, 999, 0.01)


@pytest.mark.parametrize("photographs", [1, 10])
def test_the_bound_holds_for_nine_of_ten_choices_of_people(photographs: int) -> None:
    """Scores of normal strangers, each photograph half its person's: the true rate is known, and people are counted."""
    rng = np.random.default_rng(photographs)
    held = plain_held = 0
    for _ in range(1500):
        own = rng.normal(size=(400, 1)) * np.sqrt(0.5)
        scores = (own + rng.normal(size=(400, photographs)) * np.sqrt(0.5)).ravel()
        share = tolerated_share(400, 0.05, 0.9)
        assert share is not None
        held += _true_rate(threshold_at(scores, share)) <= 0.05
        plain_held += _true_rate(threshold_at(scores, 0.05)) <= 0.05
    assert held / 1500 >= 0.875
    assert plain_held / 1500 <= 0.6, "a threshold met on the sample alone holds for about every second"


def _true_rate(threshold: float) -> float:
    from scipy.special import ndtr

    return float(1 - ndtr(threshold))


def crowd(people: int, each: int, seed: int = 0) -> Side:
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.normal(size=(people, 16)), each, axis=0) + 0.4 * rng.normal(size=(people * each, 16))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return side(unit.astype(np.float32), np.repeat(np.arange(people), each))


@pytest.mark.parametrize("ordered", [False, True])
def test_more_photographs_of_the_same_people_are_hardly_more_pairs(ordered: bool) -> None:
    few, many = (crowd(60, each) for each in (1, 8))
    found = []
    for one in (few, many):
        threshold = threshold_at(sorted_scores(one, one, ordered=ordered)[1].astype(np.float64), 0.02)
        found.append(effective_pairs(one, one, threshold, ordered=ordered))
    assert found[0] <= 60 * 59
    assert found[1] < 6 * found[0], "64 times as many pairs"


def test_pairs_without_any_variance_count_as_those_that_share_nobody() -> None:
    assert effective_pairs(crowd(21, 2), crowd(21, 2), 2.0, ordered=False) == 10


def test_no_more_are_accepted_than_allowed_when_scores_are_float32() -> None:
    """108 of 10,801 pairs may be accepted at 1 %; with the threshold rounded to float32 a 109th was."""
    one = crowd(148, 1, seed=3)
    impostor = sorted_scores(one, one, ordered=False)[1]
    threshold = threshold_at(impostor.astype(np.float64), 0.01)
    allowed = int(0.01 * len(impostor))
    assert int((impostor >= threshold).sum()) == allowed + 1, "what numpy makes of float32 and a Python float"
    rates = rates_at_threshold(one, one, threshold, ordered=False, resamples=0)
    assert round(rates.far * rates.impostor) == allowed
