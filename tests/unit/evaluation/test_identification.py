"""Identification by hand: who is found at which rank, strangers, ties, and what the rates are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import top_k_accuracy_score

from core.evaluation.identification import (
    Templates,
    cmc,
    fnir,
    fpir,
    identified,
    identify,
    rank_rates,
    threshold_at,
)
from core.evaluation.intervals import share_interval


def unit(*rows: list[float]) -> np.ndarray:
    array = np.array(rows, dtype=np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def templates(vectors: np.ndarray, people: list[int], photos: list[int] | None = None) -> Templates:
    return Templates(vectors, np.array(people), np.array(photos if photos is not None else range(len(people))))


GALLERY = templates(unit([1, 0, 0], [0, 1, 0], [0, 0, 1]), [0, 1, 2], [10, 11, 12])


def test_scores_ranks_and_whose_they_are() -> None:
    probes = templates(unit([3, 4, 0], [0, 3, 4], [1, 1, 1]), [0, 1, 7])
    found = identify(probes, [GALLERY])
    assert found.genuine[:2] == pytest.approx([0.6, 0.6])
    assert np.isnan(found.genuine[2])
    assert found.impostor == pytest.approx([0.8, 0.8, 1 / np.sqrt(3)])
    assert list(found.impostor_person[:2]) == [1, 2]
    assert list(found.rank) == [2, 2, 0], "0: a stranger"
    assert list(found.mated) == [True, True, False]


def test_a_tie_counts_against_the_probe() -> None:
    found = identify(templates(unit([1, 1, 0]), [0]), [GALLERY])
    assert found.rank[0] == 2


def test_a_probe_never_meets_its_own_photograph() -> None:
    gallery = templates(unit([1, 0, 0], [0, 1, 0], [0, 0, 1]), [0, 0, 1], [5, 6, 7])
    found = identify(templates(unit([1, 0, 0], [0, 0, 1]), [0, 1], [5, 7]), [gallery])
    assert found.genuine[0] == pytest.approx(0, abs=1e-6), "its other photograph alone"
    assert not found.mated[1], "whose only photograph is the probe itself is a stranger"


def test_the_score_of_an_identity_is_the_highest_over_its_means() -> None:
    hr = templates(unit([1, 0, 0], [0, 1, 0], [0, 0, 1]), [0, 0, 1], [1, 2, 3])
    small = templates(unit([0, 1, 1]), [1], [4])
    found = identify(templates(unit([1, 1, 0], [0, 3, 4]), [0, 1], [8, 9]), [hr, small])
    assert found.genuine[0] == pytest.approx(1, abs=1e-6), "the mean of both HR photographs"
    assert found.genuine[1] == pytest.approx(7 / 5 / np.sqrt(2), abs=1e-6), "the small template is nearer than HR's 0.8"
    assert found.impostor[1] == pytest.approx(3 / 5 / np.sqrt(2), abs=1e-6)


def test_weighted_means_by_hand_and_with_one_photograph_left_out() -> None:
    gallery = replace(templates(unit([1, 0], [0, 1], [3, 4]), [0, 0, 0], [1, 2, 3]), weights=np.array([0.9, 0.3, 0.6]))
    other, own = identify(templates(unit([1, 0], [1, 0]), [0, 0], [8, 1]), [gallery]).genuine
    # 0.9 (1, 0) + 0.3 (0, 1) + 0.6 (0.6, 0.8) = (1.26, 0.78); without the first (0.36, 0.78).
    assert other == pytest.approx(1.26 / np.hypot(1.26, 0.78), abs=1e-6)
    assert own == pytest.approx(0.36 / np.hypot(0.36, 0.78), abs=1e-6)


def test_nobody_enrolled_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody"):
        identify(templates(unit([1, 0]), [0]), [])


def test_rates_at_a_threshold_by_hand() -> None:
    probes = templates(unit([9, 1, 0], [4, 3, 0], [1, 2, 0], [1, 1, 1], [0, 0, 1]), [0, 0, 0, 8, 9])
    found = identify(probes, [GALLERY])
    # Mated: scores 0.994 (rank 1), 0.8 (rank 1), 0.447 (rank 2). Strangers' top: 0.577 and 1.
    assert list(identified(found, 0.9)) == [True, False, False, False, False]
    assert fnir(found, 0.9) == pytest.approx(2 / 3) and fnir(found, 0.5) == pytest.approx(1 / 3)
    assert fnir(found, 0.5, missed=1) == pytest.approx(2 / 4), "a probe that wasn't acquired isn't identified"
    assert fpir(found, 0.9) == 0.5 and fpir(found, 0.5) == 1.0
    assert fpir(found, 0.9, missed=2) == 0.25, "a stranger who wasn't acquired got no name"
    assert rank_rates(found, (1, 2)) == {1: pytest.approx(2 / 3), 2: 1.0}
    assert rank_rates(found, (1,), missed=1)[1] == 0.5


@pytest.mark.parametrize(("rate", "accepted"), [(0.0, 0), (0.1, 1), (0.19, 1), (0.5, 5), (0.95, 9)])
def test_a_threshold_lets_at_most_its_share_through(rate: float, accepted: int) -> None:
    scores = np.linspace(0, 0.9, 10)
    threshold = threshold_at(scores, rate)
    assert (scores >= threshold).sum() == accepted
    with pytest.raises(ValueError):
        threshold_at(np.array([]), 0.1)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.floats(0, 1), st.floats(0, 1))
def test_a_laxer_rate_never_has_a_stricter_threshold(scores: list[float], a: float, b: float) -> None:
    values = np.array(scores)
    low, high = sorted((a, b))
    assert threshold_at(values, low) >= threshold_at(values, high)
    assert (values >= threshold_at(values, low)).mean() <= low + 1e-9 or low >= 1


@given(st.integers(0, 10_000), st.integers(3, 12), st.integers(1, 30))
def test_ranks_agree_with_scikit_learn_and_only_rise(seed: int, people: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    gallery = unit(*rng.normal(size=(people, 8)))
    who = rng.integers(0, people, count)
    probes = unit(*rng.normal(size=(count, 8)))
    found = identify(
        Templates(probes, who, 1000 + np.arange(count)), [Templates(gallery, np.arange(people), np.arange(people))]
    )
    rates = cmc(found, people)["rate"].to_numpy()
    assert (np.diff(rates) >= 0).all() and rates[-1] == 1
    scores = probes @ gallery.T
    for k in (1, 2, people - 1):
        assert rates[k - 1] == pytest.approx(top_k_accuracy_score(who, scores, k=k, labels=np.arange(people)))


def test_an_interval_of_a_share_resamples_people() -> None:
    people = np.repeat(np.arange(40), 5)
    hits = np.random.default_rng(0).random(200) < 0.8
    interval = share_interval(hits, people, resamples=500)
    assert interval is not None and interval[0] < hits.mean() < interval[1]
    whole = share_interval(np.repeat(np.arange(40) < 30, 5), people, resamples=500)
    assert whole is not None and whole[1] - whole[0] > interval[1] - interval[0], "five alike probes aren't five"
    assert share_interval(hits, people, resamples=0) is None
