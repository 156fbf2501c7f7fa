"""Verification: are two faces one person? ROC, EER, AUC, TAR at FAR, accuracy over folds.

Everywhere a pair is accepted when its score >= the threshold. Genuine pairs show one person, impostor pairs two.
Rates are fractions in [0, 1]. Weights count a pair as so many; a weight of 2 equals the pair written twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

FARS = (1e-2, 1e-3, 1e-4)
"""The false-accept rates at which TAR is reported."""

_IMPOSTORS_FOR_FAR = 10
"""The least false accepts at a FAR for its TAR to be reported: 1 % needs 1,000 impostor pairs."""


_BEFORE_AND_AFTER: tuple[Literal["right"], Literal["left"]] = ("right", "left")


@dataclass(frozen=True)
class Roc:
    """Operating points from the strictest threshold (nothing accepted) to the laxest (all accepted).

    `thresholds[k]` accepts scores >= it and gives `far[k]` and `tar[k]`; the first is infinite. Both rates only rise.
    """

    thresholds: Floats
    far: Floats
    tar: Floats


def roc(scores: ArrayLike, same: ArrayLike, weights: ArrayLike | None = None) -> Roc:
    """The ROC of scores (N,) with `same` (N,) true for genuine pairs, one point for each distinct score.

    Raises ValueError without at least one genuine and one impostor pair of positive weight, or with scores that
    aren't finite.
    """
    values = np.asarray(scores, dtype=np.float64)
    genuine = np.asarray(same, dtype=bool)
    weight = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite")
    order = np.argsort(-values, kind="stable")
    values, genuine, weight = values[order], genuine[order], weight[order]
    last = group_ends(values)
    accepted_genuine = np.cumsum(weight * genuine)[last]
    accepted_impostor = np.cumsum(weight * ~genuine)[last]
    if not len(values) or accepted_genuine[-1] <= 0 or accepted_impostor[-1] <= 0:
        raise ValueError("a ROC needs genuine and impostor pairs")
    return Roc(
        thresholds=np.r_[np.inf, values[last]],
        far=np.r_[0.0, accepted_impostor / accepted_impostor[-1]],
        tar=np.r_[0.0, accepted_genuine / accepted_genuine[-1]],
    )


def roc_of_sorted(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> Roc:
    """The same ROC from ascending scores of both kinds (of one dtype), for millions of impostor pairs.

    Impostor scores between two genuine ones move the curve straight to the right; only the ends of such a line are
    kept, so that there are two points for each distinct genuine score, and EER, AUC and TAR are those of `roc`.
    Raises ValueError when either array is empty.
    """
    if not len(genuine) or not len(impostor):
        raise ValueError("a ROC needs genuine and impostor pairs")
    distinct = np.unique(genuine)[::-1]
    far, tar = (
        np.stack([len(kind) - np.searchsorted(kind, distinct, side=side) for side in _BEFORE_AND_AFTER], axis=1)
        / len(kind)
        for kind in (impostor, genuine)
    )  # (distinct, 2): without and with the pairs of each distinct genuine score
    thresholds = np.stack([np.nextafter(distinct, np.inf), distinct], axis=1).ravel()
    lowest = min(float(genuine[0]), float(impostor[0]))
    return Roc(
        thresholds=np.r_[np.inf, thresholds, lowest],
        far=np.r_[0.0, far.ravel(), 1.0],
        tar=np.r_[0.0, tar.ravel(), 1.0],
    )


def group_ends(values: Floats) -> NDArray[np.intp]:
    """The last position of every run of equal values in a sorted array."""
    return (
        np.r_[np.nonzero(np.diff(values))[0], len(values) - 1].astype(np.intp) if len(values) else np.zeros(0, np.intp)
    )


def equal_error_rate(curve: Roc) -> float:
    """Where FAR and FRR = 1 - TAR cross, by linear interpolation between the two neighbouring points."""
    difference = curve.far - (1 - curve.tar)
    after = int(np.argmax(difference >= 0))
    before = after - 1
    share = -difference[before] / (difference[after] - difference[before])
    return float(curve.far[before] + share * (curve.far[after] - curve.far[before]))


def area_under(curve: Roc) -> float:
    """AUC by trapezoids: the chance that a genuine pair scores above an impostor one, ties counted half."""
    return float(np.trapezoid(curve.tar, curve.far))


def enough_for(far: float, impostors: float) -> bool:
    """Whether there are enough impostor pairs to report a TAR at this FAR."""
    return impostors >= _IMPOSTORS_FOR_FAR / far


def tar_at_far(curve: Roc, far: float, impostors: float) -> float | None:
    """The highest TAR whose FAR is at most `far`; None where impostors < 10 / far."""
    if not enough_for(far, impostors):
        return None
    at_most = far * (1 + 1e-9)  # sums of weights are rounded
    return float(curve.tar[int(np.searchsorted(curve.far, at_most, side="right")) - 1])


def best_threshold(scores: Floats, same: NDArray[np.bool_], weights: Floats | None = None) -> float:
    """The threshold with the most right decisions, the strictest of several.

    It lies halfway between the neighbouring scores, so that it isn't any pair's own. Raises ValueError without a pair
    of positive weight.
    """
    order = np.argsort(-scores, kind="stable")
    weight = np.ones(len(scores)) if weights is None else weights
    counted = order[weight[order] > 0]
    if not len(counted):
        raise ValueError("a threshold needs pairs")
    values = scores[counted]
    ends = group_ends(values)
    gain = np.cumsum(np.where(same[counted], weight[counted], -weight[counted]))[ends]
    more_right = np.r_[0.0, gain]  # than by accepting nothing, when the first k distinct scores are accepted
    best = int(np.argmax(more_right > more_right.max() - 1e-9))
    if best == 0:
        return float(np.nextafter(values[0], np.inf))
    weakest = values[ends[best - 1]]
    return float(weakest if best == len(ends) else (weakest + values[ends[best]]) / 2)


def fold_accuracies(scores: ArrayLike, same: ArrayLike, folds: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Accuracy on each fold with the threshold that is best on the others: LFW's protocol. Empty with one fold.

    A fold is left out when its weights, or those of all others, are 0.
    """
    values = np.asarray(scores, dtype=np.float64)
    genuine = np.asarray(same, dtype=bool)
    fold = np.asarray(folds)
    weight = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    names = np.unique(fold)
    if len(names) < 2:
        return np.array([])
    accuracies = []
    for name in names:
        here = fold == name
        if weight[here].sum() == 0 or weight[~here].sum() == 0:
            continue
        threshold = best_threshold(values[~here], genuine[~here], weight[~here])
        right = (values[here] >= threshold) == genuine[here]
        accuracies.append(float(weight[here] @ right / weight[here].sum()))
    return np.array(accuracies)
