"""The interval of DIR at an FPIR: people are resampled, and each resample chooses its threshold by its own strangers.

An interval with the threshold held fixed would leave out the error of the threshold, which depends on the few highest
of the strangers' scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.evaluation.bootstrap import draw_people
from core.evaluation.identification import Outcomes, identified, threshold_at
from core.evaluation.intervals import resampled_interval
from core.evaluation.verification import Floats

_CELLS = 4_000_000
"""Scores times resamples in one block."""


def dir_interval(
    outcomes: Outcomes, target: float, *, resamples: int, seed: int = 0
) -> tuple[float | None, float | None]:
    """95 % interval of the share of mated probes that are ranked first, with a score that at most the share `target`
    of strangers' top scores reaches. (None, None) without resamples, mated probes or strangers."""
    mated, strangers = outcomes.only(outcomes.mated), outcomes.only(~outcomes.mated)
    if not resamples or not len(mated.person) or not len(strangers.person):
        return None, None
    threshold = threshold_at(strangers.top, target)
    drawn = dir_draws(mated, strangers.top, strangers.person, target, resamples=resamples, seed=seed)
    return resampled_interval(float(identified(mated, threshold).mean()), drawn, len(np.unique(mated.person)))


def dir_draws(
    mated: Outcomes,
    tops: Floats,
    whose: NDArray[np.int64],
    target: float,
    *,
    resamples: int,
    seed: int = 0,
    rank: int = 1,
) -> Floats:
    """DIR in every resample of people that draws a mated probe and a stranger; `tops` are the strangers' scores (S,)
    and `whose` their people. A probe counts as identified within the first `rank`; with rank 0 it never does."""
    present = np.unique(np.concatenate([mated.person, whose]))
    own, stranger = np.searchsorted(present, mated.person), np.searchsorted(present, whose)
    counts = draw_people(len(present), resamples, seed)
    order = np.argsort(-tops, kind="stable")
    tops, stranger = tops[order], stranger[order]
    named = np.nonzero((mated.rank > 0) & (mated.rank <= rank))[0]
    named = named[np.argsort(-mated.genuine[named], kind="stable")]
    falling, by = -mated.genuine[named], own[named]
    every = np.bincount(own, minlength=len(present)).astype(np.float64)
    found: list[Floats] = []
    step = max(1, _CELLS // max(len(tops), len(named), 1))
    for start in range(0, resamples, step):
        drawn = counts[:, start : start + step].astype(np.float64)
        reached = np.cumsum(drawn[stranger], axis=0)  # (S, R): weight of the strangers at or above each score
        total = reached[-1]
        most = (reached <= target * total + 1e-9).sum(axis=0)  # so many scores may reach the threshold
        threshold = np.where(most < len(tops), tops[np.minimum(most, len(tops) - 1)], -np.inf)  # to be exceeded
        sums = np.vstack([np.zeros(drawn.shape[1]), np.cumsum(drawn[by], axis=0)])
        accepted = sums[np.searchsorted(falling, -threshold, side="left"), np.arange(drawn.shape[1])]
        mine = every @ drawn
        usable = (total > 0) & (mine > 0)
        found.append(accepted[usable] / mine[usable])
    return np.concatenate(found) if found else np.zeros(0)
