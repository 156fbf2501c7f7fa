"""Calibrate thresholds on a user's own data: one for each probe size, chosen on some people and measured on others.

For FPIR a threshold is the lowest that at most the target share of strangers reaches with their best score against a
gallery of the size and templates asked for; for FAR the lowest that at most that share of impostor pairs reaches,
VLR-VLR and VLR-HR each on its own. Two small faces of strangers are more alike than a small and a large one, so for a
comparison whose other face may have any size the gallery keeps the stricter of both. With a confidence it is the lowest
that meets the rate for people outside the data with that confidence (`tolerance`). People whom the weights were trained
on are left out where their data set is known, and no person is in both halves.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.dataset.degrade import seed_for
from core.errors import SettingsInvalid
from core.evaluation.embedding import Embedded, embed
from core.evaluation.evaluation_spec import Plan
from core.evaluation.goal import Goal, meaning
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.identification import identified, threshold_at
from core.evaluation.intervals import share_interval
from core.evaluation.metrics import rates_at_threshold
from core.evaluation.open_set import GalleryDesign, Trial, run_trial
from core.evaluation.pictures import Picture, codes_of, data_sha256
from core.evaluation.protocol import aligner_of
from core.evaluation.result import Evaluation
from core.evaluation.scores import Side, side, sorted_scores
from core.evaluation.systems import System
from core.evaluation.tolerance import effective_pairs, enough, tolerated_share
from core.evaluation.views import View
from core.gallery.operating_points import OperatingPoint
from core.gallery.template_mix import FULL_SIZE, TemplateMix, parse_template_sizes
from core.images import VLR_PROBE_PX

SIZES: tuple[int | None, ...] = (None, 32, 24, 16)
LARGEST_PX = 10_000.0


def halves(people: Collection[str], seed: int = 0) -> tuple[set[str], set[str]]:
    """Split people into those to calibrate on and those to report on, by a hash of the name, independent of the
    others."""
    first = {name for name in people if seed_for(seed, "calibrate", name) % 2 == 0}
    return first, set(people) - first


def size_ranges(sizes: Sequence[int | None]) -> dict[int | None, tuple[float, float]]:
    """Return the range of probe sizes in px that each calibrated size covers: up to halfway to the next size; HR from
    40 px, or from 1.25 times the largest size where that is more."""
    small = sorted(size for size in dict.fromkeys(sizes) if size is not None)
    ranges: dict[int | None, tuple[float, float]] = {}
    low = 0.0
    for position, size in enumerate(small):
        last = position + 1 == len(small)
        high = max(VLR_PROBE_PX, size * 1.25) if last else (size + small[position + 1]) / 2
        ranges[size] = (low, high)
        low = float(np.nextafter(high, np.inf))
    if None in sizes:
        ranges[None] = (low if small else VLR_PROBE_PX, LARGEST_PX)
    return ranges


@dataclass(frozen=True)
class CalibrationSets:
    """Pictures to choose thresholds on and to report them on; `excluded` people, whom the weights know, are left out of
    both."""

    chosen_on: Sequence[Picture]
    reported_on: Sequence[Picture]
    excluded: Collection[str] = ()


def calibrate(
    system: System,
    sets: CalibrationSets,
    goal: Goal,
    plan: Plan,
    *,
    run: str = "",
    data: Mapping[str, Any] | None = None,
    hooks: RunHooks = NO_HOOKS,
) -> tuple[Evaluation, list[OperatingPoint]]:
    """Choose a threshold for every size of `plan` on some people, and measure it on others.

    A size with too few strangers or impostor pairs gets no threshold. Raises SettingsInvalid when the two sets share
    people or are too few, and what `embed` raises.
    """
    excluded = set(sets.excluded)
    unknown = [[p for p in half if p.identity not in excluded] for half in (sets.chosen_on, sets.reported_on)]
    _require_apart(*unknown)
    sides = []
    views = list(dict.fromkeys([*plan.views(), *goal.enrolled_views]))
    for half, pictures in zip(("calibrate", "report"), unknown, strict=True):
        embedded = embed(
            system,
            pictures,
            views,
            hooks,
            step=f"embed to {half}",
            seed=plan.seed,
        )
        sides.append((codes_of(pictures)[0], embedded))
    ranges = size_ranges(plan.sizes)
    thresholds, measured, points = [], [], []
    wanted = [view for view in plan.views() if plan.wants(view)]
    for number, view in enumerate(wanted):
        hooks.progress("calibrate", number, len(wanted))
        low, high = ranges[view.size_px]
        named = {"mode": view.mode, "degradation": view.degradation, "probe": view.probe}
        of_goal = {"target": goal.target, "gallery_size": goal.gallery_size, "confidence": goal.confidence}
        if goal.measure == "fpir":
            named |= {"templates": goal.templates}
        chosen_half, reported_half = (_Half(people, embedded, view, goal) for people, embedded in sides)
        chosen = _thresholds(goal, chosen_half, plan.seed)
        for each in chosen:
            thresholds.append(
                {
                    **named,
                    "pairing": each.pairing,
                    "probe_px_min": low,
                    "probe_px_max": high,
                    "measure": goal.measure,
                    **of_goal,
                    "photographs": each.photographs,
                    "threshold": each.threshold,
                    "made_of": each.made_of,
                    "people": each.people,
                }
            )
            if each.threshold is not None:
                row = _tried(goal, reported_half, each.threshold, plan, each.pairing)
                measured.append({**named, "pairing": each.pairing, "threshold": each.threshold, **of_goal, **row})
        chosen_thresholds = [each.threshold for each in chosen if each.threshold is not None]
        if len(chosen_thresholds) == len(chosen):
            points.append(
                OperatingPoint(
                    low,
                    high,
                    goal.measure,
                    goal.target,
                    goal.gallery_size,
                    max(chosen_thresholds),
                    run,
                    templates=goal.templates,
                    photographs=max(1, round(chosen[0].photographs)),
                    frames=goal.frames,
                    confidence=goal.confidence,
                )
            )
    tables = {"thresholds": pd.DataFrame(thresholds), "calibration": pd.DataFrame(measured)}
    protocol = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": f"threshold for {goal.measure.upper()} {goal.target:g} chosen on some people, tried on others",
        "systems": [system.protocol()],
        "plan": plan.to_config(),
        "goal": vars(goal),
        "calibrated_on": _facts(unknown[0]),
        "reported_on": _facts(unknown[1]),
        "people_left_out": len(excluded),
        "data_sha256": data_sha256([*unknown[0], *unknown[1]]),
        "aligner": aligner_of([*unknown[0], *unknown[1]]),
        **(data or {}),
    }
    return Evaluation("calibrate", "Thresholds from your own data", _text(goal, thresholds), protocol, tables), points


def _require_apart(chosen_on: Sequence[Picture], reported_on: Sequence[Picture]) -> None:
    first, second = ({picture.identity for picture in half} for half in (chosen_on, reported_on))
    if both := first & second:
        raise SettingsInvalid(
            f"{len(both)} people would choose the threshold and be reported on.",
            "Take other people for one of the two.",
        )
    for half, people in (("calibrate on", first), ("report on", second)):
        if len(people) < 2:
            raise SettingsInvalid(f"There are {len(people)} people to {half}.", "Choose a data set with more people.")


class _Half:
    """One half of the people in one view: probes, HR, and the `kinds` of templates that they are enrolled by."""

    def __init__(self, people: NDArray[np.int64], embedded: Mapping[View, Embedded], view: View, goal: Goal) -> None:
        self.people, self.probe, self.hr = people, embedded[view], embedded[View(view.mode)]
        full = [self.hr] if FULL_SIZE in parse_template_sizes(goal.templates) else []
        self.kinds = [*full, *(embedded[one] for one in goal.enrolled_views)]

    def trial(self, goal: Goal, seed: int) -> Trial:
        design = GalleryDesign(goal.gallery_size, goal.enrol, goal.draws, goal.frames, seed)
        return run_trial(self.people, self.probe, self.hr, design, kinds=self.kinds)

    def sides(self, *, ordered: bool) -> tuple[Side, Side]:
        """The acquired photographs on both sides of all pairs."""
        other = self.hr if ordered else self.probe
        left, right = side(self.probe.vectors, self.people), side(other.vectors, self.people)
        return left.only(self.probe.acquired[left.photos]), right.only(other.acquired[right.photos])


@dataclass(frozen=True)
class _Chosen:
    """A threshold (None: too few data), how many photographs or pairs, and people or pairs of people, it was chosen on,
    and the `photographs` that each person enrolled, on average."""

    pairing: str
    threshold: float | None
    made_of: int
    people: int
    photographs: float = 1.0


def _thresholds(goal: Goal, half: _Half, seed: int) -> list[_Chosen]:
    if goal.measure == "fpir":
        trial = half.trial(goal, seed)
        threshold = trial.threshold(goal.target, goal.confidence)
        return [_Chosen("1:N", threshold, trial.strangers, trial.stranger_people, trial.photographs)]
    return [_chosen_pairs(goal, half, pairing) for pairing in _pairings(half.probe)]


def _chosen_pairs(goal: Goal, half: _Half, pairing: str) -> _Chosen:
    ordered = pairing == "VLR-HR"
    left, right = half.sides(ordered=ordered)
    impostor = sorted_scores(left, right, ordered=ordered)[1].astype(np.float64)
    count = len(np.intersect1d(left.people, right.people))
    couples = count * (count - 1) // 2
    share: float | None = goal.target if enough(len(impostor), couples, goal.target) else None
    if goal.confidence and len(impostor):
        plain = threshold_at(impostor, goal.target)
        share = tolerated_share(effective_pairs(left, right, plain, ordered=ordered), goal.target, goal.confidence)
    return _Chosen(pairing, None if share is None else threshold_at(impostor, share), len(impostor), couples)


def _pairings(probe: Embedded) -> tuple[str, ...]:
    return ("HR-HR",) if probe.size_px is None else ("VLR-VLR", "VLR-HR")


def _tried(goal: Goal, half: _Half, threshold: float, plan: Plan, pairing: str) -> dict[str, Any]:
    """Rates of a threshold on other people, with 95 % intervals by resampling them; the threshold is held fixed."""
    lost = ~half.probe.acquired
    low, high = share_interval(lost, half.people, resamples=min(plan.bootstrap, 500), seed=plan.seed) or (None, None)
    missed = {"failure_to_acquire": float(lost.mean()), "failure_to_acquire_low": low, "failure_to_acquire_high": high}
    if goal.measure == "far":
        return {**_one_to_one(half, threshold, plan, ordered=pairing == "VLR-HR"), **missed}
    trial = half.trial(goal, plan.seed + 1_000)
    outcomes = trial.outcomes
    strangers, mated = outcomes.only(~outcomes.mated), outcomes.only(outcomes.mated)
    row: dict[str, Any] = {
        "photographs": trial.photographs,
        "strangers": trial.strangers,
        "stranger_people": trial.stranger_people,
    }
    false, found = strangers.top >= threshold, identified(mated, threshold)
    for name, hits, who in (("fpir", false, strangers.person), ("dir", found, mated.person)):
        low, high = share_interval(hits, who, resamples=min(plan.bootstrap, 500), seed=plan.seed) or (None, None)
        row |= {name: float(hits.mean()) if len(hits) else None, f"{name}_low": low, f"{name}_high": high}
    return {**row, **missed}


def _one_to_one(half: _Half, threshold: float, plan: Plan, *, ordered: bool) -> dict[str, Any]:
    left, right = half.sides(ordered=ordered)
    rates = rates_at_threshold(left, right, threshold, ordered=ordered, resamples=plan.bootstrap, seed=plan.seed)
    return {
        "genuine": rates.genuine,
        "impostor": rates.impostor,
        "far": rates.far,
        "far_low": rates.far_interval[0],
        "far_high": rates.far_interval[1],
        "tar": rates.tar,
        "tar_low": rates.tar_interval[0],
        "tar_high": rates.tar_interval[1],
    }


def _facts(pictures: Sequence[Picture]) -> dict[str, Any]:
    return {"people": len({picture.identity for picture in pictures}), "pictures": len(pictures)}


def _text(goal: Goal, thresholds: Sequence[Mapping[str, Any]]) -> str:
    several = len({row["pairing"] for row in thresholds}) > 1
    said = [
        f"{row['probe']}{f' {pairing}' if several and (pairing := row['pairing']) else ''} "
        f"{'not enough data' if row['threshold'] is None else format(row['threshold'], '.3f')}"
        for row in thresholds
    ]
    where = ""
    if goal.measure == "fpir":
        mix = TemplateMix(goal.templates, goal.enrol)
        pooled = f", probes pooled from {goal.frames} frames" if goal.frames > 1 else ""
        where = f" in a gallery of {goal.gallery_size:,} people with {mix}{pooled}"
    found = any(row["threshold"] is not None for row in thresholds)
    means = f" {meaning(goal)}" if found else ""
    return f"Threshold for {goal.measure.upper()} {goal.target * 100:g} %{where}: {', '.join(said)}.{means}"


def points_json(points: Sequence[OperatingPoint]) -> str:
    """Operating points as JSON, for a run's folder."""
    return json.dumps([{k: v for k, v in vars(point).items() if k != "at"} for point in points], indent=2)
