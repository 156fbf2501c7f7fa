"""Intervals by resampling people, not pairs: pairs that share a person aren't independent.

Each resample draws as many people as there are, with replacement. A pair of two people weighs the product of how often
each was drawn; a pair within one person weighs how often that person was drawn (a person drawn twice brings the same
genuine pairs twice, but no new ones between the copies).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.evaluation.verification import (
    FARS,
    Roc,
    area_under,
    equal_error_rate,
    fold_accuracies,
    percentile_interval,
    roc,
    tar_at_far,
)

Interval = tuple[float, float]

_BINS = 20_000


@dataclass(frozen=True)
class Figures:
    """What verification scores come to. Intervals are 95 %, None where they weren't asked for.

    `tar` maps a FAR to (TAR, interval); TAR is None where the impostor pairs are too few to tell.
    """

    genuine: int
    impostor: int
    eer: float
    eer_interval: Interval | None
    auc: float
    auc_interval: Interval | None
    tar: dict[float, tuple[float | None, Interval | None]]
    accuracy: float | None = None
    accuracy_std: float | None = None


def measure(
    scores: ArrayLike,
    same: ArrayLike,
    people: tuple[ArrayLike, ArrayLike],
    *,
    folds: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Figures:
    """All verification figures of scores (N,), with intervals by resampling people `resamples` times (0: none).

    `people` are the pairs' two identities as integers from 0, each (N,). `folds` adds the accuracy over folds.
    Beyond 200,000 pairs scores are counted in bins of 0.0001, which moves an EER by less than that.
    Raises ValueError without genuine and impostor pairs.
    """
    values = np.asarray(scores, dtype=np.float64)
    genuine = np.asarray(same, dtype=bool)
    first, second = (np.asarray(side, dtype=np.int64) for side in people)
    curve = roc(values, genuine)
    impostor = int((~genuine).sum())
    drawn = [
        (area_under(c), equal_error_rate(c), [tar_at_far(c, far, impostor) for far in FARS])
        for c in _resampled(values, genuine, first, second, resamples, seed)
    ]
    accuracies = fold_accuracies(values, genuine, folds) if folds is not None else np.array([])
    return Figures(
        genuine=int(genuine.sum()),
        impostor=impostor,
        eer=equal_error_rate(curve),
        eer_interval=percentile_interval([row[1] for row in drawn]) if drawn else None,
        auc=area_under(curve),
        auc_interval=percentile_interval([row[0] for row in drawn]) if drawn else None,
        tar={
            far: _with_interval(tar_at_far(curve, far, impostor), [row[2][i] for row in drawn])
            for i, far in enumerate(FARS)
        },
        accuracy=float(accuracies.mean()) if len(accuracies) else None,
        accuracy_std=float(accuracies.std(ddof=1)) if len(accuracies) else None,
    )


def _with_interval(value: float | None, drawn: list[float | None]) -> tuple[float | None, Interval | None]:
    known = [each for each in drawn if each is not None]
    return value, percentile_interval(known) if value is not None and known else None


def _resampled(
    values: NDArray[np.float64],
    genuine: NDArray[np.bool_],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    resamples: int,
    seed: int,
) -> Iterator[Roc]:
    """ROCs of resampled people. A draw without any genuine or impostor pair (tiny data) is left out."""
    rng = np.random.default_rng(seed)
    people = int(max(first.max(initial=-1), second.max(initial=-1))) + 1
    within = first == second
    binned = len(values) > 200_000
    place = np.clip(((values + 1) / 2 * _BINS).astype(np.int64), 0, _BINS - 1)
    centres = (np.arange(_BINS) + 0.5) / _BINS * 2 - 1
    for _ in range(resamples):
        counts = np.bincount(rng.integers(0, people, people), minlength=people).astype(np.float64)
        weights = np.where(within, counts[first], counts[first] * counts[second])
        if weights[genuine].sum() == 0 or weights[~genuine].sum() == 0:
            continue
        if binned:
            of_genuine = np.bincount(place[genuine], weights[genuine], _BINS)
            of_impostor = np.bincount(place[~genuine], weights[~genuine], _BINS)
            yield roc(
                np.r_[centres, centres],
                np.r_[np.ones(_BINS, bool), np.zeros(_BINS, bool)],
                np.r_[of_genuine, of_impostor],
            )
        else:
            yield roc(values, genuine, weights)
