"""The few highest of many scores, without sorting the rest. Plain numpy, no gallery."""

from __future__ import annotations

import numpy as np

_GROUP = 64
"""Scores that are looked at by their maximum alone, first."""

_GROUPS_FROM = 4_096
"""Scores from which on that is quicker than partitioning them."""


def best_positions(scores: np.ndarray, k: int) -> list[np.ndarray]:
    """For each row of `scores` (N, I) float32 the positions of its k highest, the highest first, equal ones by position.

    Fewer where I is smaller. k must be 1 or more; scores must be finite.
    """
    count = scores.shape[1]
    if k >= count:
        return [np.argsort(-row, kind="stable") for row in scores]
    if count >= _GROUPS_FROM and k <= count // (4 * _GROUP):
        return _by_groups(scores, k)
    least = np.partition(scores, count - k, axis=1)[:, count - k]
    return [_ranked(row, (row >= limit).nonzero()[0], k) for row, limit in zip(scores, least, strict=True)]


def _by_groups(scores: np.ndarray, k: int) -> list[np.ndarray]:
    """Group j holds the positions j, j + width, j + 2 width ...: the maxima of all groups are then taken along runs of
    memory. The k-th highest maximum can't be above the k-th highest score, so only groups that reach it are opened."""
    count = scores.shape[1]
    width = count // _GROUP
    whole = width * _GROUP
    highest = scores[:, :whole].reshape(len(scores), _GROUP, width).max(axis=1)  # (N, I) -> (N, width)
    rest = count - whole  # below _GROUP, and so below width
    np.maximum(highest[:, :rest], scores[:, whole:], out=highest[:, :rest])
    limits = np.partition(highest, width - k, axis=1)[:, width - k]
    steps = np.arange(0, count, width)
    found = []
    for row, maxima, limit in zip(scores, highest, limits, strict=True):
        members = ((maxima >= limit).nonzero()[0] + steps[:, None]).ravel()  # rising only within a step: see _ranked
        members = members[members < count]
        members = members[row[members] >= limit]
        members.sort()
        found.append(_ranked(row, members, k))
    return found


def _ranked(row: np.ndarray, positions: np.ndarray, k: int) -> np.ndarray:
    """The first k of rising `positions` by falling score, those that tie for the last place by position."""
    order = np.argsort(-row[positions], kind="stable")[:k]
    ranked: np.ndarray = positions[order]
    return ranked
