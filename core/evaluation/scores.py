"""Cosine scores: of listed pairs, and of every pair of photographs, a person's row at a time.

Rows are unit vectors, so a score is a dot product in [-1, 1]. Ten thousand photographs make 50 million pairs: their
scores fit in memory (200 MB), the people of both sides don't always, so those are recomputed where they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]

_ROWS = 256
"""Rows of one matrix product."""


@dataclass(frozen=True)
class Side:
    """Photographs on one side of all pairs, sorted by person.

    `vectors` (N, 512) unit rows, `people` (N,) from 0, ascending, `photos` (N,) the number of each photograph.
    """

    vectors: Vectors
    people: Ints
    photos: Ints

    def only(self, keep: NDArray[np.bool_]) -> Side:
        return Side(self.vectors[keep], self.people[keep], self.photos[keep])

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True)
class PersonScores:
    """One person's photographs against all others: impostor scores with the other's `people`, and genuine scores."""

    person: int
    genuine: Vectors
    impostor: Vectors
    people: Ints


def side(vectors: Vectors, people: Ints) -> Side:
    """A Side from rows in any order; photographs are numbered by their row."""
    order = np.argsort(people, kind="stable")
    return Side(np.asarray(vectors, dtype=np.float32)[order], np.asarray(people, dtype=np.int64)[order], order)


def pair_scores(a: Vectors, b: Vectors) -> NDArray[np.float64]:
    """The cosine of each row of `a` (N, 512) with the same row of `b`, both of unit length."""
    result: NDArray[np.float64] = np.einsum("nd,nd->n", a, b, dtype=np.float64)
    return result


def every_pair(probe: Side, other: Side, *, ordered: bool) -> Iterator[PersonScores]:
    """The scores of every pair of different photographs, person by person of `probe`.

    With `ordered` both (i, j) and (j, i) are pairs, since the sides hold different versions of the photographs;
    without, the sides are the same and each pair comes once.
    """
    starts = np.searchsorted(other.people, np.arange(other.people.max(initial=-1) + 2))
    for block in _blocks(probe.people):
        first = 0 if ordered else block.start
        scores = probe.vectors[block] @ other.vectors[first:].T
        for person in np.unique(probe.people[block]):
            rows = slice(*np.searchsorted(probe.people, [person, person + 1]))
            own = slice(*starts[person : person + 2]) if person + 1 < len(starts) else slice(len(other), len(other))
            mine = scores[rows.start - block.start : rows.stop - block.start]
            a, b = probe.photos[rows, None], other.photos[None, own]
            genuine = mine[:, own.start - first : own.stop - first][(a != b) if ordered else (a < b)]
            before = mine[:, : own.start - first] if ordered else mine[:, :0]
            after = mine[:, own.stop - first :]
            others = np.r_[other.people[: own.start if ordered else 0], other.people[own.stop :]]
            impostor = np.concatenate([before, after], axis=1)
            yield PersonScores(int(person), genuine, impostor.ravel(), np.tile(others, len(mine)))


def sorted_scores(probe: Side, other: Side, *, ordered: bool) -> tuple[Vectors, Vectors]:
    """All genuine and all impostor scores, each ascending float32."""
    genuine_count, impostor_count = count_pairs(probe, other, ordered=ordered)
    genuine, impostor = np.empty(genuine_count, np.float32), np.empty(impostor_count, np.float32)
    g = i = 0
    for each in every_pair(probe, other, ordered=ordered):
        genuine[g : g + len(each.genuine)] = each.genuine
        impostor[i : i + len(each.impostor)] = each.impostor
        g, i = g + len(each.genuine), i + len(each.impostor)
    genuine.sort()
    impostor.sort()
    return genuine, impostor


def count_pairs(probe: Side, other: Side, *, ordered: bool) -> tuple[int, int]:
    """How many genuine and impostor pairs `every_pair` gives, without scores."""
    genuine = int(count_genuine(probe, other, ordered=ordered).sum())
    if ordered:
        in_both = len(np.intersect1d(probe.photos, other.photos))
        return genuine, len(probe) * len(other) - in_both - genuine
    return genuine, len(probe) * (len(probe) - 1) // 2 - genuine


def count_genuine(probe: Side, other: Side, *, ordered: bool) -> Ints:
    """How many genuine pairs each person has (P,)."""
    mine, theirs = count_photos(probe, other)
    if not ordered:
        return np.asarray(mine * (mine - 1) // 2)
    _, in_both, _ = np.intersect1d(probe.photos, other.photos, return_indices=True)
    return np.asarray(mine * theirs - np.bincount(probe.people[in_both], minlength=len(mine)))


def count_photos(probe: Side, other: Side) -> tuple[Ints, Ints]:
    """How many photographs each person has on either side, (P,) each."""
    people = int(max(probe.people.max(initial=-1), other.people.max(initial=-1))) + 1
    mine, theirs = (np.bincount(each.people, minlength=people) for each in (probe, other))
    return mine, theirs


def _blocks(people: Ints) -> Iterator[slice]:
    """Runs of whole persons, of about `_ROWS` rows or one person."""
    ends = np.r_[np.nonzero(np.diff(people))[0] + 1, len(people)] if len(people) else np.zeros(0, np.int64)
    start = 0
    for position, end in enumerate(ends):
        following = ends[position + 1] if position + 1 < len(ends) else None
        if following is None or following - start > _ROWS:
            yield slice(start, int(end))
            start = int(end)
