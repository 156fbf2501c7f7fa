"""Intervals by resampling people, not pairs: pairs that share a person aren't independent.

Each resample draws as many people as there are, with replacement. A pair of two people weighs the product of how often
each was drawn; a pair within one person weighs how often that person was drawn (a person drawn twice brings the same
genuine pairs twice, but no new ones between the copies, which would be pairs of a photograph with itself).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from core.evaluation.people_alike import PairWeights
from core.evaluation.scores import Ints, Side, every_pair
from core.evaluation.verification import FARS, Floats, group_ends

Counts = NDArray[np.float32]
Sums = NDArray[np.floating[Any]]

_CELLS = 600_000
"""Pairs times resamples that are worked on at once."""

_COLUMNS = 128
"""Resamples at once over all pairs: their counts stay in the processor's cache."""


@dataclass(frozen=True)
class Draws:
    """Figures of every resample, one value each: (R,); `tar` (FARs, R); `accuracy` is empty without folds.

    Resamples without any genuine or impostor pair (tiny data) are left out. `mated` (P,) is how much each person's
    genuine pairs count, before any is drawn: their number, or 1 where people count alike.
    """

    mated: Floats
    eer: Floats
    auc: Floats
    tar: Floats
    accuracy: Floats


def draw_people(people: int, resamples: int, seed: int) -> Counts:
    """How often each person is drawn, (people, resamples); every column sums to `people`."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(people, np.full(people, 1 / people), size=resamples).T.astype(np.float32)


def pair_weights(counts: Counts, first: Ints, second: Ints) -> Counts:
    """The weight of every pair (N,) of people in every resample: (N, resamples)."""
    within = (first == second)[:, None]
    return np.where(within, counts[first], counts[first] * counts[second])


def resample_pairs(
    scores: Floats, same: NDArray[np.bool_], first: Ints, second: Ints, counts: Counts, folds: Ints | None = None
) -> Draws:
    """Exact figures of listed pairs (N,) in every resample."""
    order = np.argsort(-scores, kind="stable")
    scores, same, first, second = scores[order], same[order], first[order], second[order]
    folds = None if folds is None else folds[order]
    ends = group_ends(scores)
    mated = np.bincount(first[same]).astype(np.float64)
    step = max(1, _CELLS // max(1, len(scores)))
    parts: list[Draws] = []
    sign = np.where(same, np.float32(1), np.float32(-1))[:, None]
    for start in range(0, counts.shape[1], step):
        drawn = np.ascontiguousarray(counts[:, start : start + step])
        weights = _exactly(pair_weights(drawn, first, second))
        count, gain = np.cumsum(weights, axis=0), np.cumsum(weights * sign, axis=0)
        if not (usable := count[-1] > np.abs(gain[-1])).all():
            weights, count, gain = weights[:, usable], count[:, usable], gain[:, usable]
        if len(ends) < len(scores):
            count, gain = count[ends], gain[ends]
        accuracy = np.array([]) if folds is None else _accuracies(scores, sign, folds, weights, gain, count)
        parts.append(_draws((count + gain) / 2, (count - gain) / 2, accuracy, mated, interpolate=False))
    return Draws(
        mated=mated,
        eer=np.concatenate([part.eer for part in parts]),
        auc=np.concatenate([part.auc for part in parts]),
        tar=np.concatenate([part.tar for part in parts], axis=1),
        accuracy=np.concatenate([part.accuracy for part in parts]),
    )


def resample_all_pairs(
    probe: Side,
    other: Side,
    counts: Counts,
    impostor: NDArray[np.float32],
    weights: Sequence[PairWeights],
    *,
    ordered: bool,
) -> list[Draws]:
    """Figures of every pair in every resample, for each of the `weights`, from scores counted in some 400 bins.

    The bins are ranks of the sorted `impostor` scores, each rank 4 % above the last, so that low FARs are as finely
    divided as high ones; within a bin TAR is interpolated. A pair is counted once for all resamples: with N[b, q] the
    person's pairs with person q in bin b, a resample's weight of bin b is count(person) * sum over q N[b, q] count(q).
    Weights of pairs multiply the counts.
    """
    edges = _edges(impostor)
    sums = [_BinSums(each, counts, len(edges) + 1) for each in weights]
    for each in every_pair(probe, other, ordered=ordered):
        genuine = np.bincount(np.searchsorted(edges, each.genuine, side="right"), minlength=len(edges) + 1)
        place = np.searchsorted(edges, each.impostor, side="right")
        ones = np.ones(len(place), np.float32)
        table = csr_array((ones, (place, each.people)), shape=(len(edges) + 1, len(counts)))
        for one in sums:
            one.add(each.person, genuine, table)
    return [one.draws() for one in sums]


class _BinSums:
    """The weights of genuine and impostor pairs in every bin (bins, R), as people's pairs are added."""

    def __init__(self, weights: PairWeights, counts: Counts, bins: int) -> None:
        self._genuine, self._impostor = np.zeros((bins, counts.shape[1])), np.zeros((bins, counts.shape[1]))
        self._mated = np.zeros(len(counts))
        self._own = [np.asarray(each[:, None] * counts, np.float32) for each in (weights.genuine, weights.probe)]
        theirs = np.asarray(weights.other[:, None] * counts, np.float32)
        self._weights = weights
        self._blocks = [np.ascontiguousarray(theirs[:, i : i + _COLUMNS]) for i in range(0, counts.shape[1], _COLUMNS)]

    def add(self, person: int, genuine: Ints, table: csr_array) -> None:
        """Add a person's genuine pairs by bin, and impostor pairs by bin and other person."""
        hit = np.nonzero(genuine)[0]
        self._mated[person] += genuine.sum() * self._weights.genuine[person]
        self._genuine[hit] += genuine[hit, None] * self._own[0][person]
        for i, block in enumerate(self._blocks):
            columns = slice(i * _COLUMNS, i * _COLUMNS + block.shape[1])
            self._impostor[:, columns] += (table @ block) * self._own[1][person, columns]

    def draws(self) -> Draws:
        usable = (self._genuine.sum(axis=0) > 0) & (self._impostor.sum(axis=0) > 0)
        genuine, impostor = (np.cumsum(each[::-1, usable], axis=0) for each in (self._genuine, self._impostor))
        return _draws(genuine, impostor, np.array([]), self._mated, interpolate=True)


def _edges(impostor: NDArray[np.float32]) -> NDArray[np.float32]:
    """Ascending scores between bins: the impostor scores at ranks 1, 2, ... from the top, 4 % apart further down."""
    ranks = np.unique(np.geomspace(1, len(impostor), max(2, round(25 * np.log(len(impostor) + 1)))).astype(np.int64))
    edges: NDArray[np.float32] = np.unique(impostor[len(impostor) - ranks])
    return edges


def _draws(genuine: Sums, impostor: Sums, accuracy: Floats, mated: Floats, *, interpolate: bool) -> Draws:
    """Figures of every column of accepted weights (steps, R), from the strictest threshold to the laxest."""
    tar = np.vstack([np.zeros(genuine.shape[1]), genuine / genuine[-1].astype(np.float64)])
    far = np.vstack([np.zeros(impostor.shape[1]), impostor / impostor[-1].astype(np.float64)])
    difference = far + tar - 1
    after = np.argmax(difference >= 0, axis=0)[None]
    low, high = (np.take_along_axis(difference, at, axis=0) for at in (after - 1, after))
    far_low, far_high = (np.take_along_axis(far, at, axis=0) for at in (after - 1, after))
    return Draws(
        mated=mated,
        eer=(far_low - low / (high - low) * (far_high - far_low))[0],
        auc=np.trapezoid(tar, far, axis=0),
        tar=np.stack([_tar_at(far, tar, level, interpolate=interpolate) for level in FARS]),
        accuracy=accuracy,
    )


def _tar_at(far: Floats, tar: Floats, level: float, *, interpolate: bool) -> Floats:
    """Each column's TAR at the last step whose FAR is at most `level`, or between it and the next one."""
    at = (far <= level).sum(axis=0)[None] - 1
    after = np.minimum(at + 1, len(far) - 1)
    far_at, far_after = (np.take_along_axis(far, row, axis=0)[0] for row in (at, after))
    tar_at, tar_after = (np.take_along_axis(tar, row, axis=0)[0] for row in (at, after))
    result: Floats = tar_at
    if not interpolate:
        return result
    width = far_after - far_at
    share = np.divide(level - far_at, width, out=np.zeros_like(width), where=width > 0)
    result += share * (tar_after - tar_at)
    return result


def _exactly(weights: Counts) -> Sums:
    """Whole numbers, whose sums float32 holds exactly up to 2^24; beyond it float64."""
    return weights if weights.sum(axis=0, dtype=np.float64).max(initial=0) < 2**24 else weights.astype(np.float64)


def _accuracies(
    scores: Floats,
    sign: Counts,
    folds: Ints,
    weights: Sums,
    gain: Sums,
    count: Sums,
) -> Floats:
    """Each resample's mean accuracy over folds (`fold_accuracies`, all resamples at once); resamples that leave one
    fold alone are left out. `scores` (N,) descend, `sign` (N, 1) is 1 for genuine pairs and -1 for impostors, `weights`
    (N, R); `gain` and `count` (groups, R) are the sums of signed weights, and of weights, of the first groups of equal
    scores."""
    names = np.unique(folds)
    if len(names) < 2:
        return np.array([])
    values, ends = scores[group_ends(scores)], group_ends(scores)
    total, used = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    for name in names:
        here = folds == name
        own = weights[here]
        of_fold = own.sum(axis=0)
        usable = (of_fold > 0) & (count[-1] - of_fold > 0)
        before = np.cumsum(here)[ends]  # how many of the fold's pairs are among the first groups
        others = gain - _sums(own * sign[here])[before]
        thresholds = _best_thresholds(values, others, count, _sums(own), before)
        right = (scores[here, None] >= thresholds) == (sign[here] > 0)
        share = (own * right).sum(axis=0, dtype=np.float64) / np.where(of_fold > 0, of_fold, 1)
        total += np.where(usable, share, 0)
        used += usable
    there = used > 0
    return np.asarray(total[there] / used[there])


def _sums(rows: Sums) -> Sums:
    """The sums of the first 0, 1, ... rows."""
    return np.vstack([np.zeros((1, rows.shape[1]), rows.dtype), np.cumsum(rows, axis=0)])


def _best_thresholds(values: Floats, gain: Sums, count: Sums, own: Sums, before: Ints) -> Floats:
    """`best_threshold` of every resample (R,): from the gain over accepting nothing when the first k groups of equal
    scores, `values`, are accepted. The weight of the pairs that count is `count` less the fold's `own[before]`, of
    which only those rows are looked up that matter."""
    columns = np.arange(gain.shape[1])

    def counted(group: Ints) -> Floats:
        return np.asarray(count[group, columns] - own[before[group], columns])

    at = np.argmax(gain, axis=0)
    following, last = at, len(values) - 1
    while (stays := (following < last) & (counted(following) <= counted(at))).any():
        following = following + stays
    weakest = values[at]
    halfway = np.where(counted(following) > counted(at), (weakest + values[following]) / 2, weakest)
    nothing = gain[at, columns] <= 0
    result: Floats = halfway
    if nothing.any():
        first = values[np.argmax(count - own[before] > 0, axis=0)]
        result = np.where(nothing, np.nextafter(first, np.inf), halfway)
    return result
