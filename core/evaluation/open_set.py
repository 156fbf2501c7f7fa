"""Open-set identification: how many strangers get a name (FPIR), and how many enrolled people aren't found (FNIR).

For each gallery size people are drawn several times; each enrols a few HR photographs, their others are mated probes,
everybody else is a stranger. People with several photographs are drawn first, so that there are mated probes. All draws
are pooled. FPIR grows with the gallery, because the best of more scores counts (ISO/IEC 19795-1; NIST IR 8271).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.evaluation.embedding import Embedded
from core.evaluation.identification import (
    Outcomes,
    Templates,
    fnir,
    fpir,
    identify,
    threshold_at,
)
from core.evaluation.open_set_interval import dir_interval
from core.evaluation.scores import Ints
from core.evaluation.tolerance import enough, tolerated_share
from core.evaluation.vector_cache import QUALITY
from core.evaluation.verification import Floats
from core.faces.quality import Quality
from core.recognition.pooling import pooled, weight_of

FPIRS = (0.1, 0.01, 0.001)

_UNMEASURED = {"probe_px": 1.0, "sharpness": 0.0, "brightness": 0.0, "contrast": 0.0}
"""Measures of a picture without a face."""


@dataclass(frozen=True)
class GalleryDesign:
    """Galleries to draw: `draws` of `size` people, each enrolled by at most `enrol` photographs; a probe is pooled from
    `frames` pictures."""

    size: int
    enrol: int = 1
    draws: int = 10
    frames: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Draw:
    """One gallery: positions of the photographs that are enrolled, of mated probes and of strangers."""

    enrolled: Ints
    mated: Ints
    strangers: Ints


@dataclass(frozen=True)
class Trial:
    """All draws of one gallery size and probe view: pooled outcomes, and counts of probes that weren't acquired.

    `strangers` is how many different probes of strangers there are, and `stranger_people` of how many people: draws
    repeat them, and repetitions carry no information about a rare event. `photographs` a person were enrolled, on
    average.
    """

    gallery_size: int
    outcomes: Outcomes
    missed_mated: int
    missed_strangers: int
    strangers: int
    stranger_people: int
    photographs: float
    draws: int

    @property
    def tops(self) -> Floats:
        """The strangers' top scores."""
        return self.outcomes.top[~self.outcomes.mated]

    def threshold(self, target: float, confidence: float = 0.0) -> float | None:
        """The lowest threshold with FPIR <= `target` among acquired strangers, or with a `confidence` among all others
        (strangers count as people then); None where they are too few."""
        if confidence:
            share = tolerated_share(self.stranger_people, target, confidence)
        else:
            share = target if enough(self.strangers, self.stranger_people, target) else None
        return None if share is None else threshold_at(self.tops, share)

    def fpir(self, threshold: float) -> float:
        return fpir(self.outcomes, threshold)

    def fnir(self, threshold: float, *, with_missed: bool = False) -> float:
        return fnir(self.outcomes, threshold, missed=self.missed_mated if with_missed else 0)


def draw_gallery(people: Ints, usable: NDArray[np.bool_], size: int, *, enrol: int = 1, seed: int = 0) -> Draw:
    """Draw `size` people, each with at most `enrol` photographs, of those whose photographs (N,) are `usable` in HR.

    One photograph at least stays a probe where a person has several. Raises SettingsInvalid where no stranger
    would be left.
    """
    rng = np.random.default_rng(seed)
    positions = np.nonzero(usable)[0]
    present, counts = np.unique(people[positions], return_counts=True)
    if size < 1 or size >= len(present):
        raise SettingsInvalid(
            f"A gallery of {size:,} people leaves no strangers among {len(present):,}.",
            f"Choose 1 to {max(1, len(present) - 1):,}.",
        )
    several, alone = (rng.permutation(present[kind]) for kind in (counts > 1, counts <= 1))
    chosen = np.concatenate([several, alone])[:size]
    enrolled: list[int] = []
    for person in chosen:
        own = rng.permutation(positions[people[positions] == person])
        enrolled.extend(own[: min(enrol, max(1, len(own) - 1))])
    taken = np.zeros(len(people), dtype=bool)
    taken[enrolled] = True
    inside = np.isin(people, chosen)
    return Draw(np.sort(np.array(enrolled)), np.nonzero(inside & ~taken)[0], np.nonzero(~inside)[0])


def run_trial(
    people: Ints,
    probe: Embedded,
    hr: Embedded,
    design: GalleryDesign,
    *,
    kinds: Sequence[Embedded] | None = None,
) -> Trial:
    """Search mated probes and strangers in every gallery of `design`.

    Enrolled photographs are drawn among those usable in `hr`; each is enrolled once for each view of `kinds` (None:
    `hr` alone). Raises SettingsInvalid.
    """
    size, draws, frames, seed = design.size, design.draws, design.frames, design.seed
    parts: list[Outcomes] = []
    missed_mated = missed_strangers = enrolled = 0
    seen: set[int] = set()
    for number in range(draws):
        draw = draw_gallery(people, hr.acquired, size, enrol=design.enrol, seed=seed + number)
        enrolled += len(draw.enrolled)
        gallery = [
            each.templates(people, there)
            for each in (kinds or [hr])
            if len(there := draw.enrolled[each.acquired[draw.enrolled]])
        ]
        probes = np.concatenate([draw.mated, draw.strangers])
        there = probes[probe.acquired[probes]]
        missed_mated += int((~probe.acquired[draw.mated]).sum())
        missed_strangers += int((~probe.acquired[draw.strangers]).sum())
        seen.update(draw.strangers[probe.acquired[draw.strangers]].tolist())
        asked = pooled_probes(probe, people, there, frames, seed + number)
        if len(asked.people) and gallery:
            parts.append(identify(asked, gallery))
    if not parts:
        raise SettingsInvalid("No probe was acquired.", "Choose pictures with faces, or a larger size.")
    outcomes = Outcomes(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Outcomes.__dataclass_fields__)
    )
    probed = np.unique(people[sorted(seen)], return_counts=True)[1] // frames if seen else np.zeros(0, np.int64)
    return Trial(
        size,
        outcomes,
        missed_mated,
        missed_strangers,
        int(probed.sum()),
        int((probed > 0).sum()),
        enrolled / (draws * size),
        draws,
    )


def open_set_rows(
    trial: Trial, targets: Sequence[float] = FPIRS, *, resamples: int = 1000, seed: int = 0
) -> list[dict[str, object]]:
    """A row for each target FPIR: gallery_size, fpir_target, threshold (None: too few strangers), dir (= 1 - fnir) with
    its interval, which includes the threshold's error, fnir, fnir_with_failures, mated and strangers (photographs) and
    the strangers' people, draws."""
    mated = trial.outcomes.mated
    rows: list[dict[str, object]] = []
    for target in targets:
        threshold = trial.threshold(target)
        row: dict[str, object] = {
            "gallery_size": trial.gallery_size,
            "fpir_target": target,
            "threshold": threshold,
            "mated_probes": int(mated.sum()) // trial.draws,
            "strangers": trial.strangers,
            "stranger_people": trial.stranger_people,
            "draws": trial.draws,
            "fnir": None,
            "dir": None,
            "dir_low": None,
            "dir_high": None,
            "fnir_with_failures": None,
        }
        if threshold is not None and mated.any():
            low, high = dir_interval(trial.outcomes, target, resamples=resamples, seed=seed)
            miss = trial.fnir(threshold)
            row |= {
                "fnir": miss,
                "dir": 1 - miss,
                "dir_low": low,
                "dir_high": high,
                "fnir_with_failures": trial.fnir(threshold, with_missed=True),
            }
        rows.append(row)
    return rows


def gallery_sizes(people: Ints, most: int | None = None) -> list[int]:
    """Return the gallery sizes to measure: 10, 30, 100, 300, ... up to half of the people, at least one."""
    half = max(1, len(np.unique(people)) // 2)
    half = half if most is None else min(half, most)
    sizes = [size for size in (10, 30, 100, 300, 1000, 3000, 10_000) if size <= half]
    return sizes or [half]


def weights_of(one: Embedded) -> Floats:
    """Return every picture's pooling weight (N,), from its quality measures."""
    known = [name in Quality.__dataclass_fields__ for name in QUALITY]
    names = [name for name, there in zip(QUALITY, known, strict=True) if there]
    found = []
    for row in one.quality[:, known].tolist():
        values = {name: value for name, value in zip(names, row, strict=True) if not np.isnan(value)}
        found.append(weight_of(Quality(**{**_UNMEASURED, **values})))
    return np.array(found, dtype=np.float64)


def pooled_probes(one: Embedded, people: Ints, positions: Ints, frames: int, seed: int) -> Templates:
    """Pool probes of `frames` pictures each, drawn from one person's `positions` without repetition.

    Pictures that don't fill a probe are left out. A probe's photograph is its first one. `frames` of 1: every picture
    on its own.
    """
    if frames == 1:
        return Templates(one.vectors[positions], people[positions], positions)
    rng, weights = np.random.default_rng(seed), weights_of(one)
    groups = [
        group
        for person in np.unique(people[positions])
        for own in [rng.permutation(positions[people[positions] == person])]
        for group in own[: len(own) // frames * frames].reshape(-1, frames)
    ]
    first = np.array([group[0] for group in groups], dtype=np.int64)
    vectors = [pooled(one.vectors[group], weights[group].tolist()) for group in groups]
    return Templates(np.stack(vectors) if vectors else one.vectors[:0], people[first], first)
