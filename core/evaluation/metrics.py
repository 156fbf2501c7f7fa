"""Verification figures from scores, with 95 % intervals over resampled people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.evaluation.bootstrap import Draws, draw_people, resample_all_pairs, resample_pairs
from core.evaluation.intervals import Interval, alike_people, resampled_interval
from core.evaluation.people_alike import equal_pairs, people_alike, weighted_roc
from core.evaluation.scores import Side, count_pairs, every_pair, sorted_scores
from core.evaluation.verification import (
    FARS,
    Floats,
    Roc,
    area_under,
    equal_error_rate,
    fold_accuracies,
    roc,
    roc_of_sorted,
    tar_at_far,
)
from core.gallery.top_k import reaches

REJECTED = -2.0
"""The score of a pair with a failure to acquire, where it counts as rejected: below every cosine."""
_NO_FOLDS: Floats = np.array([])


@dataclass(frozen=True)
class Figures:
    """Rates as fractions. Intervals are 95 %, None where they weren't asked for; where no resample differs, the people
    with genuine pairs are the trials.

    `tar` maps a FAR to (TAR, interval); TAR is None where the impostor pairs are too few. `accuracy` is the
    mean over folds and `accuracy_se` its standard error over folds (their standard deviation, n - 1 below, over
    the root of their number: LFW's), None without folds.
    """

    genuine: int
    impostor: int
    eer: float
    eer_interval: Interval | None
    auc: float
    auc_interval: Interval | None
    tar: dict[float, tuple[float | None, Interval | None]]
    accuracy: float | None = None
    accuracy_interval: Interval | None = None
    accuracy_se: float | None = None


def measure(
    scores: ArrayLike,
    same: ArrayLike,
    people: tuple[ArrayLike, ArrayLike],
    *,
    folds: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Figures:
    """All figures of listed pairs with scores (N,), with intervals by resampling people `resamples` times (0: none).

    `people` are the pairs' two identities as integers from 0, each (N,). `folds` adds the accuracy over folds.
    Raises ValueError without genuine and impostor pairs.
    """
    values = np.asarray(scores, dtype=np.float64)
    genuine = np.asarray(same, dtype=bool)
    first, second = (np.asarray(one, dtype=np.int64) for one in people)
    fold = None if folds is None else np.asarray(folds, dtype=np.int64)
    curve = roc(values, genuine)
    draws = None
    if resamples:
        present, codes = np.unique(np.r_[first, second], return_inverse=True)
        counts = draw_people(len(present), resamples, seed)
        draws = resample_pairs(values, genuine, codes[: len(first)], codes[len(first) :], counts, fold)
    accuracies = fold_accuracies(values, genuine, fold) if fold is not None else _NO_FOLDS
    return _figures(curve, int(genuine.sum()), int((~genuine).sum()), draws, accuracies)


class AllPairs(NamedTuple):
    """Figures of every pair of two sides.

    `plain`: every pair counts once. `with_failures`: so, and pairs with a failure to acquire count as rejected at every
    threshold. `alike`: people count once and pairs of two people count once, which `genuine` and `impostor` number
    (see people_alike).
    """

    plain: Figures
    with_failures: Figures
    alike: Figures


def measure_all_pairs(
    probe: Side,
    other: Side,
    *,
    ordered: bool,
    everyone: Side | None = None,
    resamples: int = 1000,
    seed: int = 0,
    scores: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
) -> AllPairs:
    """All figures of every pair of two sides (see `every_pair`), intervals by resampling people.

    `everyone` are the photographs before those with a failure to acquire were left out; None: all were acquired.
    `scores`: what `sorted_scores` gave for these sides, where it is known. Raises ValueError without genuine and
    impostor pairs.
    """
    genuine, impostor = sorted_scores(probe, other, ordered=ordered) if scores is None else scores
    curve = roc_of_sorted(genuine, impostor)
    weights = people_alike(probe, other, ordered=ordered)
    people = len(weights.genuine)
    draws: list[Draws] | list[None] = [None, None]
    if resamples:
        counts = draw_people(people, resamples, seed)
        draws = resample_all_pairs(probe, other, counts, impostor, (equal_pairs(people), weights), ordered=ordered)
    plain = with_failures = _figures(curve, len(genuine), len(impostor), draws[0])
    failed = (0, 0) if everyone is None else failed_pairs(everyone, probe, other, ordered=ordered)
    if any(failed):
        curve = roc_of_sorted(_with_failed(genuine, failed[0]), _with_failed(impostor, failed[1]))
        with_failures = _figures(curve, len(genuine) + failed[0], len(impostor) + failed[1])
    two_people, worth = weights.impostor_pairs(ordered=ordered)
    curve = weighted_roc(probe, other, genuine, weights, ordered=ordered)
    alike = _figures(curve, int(np.count_nonzero(weights.genuine)), two_people, draws[1], worth=worth)
    return AllPairs(plain, with_failures, alike)


def failed_pairs(everyone: Side, probe: Side, other: Side, *, ordered: bool) -> tuple[int, int]:
    """How many genuine and impostor pairs of `everyone` are missing between the acquired sides."""
    of_all, of_acquired = count_pairs(everyone, everyone, ordered=ordered), count_pairs(probe, other, ordered=ordered)
    return of_all[0] - of_acquired[0], of_all[1] - of_acquired[1]


def _with_failed(ascending: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    return np.concatenate([np.full(count, REJECTED, np.float32), ascending]) if count else ascending


def _figures(
    curve: Roc,
    genuine: int,
    impostor: int,
    draws: Draws | None = None,
    accuracies: Floats = _NO_FOLDS,
    *,
    worth: float | None = None,
) -> Figures:
    """`worth`: how many equal impostor pairs weighted ones are worth; None: as many as they are."""

    def interval(share: float, drawn: Floats, trials: int) -> Interval | None:
        if draws is None:
            return None
        people, alike = int(np.count_nonzero(draws.mated)), alike_people(draws.mated)
        return resampled_interval(share, drawn, people, trials=trials, alike=alike)

    eer, auc = equal_error_rate(curve), area_under(curve)
    accuracy = float(accuracies.mean()) if len(accuracies) else None
    pairs = genuine + impostor
    tar = {far: tar_at_far(curve, far, impostor if worth is None else worth) for far in FARS}
    return Figures(
        genuine=genuine,
        impostor=impostor,
        eer=eer,
        eer_interval=interval(eer, draws.eer, genuine) if draws else None,
        auc=auc,
        auc_interval=interval(auc, draws.auc, genuine) if draws else None,
        tar={
            far: (share, interval(share, draws.tar[row], genuine) if draws and share is not None else None)
            for row, (far, share) in enumerate(tar.items())
        },
        accuracy=accuracy,
        accuracy_interval=None if draws is None or accuracy is None else interval(accuracy, draws.accuracy, pairs),
        accuracy_se=float(accuracies.std(ddof=1) / np.sqrt(len(accuracies))) if len(accuracies) > 1 else None,
    )


Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Rates:
    """`far` and `tar` are fractions of `impostor` and `genuine` pairs with score >= threshold; intervals are 95 %,
    (None, None) where none were asked for."""

    genuine: int
    impostor: int
    far: float
    far_interval: Bounds
    tar: float
    tar_interval: Bounds


def rates_at_threshold(
    probe: Side, other: Side, threshold: float, *, ordered: bool, resamples: int = 1000, seed: int = 0
) -> Rates:
    """FAR and TAR at a given threshold; float32 scores are compared as float64.

    In a resample a pair of two people weighs the product of how often each is drawn, a pair within a person how often
    that person is. NaN without pairs of a kind.
    """
    people = int(max(probe.people.max(initial=0), other.people.max(initial=0))) + 1
    accepted = np.zeros((people, people), np.int32)
    pairs = np.zeros((people, people), np.int32)
    own, own_accepted = np.zeros(people, np.int64), np.zeros(people, np.int64)
    for each in every_pair(probe, other, ordered=ordered):
        own[each.person] += len(each.genuine)
        own_accepted[each.person] += int(reaches(each.genuine, threshold).sum())
        pairs[each.person] += np.bincount(each.people, minlength=people).astype(np.int32)
        hit = each.people[reaches(each.impostor, threshold)]
        accepted[each.person] += np.bincount(hit, minlength=people).astype(np.int32)
    genuine, impostor = int(own.sum()), int(pairs.sum(dtype=np.int64))
    far = float(accepted.sum(dtype=np.int64) / impostor) if impostor else float("nan")
    tar = float(own_accepted.sum() / genuine) if genuine else float("nan")
    far_interval: Bounds = (None, None)
    tar_interval: Bounds = (None, None)
    if resamples and genuine and impostor:
        counts = draw_people(people, resamples, seed)
        false = np.einsum("pr,pr->r", counts, accepted.astype(np.float32) @ counts, dtype=np.float64)
        every = np.einsum("pr,pr->r", counts, pairs.astype(np.float32) @ counts, dtype=np.float64)
        true, all_true = own_accepted @ counts.astype(np.float64), own @ counts.astype(np.float64)
        usable = (every > 0) & (all_true > 0)
        there = int(np.count_nonzero(pairs.any(axis=0) | pairs.any(axis=1)))
        mated = int(np.count_nonzero(own))
        far_interval = resampled_interval(far, false[usable] / every[usable], there, trials=impostor)
        tar_interval = resampled_interval(
            tar, true[usable] / all_true[usable], mated, trials=genuine, alike=alike_people(own)
        )
    return Rates(genuine, impostor, far, far_interval, tar, tar_interval)
