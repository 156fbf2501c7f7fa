"""95 % intervals of proportions and of their changes: Wilson's, where trials are people or resamples of people.

Several probes or pairs of one person aren't independent trials. So people are resampled, and the variance of the
resampled shares says how many independent trials the data are worth: share * (1 - share) / variance. Wilson's interval
with so many trials, and Student's quantile for so many people, is the interval (Franco, Little, Louis and Slud, JSSAM
2019, compare it with others for surveys, whose clusters are people here). Unlike percentiles of the resamples it stays
within [0, 1] without losing its width there. Where a resample can't vary, people are the trials: 0 errors of 60
people are [0, 0.06], not [0, 0]. Its simulated coverage is in docs/measurements.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit  # scipy.stats takes half a second to import

from core.evaluation.bootstrap import draw_people
from core.evaluation.scores import Ints
from core.evaluation.verification import Floats

Interval = tuple[float, float]

CONFIDENCE = 0.95
_SAME = 1e-12
"""Resampled values whose variance is at most this are equal: their differences are rounding."""


def wilson(successes: float, trials: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's interval of a proportion (JASA 1927), (0, 1) without trials. Neither number has to be whole."""
    return _wilson(successes / trials if trials else 0.0, trials, float(ndtri(0.5 + confidence / 2)))


def resampled_interval(
    share: float, drawn: Sequence[float] | Floats, people: int, *, trials: int = 0, alike: float | None = None
) -> Interval:
    """The interval of a proportion whose resamples of `people` came to `drawn` (R,).

    `trials`, where known, is how many probes or pairs there are: people never make them worth more than that. `alike`
    is `alike_people` of how many each person has; without it all have the same. Where no two resamples differ, or the
    share is 0 or 1, the people are the trials. NaN for a share that is NaN.
    """
    if np.isnan(share):
        return (np.nan, np.nan)
    units = float(people) if alike is None else alike
    variance = _variance(drawn, units)
    if variance <= _SAME or not 0 < share < 1:
        return wilson(share * people, people)
    worth = share * (1 - share) / variance
    return _wilson(share, min(worth, trials) if trials else worth, _student(units))


def alike_people(counts: NDArray[np.integer] | Floats) -> float:
    """The number of people with equally many probes or pairs that are worth as much as those with `counts` (P,):
    (sum)^2 / sum of squares (Kish). One person with most of the pairs leaves few."""
    weights = np.asarray(counts, dtype=np.float64)
    return float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0


def share_interval(hits: NDArray[np.bool_], people: Ints, *, resamples: int = 1000, seed: int = 0) -> Interval | None:
    """The interval of the share of probes (N,) that hit, by resampling their `people` (N,); None without resamples or
    probes."""
    if not resamples or not len(hits):
        return None
    present, codes = np.unique(people, return_inverse=True)
    of_person = np.bincount(codes, minlength=len(present))
    hit = np.bincount(codes, weights=hits.astype(np.float64), minlength=len(present))
    counts = draw_people(len(present), resamples, seed).astype(np.float64)
    drawn = (hit @ counts) / (of_person @ counts)
    return resampled_interval(float(hits.mean()), drawn, len(present), trials=len(hits), alike=alike_people(of_person))


def change_interval(change: float, drawn: Sequence[float] | Floats, people: int) -> Interval:
    """The interval of a difference of two proportions whose resamples of `people` came to `drawn` (R,): Student's, cut
    off at -1 and 1. Where no two resamples differ, it is as far from `change` on either side as Wilson's interval of 0
    of so many people reaches."""
    variance = _variance(drawn, people)
    half = _student(people) * float(np.sqrt(variance)) if variance > _SAME else wilson(0, people)[1]
    return (max(-1.0, change - half), min(1.0, change + half))


def paired_interval(
    before: NDArray[np.bool_], after: NDArray[np.bool_], people: Ints, *, resamples: int = 1000, seed: int = 0
) -> Interval | None:
    """The interval of the mean of `after` - `before` (N,), by resampling the probes' `people` (N,); None without
    resamples or probes."""
    return mean_interval(after.astype(np.float64) - before, people, resamples=resamples, seed=seed)


def mean_interval(values: Floats, people: Ints, *, resamples: int = 1000, seed: int = 0) -> Interval | None:
    """The interval of the mean of cosines, or of differences of rates or of cosines, (N,), by resampling their `people`
    (N,): `change_interval`. None without resamples or values."""
    if not resamples or not len(values):
        return None
    present, codes = np.unique(people, return_inverse=True)
    total = np.bincount(codes, weights=values, minlength=len(present))
    count = np.bincount(codes, minlength=len(present))
    counts = draw_people(len(present), resamples, seed).astype(np.float64)
    return change_interval(float(np.mean(values)), (total @ counts) / (count @ counts), len(present))


def _variance(drawn: Sequence[float] | Floats, people: float) -> float:
    """The variance over samples of so many people, of which resamples show (people - 1) / people; 0 where nothing
    varies or could."""
    if len(drawn) < 2 or people <= 1:
        return 0.0
    return float(np.var(drawn, ddof=1)) * people / (people - 1)


def _student(people: float) -> float:
    return float(stdtrit(people - 1, 0.5 + CONFIDENCE / 2))


def _wilson(share: float, trials: float, z: float) -> Interval:
    if trials <= 0:
        return (0.0, 1.0)
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    low, high = float(centre - half), float(centre + half)
    return (0.0 if share <= 0 else max(0.0, low), 1.0 if share >= 1 else min(1.0, high))  # exact where rounding isn't
