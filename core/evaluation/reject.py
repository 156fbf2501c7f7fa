"""Error against reject: errors among the remaining images when those of the lowest quality are rejected.

The curve goes by images, as a camera would reject them: at a share of 10 % the tenth of images with the lowest
quality is removed, with every pair that holds one. Errors fall with an informative measure and stay with a random one.
The false-reject rate is measured at one threshold, chosen before anything is rejected (ISO/IEC 29794-1's
curve), the equal error rate at the threshold that each remainder has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.dataset.degrade import seed_for
from core.evaluation.scores import Ints, Vectors
from core.evaluation.verification import equal_error_rate, roc_of_sorted, tar_at_far

MEASURES = {
    "recognisability": "recognisability",
    "mirror agreement": "mirror_agreement",
    "sharpness": "sharpness",
    "detection score": "detection_score",
    "norm": "norm",
}
"""Measures that images are rejected by, the first the one to go by, with their names in `vector_cache.QUALITY`."""

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
FAR = 1e-3

_COLUMNS = ("measure", "rejected", "images", "genuine", "impostor", "eer", "frr")
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


def reject_curves(
    probe: Vectors,
    other: Vectors,
    people: Ints,
    measures: Mapping[str, NDArray[np.floating]],
    *,
    ordered: bool,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
) -> pd.DataFrame:
    """Errors by the share of images rejected: columns measure, rejected, images, genuine, impostor, eer, frr (at the
    threshold that had FAR 0.1 % before any was rejected; None with too few pairs).

    Rows (N, D) of `probe` are rejected by each of `measures` (N,), lowest first, NaN before all; a measure that is
    known of none is left out. `other` are the same people's other sides, HR where `ordered` (those aren't rejected),
    the same rows where not. Shares that leave no pair of a kind are left out; no row at all without genuine and
    impostor pairs.
    """
    a, b = sample_pairs(people, ordered=ordered, seed=seed)
    scores = scores_of(probe, other, a, b)
    order = np.argsort(scores, kind="stable")  # what is left of sorted scores is sorted
    a, b, scores = a[order], b[order], scores[order]
    same = people[a] == people[b]
    if not same.any() or same.all():
        return pd.DataFrame(columns=list(_COLUMNS))
    curve = roc_of_sorted(scores[same], scores[~same])
    usable = tar_at_far(curve, FAR, int((~same).sum())) is not None
    threshold = float(curve.thresholds[int(np.searchsorted(curve.far, FAR, side="right")) - 1])
    rows = []
    for measure, values in measures.items():
        if np.isnan(values).all():
            continue
        rank = np.argsort(np.argsort(np.where(np.isnan(values), -np.inf, values), kind="stable"), kind="stable")
        for share in shares:
            keep = rank >= round(share * len(people))
            there = keep[a] if ordered else keep[a] & keep[b]
            genuine, impostor = scores[there & same], scores[there & ~same]
            if not len(genuine) or not len(impostor):
                continue
            eer = equal_error_rate(roc_of_sorted(genuine, impostor))
            frr = float((genuine < threshold).mean()) if usable else None
            row = (measure, share, int(keep.sum()), len(genuine), len(impostor), eer, frr)
            rows.append(dict(zip(_COLUMNS, row, strict=True)))
    return pd.DataFrame(rows, columns=list(_COLUMNS))
