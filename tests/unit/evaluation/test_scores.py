"""All pairs: every pair once (or in both orders), in the right kind, whatever the people's order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation import scores as module
from core.evaluation.scores import Side, count_pairs, every_pair, pair_scores, side, sorted_scores

PEOPLE = st.lists(st.integers(0, 6), min_size=1, max_size=24)


def unit_rows(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 512)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_hand(probe: Side, other: Side, *, ordered: bool) -> tuple[Counter, Counter]:
    """(genuine, impostor) as Counters of (rounded score, both people)."""
    genuine, impostor = Counter(), Counter()
    for a, person_a, photo_a in zip(probe.vectors, probe.people, probe.photos, strict=True):
        for b, person_b, photo_b in zip(other.vectors, other.people, other.photos, strict=True):
            if photo_a == photo_b:
                continue
            if not ordered and (person_a, photo_a) > (person_b, photo_b):
                continue
            kind = genuine if person_a == person_b else impostor
            kind[round(float(a @ b), 4), int(person_a), int(person_b)] += 1
    return genuine, impostor


def as_counters(probe: Side, other: Side, *, ordered: bool) -> tuple[Counter, Counter]:
    genuine, impostor = Counter(), Counter()
    for each in every_pair(probe, other, ordered=ordered):
        genuine.update((round(float(score), 4), each.person, each.person) for score in each.genuine)
        impostor.update(
            (round(float(score), 4), each.person, int(person))
            for score, person in zip(each.impostor, each.people, strict=True)
        )
    return genuine, impostor


@given(PEOPLE, st.integers(1, 9))
def test_every_pair_of_one_side_comes_once(people: list[int], rows: int) -> None:
    module._ROWS, before = rows, module._ROWS  # blocks of a few rows, so that people fall into several
    try:
        one = side(unit_rows(len(people)), np.array(people))
        assert as_counters(one, one, ordered=False) == by_hand(one, one, ordered=False)
    finally:
        module._ROWS = before


@given(PEOPLE, st.data(), st.integers(1, 9))
def test_two_sides_pair_in_both_orders(people: list[int], data: st.DataObject, rows: int) -> None:
    module._ROWS, before = rows, module._ROWS
    try:
        keep = [
            np.array(data.draw(st.lists(st.booleans(), min_size=len(people), max_size=len(people)))) for _ in range(2)
        ]
        left, right = side(unit_rows(len(people)), np.array(people)), side(unit_rows(len(people), 1), np.array(people))
        left, right = left.only(keep[0]), right.only(keep[1])
        assert as_counters(left, right, ordered=True) == by_hand(left, right, ordered=True)
        assert count_pairs(left, right, ordered=True) == tuple(
            sum(counter.values()) for counter in by_hand(left, right, ordered=True)
        )
    finally:
        module._ROWS = before


@given(PEOPLE)
def test_counts_need_no_scores(people: list[int]) -> None:
    one = side(unit_rows(len(people)), np.array(people))
    genuine, impostor = count_pairs(one, one, ordered=False)
    together = Counter(people)
    assert genuine == sum(n * (n - 1) // 2 for n in together.values())
    assert genuine + impostor == len(people) * (len(people) - 1) // 2
    assert count_pairs(one, one, ordered=True) == (2 * genuine, 2 * impostor)


def test_sorted_scores_are_all_of_them() -> None:
    people = np.array([2, 0, 0, 1, 2, 2, 0])
    one = side(unit_rows(7), people)
    genuine, impostor = sorted_scores(one, one, ordered=False)
    rows = unit_rows(7)
    expected = {True: [], False: []}
    for i in range(7):
        for j in range(i):
            expected[bool(people[i] == people[j])].append(float(rows[i] @ rows[j]))
    np.testing.assert_allclose(genuine, sorted(expected[True]), atol=1e-6)
    np.testing.assert_allclose(impostor, sorted(expected[False]), atol=1e-6)
    assert genuine.dtype == impostor.dtype == np.float32


def test_a_side_is_sorted_by_person_and_remembers_the_photographs() -> None:
    rows = unit_rows(4)
    one = side(rows, np.array([1, 0, 1, 0]))
    assert list(one.people) == [0, 0, 1, 1]
    assert list(one.photos) == [1, 3, 0, 2]
    np.testing.assert_array_equal(one.vectors, rows[[1, 3, 0, 2]])


def test_listed_pairs_score_their_cosine() -> None:
    a, b = unit_rows(5), unit_rows(5, 1)
    expected = [float(np.dot(x, y)) for x, y in zip(a.astype(float), b.astype(float), strict=True)]
    assert pair_scores(a, b) == pytest.approx(expected)
