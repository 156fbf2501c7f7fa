"""FAR and TAR of all pairs at one given threshold, with intervals by resampling people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.evaluation.bootstrap import draw_people
from core.evaluation.intervals import alike_people, resampled_interval
from core.evaluation.scores import Side, every_pair
from core.gallery.top_k import reaches

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
    """The rates at a threshold that was chosen elsewhere; float32 scores meet it as float64. A pair of two people
    weighs the product of how often each is drawn, one within a person how often that one is. NaN without pairs of a
    kind."""
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
