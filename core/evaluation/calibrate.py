"""Thresholds from one's own data: one for each probe size, chosen on some people and tried on others.

For FPIR a threshold is the lowest that at most the target share of strangers reaches with their best score against a
gallery of the size asked for; for FAR the lowest that at most that share of impostor pairs reaches, VLR-VLR and VLR-HR
each on its own. Two small faces of strangers are more alike than a small and a large one, so for a comparison whose
other face may have any size the gallery keeps the stricter of both. People whom the weights were trained on are left
out where a data set at hand says who they were, and nobody is in both halves.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.dataset.degrade import seed_for
from core.errors import SettingsInvalid
from core.evaluation.identification import threshold_at
from core.evaluation.intervals import share_interval
from core.evaluation.open_set import Trial, run_trial
from core.evaluation.pictures import Picture, codes_of, data_sha256
from core.evaluation.plan import Plan
from core.evaluation.progress import OnEvent, ShouldStop, telling, unheard
from core.evaluation.protocol import Embedded, View, embed
from core.evaluation.result import Evaluation
from core.evaluation.scores import side, sorted_scores
from core.evaluation.store import EmbeddingStore
from core.evaluation.systems import System
from core.gallery.operating_points import OperatingPoint
from core.probe_sizes import VLR_PROBE_PX

Measure = Literal["fpir", "far"]
SIZES: tuple[int | None, ...] = (None, 32, 24, 16)
LARGEST_PX = 10_000.0
_ENOUGH = 10


@dataclass(frozen=True)
class Goal:
    """What to calibrate for: `target` as a fraction; `gallery_size` for fpir; `enrol` photographs a person, `draws`
    galleries of each half."""

    measure: Measure
    target: float
    gallery_size: int = 0
    enrol: int = 1
    draws: int = 20

    def __post_init__(self) -> None:
        if self.measure not in ("fpir", "far"):
            raise SettingsInvalid(f"There is no measure '{self.measure}'.", "Choose fpir (1:N) or far (1:1).")
        if not 0 < self.target < 1:
            raise SettingsInvalid(f"A target rate lies between 0 and 1, not {self.target}.", "0.01 is 1 %.")
        if self.measure == "fpir" and self.gallery_size < 1:
            raise SettingsInvalid("FPIR belongs to a gallery size.", "Say how many people the gallery holds.")


def halves(people: Collection[str], seed: int = 0) -> tuple[set[str], set[str]]:
    """People for calibrating and people for reporting, by a hash of the name: the same ones whatever else is there."""
    first = {name for name in people if seed_for(seed, "calibrate", name) % 2 == 0}
    return first, set(people) - first


def size_ranges(sizes: Sequence[int | None]) -> dict[int | None, tuple[float, float]]:
    """Which probes, in px, each calibrated size stands for: up to halfway to the next one; HR from 40 px on, or from
    halfway above the largest size where that is more."""
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


def calibrate(
    system: System,
    chosen_on: Sequence[Picture],
    reported_on: Sequence[Picture],
    goal: Goal,
    *,
    plan: Plan,
    run: str = "",
    data: Mapping[str, Any] | None = None,
    excluded: Collection[str] = (),
    store: EmbeddingStore | None = None,
    on_event: OnEvent | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[Evaluation, list[OperatingPoint]]:
    """Thresholds for every size of `plan` from the people of `chosen_on`, and what they give on those of `reported_on`.

    `excluded` people (whom the weights know) are left out of both. A size whose threshold can't be told (too few
    strangers or impostor pairs) gets none. Raises SettingsInvalid when the halves share people or are too few, and what
    `embed` raises.
    """
    unknown = [[p for p in half if p.identity not in set(excluded)] for half in (chosen_on, reported_on)]
    _require_apart(*unknown)
    tell = on_event or unheard
    sides = []
    for half, pictures in zip(("calibrate", "report"), unknown, strict=True):
        embedded = embed(
            system, pictures, plan.views(), store=store, seed=plan.seed, should_stop=should_stop,
            on_progress=telling(tell, f"embed to {half}"),
        )  # fmt: skip
        sides.append((codes_of(pictures)[0], embedded))
    ranges = size_ranges(plan.sizes)
    thresholds, measured, points = [], [], []
    wanted = [view for view in plan.views() if plan.wants(view)]
    for number, view in enumerate(wanted):
        tell("progress", step="calibrate", done=number, total=len(wanted))
        (people_a, first), (people_b, second) = sides
        low, high = ranges[view.size_px]
        named = {"mode": view.mode, "degradation": view.degradation, "probe": view.probe}
        chosen = _thresholds(goal, people_a, first[view], first[View(view.mode)], plan.seed)
        for pairing, threshold, count in chosen:
            thresholds.append(
                {**named, "pairing": pairing, "probe_px_min": low, "probe_px_max": high, "measure": goal.measure,
                 "target": goal.target, "gallery_size": goal.gallery_size, "threshold": threshold, "made_of": count}
            )  # fmt: skip
            if threshold is not None:
                row = _tried(goal, people_b, second[view], second[View(view.mode)], threshold, plan, pairing)
                measured.append({**named, "pairing": pairing, "threshold": threshold, "target": goal.target, **row})
        told = [threshold for _, threshold, _ in chosen if threshold is not None]
        if len(told) == len(chosen):
            points.append(OperatingPoint(low, high, goal.measure, goal.target, goal.gallery_size, max(told), run))
    tables = {"thresholds": pd.DataFrame(thresholds), "calibration": pd.DataFrame(measured)}
    protocol = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": f"threshold for {goal.measure.upper()} {goal.target:g} chosen on some people, tried on others",
        "systems": [system.protocol()], "plan": plan.to_config(), "goal": vars(goal),
        "calibrated_on": _facts(unknown[0]), "reported_on": _facts(unknown[1]), "people_left_out": len(set(excluded)),
        "data_sha256": data_sha256([*unknown[0], *unknown[1]]), **(data or {}),
    }  # fmt: skip
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


def _thresholds(
    goal: Goal, people: NDArray[np.int64], probe: Embedded, hr: Embedded, seed: int
) -> list[tuple[str, float | None, int]]:
    """(pairing, threshold, how many different photographs or pairs it was made of); None where it can't be told."""
    if goal.measure == "fpir":
        trial = _trial(goal, people, probe, hr, seed)
        return [("1:N", trial.threshold(goal.target), trial.strangers)]
    found: list[tuple[str, float | None, int]] = []
    for pairing in _pairings(probe):
        impostor = _impostors(people, probe, hr, ordered=pairing == "VLR-HR")[1]
        enough = len(impostor) * goal.target >= _ENOUGH
        threshold = threshold_at(impostor.astype(np.float64), goal.target) if enough else None
        found.append((pairing, threshold, len(impostor)))
    return found


def _pairings(probe: Embedded) -> tuple[str, ...]:
    return ("HR-HR",) if probe.size_px is None else ("VLR-VLR", "VLR-HR")


def _trial(goal: Goal, people: NDArray[np.int64], probe: Embedded, hr: Embedded, seed: int) -> Trial:
    return run_trial(people, probe, hr, goal.gallery_size, enrol=goal.enrol, draws=goal.draws, seed=seed)


def _impostors(
    people: NDArray[np.int64], probe: Embedded, hr: Embedded, *, ordered: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    other = hr if ordered else probe
    left, right = side(probe.vectors, people), side(other.vectors, people)
    left, right = left.only(probe.acquired[left.photos]), right.only(other.acquired[right.photos])
    return sorted_scores(left, right, ordered=ordered)


def _tried(
    goal: Goal,
    people: NDArray[np.int64],
    probe: Embedded,
    hr: Embedded,
    threshold: float,
    plan: Plan,
    pairing: str,
) -> dict[str, Any]:
    """What a threshold gives on other people, with 95 % intervals by resampling them."""
    missed = {"failure_to_acquire": float((~probe.acquired).mean())}
    if goal.measure == "far":
        return {**_one_to_one(people, probe, hr, threshold, plan, ordered=pairing == "VLR-HR"), **missed}
    trial = _trial(goal, people, probe, hr, plan.seed + 1_000)
    outcomes = trial.outcomes
    strangers, mated = outcomes.only(~outcomes.mated), outcomes.only(outcomes.mated)
    row: dict[str, Any] = {"gallery_size": goal.gallery_size, "strangers": trial.strangers}
    false, found = strangers.top >= threshold, (mated.rank == 1) & (mated.genuine >= threshold)
    for name, hits, who in (("fpir", false, strangers.person), ("dir", found, mated.person)):
        low, high = share_interval(hits, who, resamples=min(plan.bootstrap, 500), seed=plan.seed) or (None, None)
        row |= {name: float(hits.mean()) if len(hits) else None, f"{name}_low": low, f"{name}_high": high}
    return {**row, **missed}


def _one_to_one(
    people: NDArray[np.int64], probe: Embedded, hr: Embedded, threshold: float, plan: Plan, *, ordered: bool
) -> dict[str, Any]:
    from core.evaluation.bootstrap_rates import rates_at_threshold

    other = hr if ordered else probe
    left, right = side(probe.vectors, people), side(other.vectors, people)
    left, right = left.only(probe.acquired[left.photos]), right.only(other.acquired[right.photos])
    rates = rates_at_threshold(left, right, threshold, ordered=ordered, resamples=plan.bootstrap, seed=plan.seed)
    return {
        "genuine": rates.genuine, "impostor": rates.impostor,
        "far": rates.far, "far_low": rates.far_interval[0], "far_high": rates.far_interval[1],
        "tar": rates.tar, "tar_low": rates.tar_interval[0], "tar_high": rates.tar_interval[1],
    }  # fmt: skip


def _facts(pictures: Sequence[Picture]) -> dict[str, Any]:
    return {"people": len({picture.identity for picture in pictures}), "pictures": len(pictures)}


def _text(goal: Goal, thresholds: Sequence[Mapping[str, Any]]) -> str:
    several = len({row["pairing"] for row in thresholds}) > 1
    said = [
        f"{row['probe']}{f' {pairing}' if several and (pairing := row['pairing']) else ''} "
        f"{'can’t be told' if row['threshold'] is None else format(row['threshold'], '.3f')}"
        for row in thresholds
    ]
    where = f" in a gallery of {goal.gallery_size:,}" if goal.measure == "fpir" else ""
    return f"Threshold for {goal.measure.upper()} {goal.target * 100:g} %{where}: {', '.join(said)}."


def points_json(points: Sequence[OperatingPoint]) -> str:
    """Operating points as JSON, for a run's folder."""
    return json.dumps([{k: v for k, v in vars(point).items() if k != "at"} for point in points], indent=2)
