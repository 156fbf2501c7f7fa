"""Error against reject: errors among the remaining images when those of the lowest quality are rejected.

The curve goes by images, as a camera would reject them: at a share of 10 % the tenth of images with the lowest
quality is removed, with every pair that holds one. Errors fall with an informative measure and stay with a random one.
The false-reject rate is measured at one threshold, chosen before anything is rejected (ISO/IEC 29794-1's
curve), the equal error rate at the threshold that each remainder has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.dataset.degrade import seed_for
from core.evaluation.scores import Ints, Vectors
from core.evaluation.verification import equal_error_rate, roc, tar_at_far

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
FAR = 1e-3

_MOST_IMPOSTORS = 1_000_000
_SAMPLE = "reject"
_ROWS = 512


def sample_people(identities: Sequence[str], most: int, seed: int = 0) -> NDArray[np.bool_]:
    """Which of the pictures (N,) belong to a sample of whole people with together at most about `most` pictures: those
    with several pictures, in an order drawn from `seed` and the name, so that others' pictures change nothing."""
    counts = Counter(identities)
    several = sorted(
        (name for name in counts if counts[name] > 1), key=lambda name: (seed_for(seed, _SAMPLE, name), name)
    )
    taken: set[str] = set()
    total = 0
    for name in several:
        if len(taken) > 1 and total + counts[name] > most:
            continue
        taken.add(name)
        total += counts[name]
    return np.array([name in taken for name in identities], dtype=bool)


def sample_pairs(
    people: Ints, *, ordered: bool, most_impostors: int = _MOST_IMPOSTORS, seed: int = 0
) -> tuple[Ints, Ints]:
    """Positions (a, b) of every genuine pair, and of impostor pairs: all, or `most_impostors` drawn with repetition.

    With `ordered` every pair comes both ways round: with either picture as the probe.
    """
    order = np.argsort(people, kind="stable")
    starts = np.r_[0, np.nonzero(np.diff(people[order]))[0] + 1, len(people)]
    first: list[NDArray[np.int64]] = []
    second: list[NDArray[np.int64]] = []
    for low, high in pairwise(starts):
        i, j = np.triu_indices(high - low, 1)
        first.append(order[low + i])
        second.append(order[low + j])
    a, b = np.concatenate(first), np.concatenate(second)
    if ordered:
        a, b = np.r_[a, b], np.r_[b, a]
    count = len(people)
    everything = count * (count - 1) if ordered else count * (count - 1) // 2
    if everything <= most_impostors:
        i, j = np.triu_indices(count, 1)
        if ordered:
            i, j = np.r_[i, j], np.r_[j, i]
    else:
        rng = np.random.default_rng(seed)
        i, j = rng.integers(0, count, most_impostors), rng.integers(0, count, most_impostors)
    apart = people[i] != people[j]
    return np.r_[a, i[apart]].astype(np.int64), np.r_[b, j[apart]].astype(np.int64)


def scores_of(probe: Vectors, other: Vectors, a: Ints, b: Ints) -> NDArray[np.float64]:
    """The cosine of each pair of rows `probe[a]`, `other[b]`: whole rows of products are made at a time, which is far
    quicker for many pairs than fetching both vectors of each."""
    scores = np.empty(len(a), dtype=np.float64)
    order = np.argsort(a, kind="stable")
    ends = np.searchsorted(a[order], np.arange(0, len(probe) + _ROWS, _ROWS))
    for block, (low, high) in enumerate(pairwise(ends)):
        some = order[low:high]
        if len(some):
            products = probe[block * _ROWS : (block + 1) * _ROWS] @ other.T
            scores[some] = products[a[some] - block * _ROWS, b[some]]
    return scores


def reject_curve(
    probe: Vectors,
    other: Vectors,
    people: Ints,
    quality: NDArray[np.floating],
    *,
    ordered: bool,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
) -> pd.DataFrame:
    """Errors by the share of images rejected: columns rejected, images, genuine, impostor, eer, frr (at the threshold
    that had FAR 0.1 % before any was rejected; None with too few pairs).

    Rows (N, D) of `probe` are rejected by `quality` (N,), lowest first, NaN before all; `other` are the same people's
    other sides, HR where `ordered` (those aren't rejected), the same rows where not. Shares that leave no pair of a
    kind are left out; no row at all without genuine and impostor pairs.
    """
    a, b = sample_pairs(people, ordered=ordered, seed=seed)
    scores = scores_of(probe, other, a, b)
    same = people[a] == people[b]
    if not same.any() or same.all():
        return pd.DataFrame(columns=["rejected", "images", "genuine", "impostor", "eer", "frr"])
    curve = roc(scores, same)
    usable = tar_at_far(curve, FAR, int((~same).sum())) is not None
    threshold = float(curve.thresholds[int(np.searchsorted(curve.far, FAR, side="right")) - 1])
    quality_rank = np.argsort(np.argsort(np.where(np.isnan(quality), -np.inf, quality), kind="stable"), kind="stable")
    rows = []
    for share in shares:
        keep = quality_rank >= round(share * len(people))
        there = keep[a] if ordered else keep[a] & keep[b]
        left, kept = scores[there], same[there]
        if not kept.any() or kept.all():
            continue
        rows.append(
            {
                "rejected": share,
                "images": int(keep.sum()),
                "genuine": int(kept.sum()),
                "impostor": int((~kept).sum()),
                "eer": equal_error_rate(roc(left, kept)),
                "frr": float((left[kept] < threshold).mean()) if usable else None,
            }
        )
    return pd.DataFrame(rows)
