"""Top-k selection and threshold comparison in plain numpy."""

from __future__ import annotations

import numpy as np

_FEW = 16
"""So many are picked out one after the other; more by partitioning."""

_GROUP = 64
_GROUPS_FROM = 4_096
"""Scores from which on they are first looked at by the maxima of groups."""


def reaches(scores: np.ndarray, threshold: float) -> np.ndarray:
    """score >= threshold, compared as float64, bool as `scores` are. numpy rounds a Python float to float32 before it
    compares it with an array of those, and would accept scores just below the threshold."""
    reached: np.ndarray = scores >= np.float64(threshold)
    return reached


def top_k(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (positions (N, k) int64, scores (N, k)) of the k highest in each row of `scores` (N, I) float32, best
    first.

    Equal scores are ordered by position; fewer columns where I is smaller. Overwrites `scores`. k must be 1 or more;
    scores must be finite.
    """
    rows, count = scores.shape
    k = min(k, count)
    if count >= _GROUPS_FROM and k <= count // (4 * _GROUP):
        return _by_groups(scores, k)
    if k > _FEW or not rows:
        positions = np.empty((rows, k), np.int64)
        for number, row in enumerate(scores):
            least = np.partition(row, count - k)[count - k]
            positions[number] = _ranked(row, (row >= least).nonzero()[0], k)
        return positions, np.take_along_axis(scores, positions, axis=1)
    return _one_by_one(scores[0], k) if rows == 1 else _round_by_round(scores, k)


def _one_by_one(row: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    positions, values = [], []
    for _ in range(k):
        position = int(row.argmax())  # of equal ones the first
        positions.append(position)
        values.append(row[position])
        row[position] = -np.inf
    return np.array([positions]), np.array([values], row.dtype)


def _round_by_round(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    each = np.arange(len(scores))
    positions, values = np.empty((len(scores), k), np.int64), np.empty((len(scores), k), scores.dtype)
    for place in range(k):
        positions[:, place] = at = scores.argmax(axis=1)
        values[:, place] = scores[each, at]
        scores[each, at] = -np.inf
    return positions, values


def _by_groups(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Group j holds the positions j, j + width, j + 2 width ...: the maxima of all groups are then taken along runs of
    memory. The k-th highest maximum can't be above the k-th highest score, so only groups that reach it are opened."""
    count = scores.shape[1]
    width = count // _GROUP
    whole = width * _GROUP
    highest = scores[:, :whole].reshape(len(scores), _GROUP, width).max(axis=1)  # (N, I) -> (N, width)
    rest = count - whole  # below _GROUP, and so below width
    np.maximum(highest[:, :rest], scores[:, whole:], out=highest[:, :rest])
    limits = np.partition(highest, width - k, axis=1)[:, width - k]
    steps = np.arange(0, count, width)[:, None]
    positions = np.empty((len(scores), k), np.int64)
    for number, (row, maxima, limit) in enumerate(zip(scores, highest, limits, strict=True)):
        members = ((maxima >= limit).nonzero()[0] + steps).ravel()  # rising: every step ends before the next begins
        members = members[: np.searchsorted(members, count)]
        positions[number] = _ranked(row, members[row[members] >= limit], k)
    return positions, np.take_along_axis(scores, positions, axis=1)


def _ranked(row: np.ndarray, positions: np.ndarray, k: int) -> np.ndarray:
    """The first k of rising `positions` by falling score, those that tie for the last place by position."""
    ranked: np.ndarray = positions[np.argsort(-row[positions], kind="stable")[:k]]
    return ranked
