"""Open set: some probes show strangers. How many get a name (FPIR), how many people aren't found (FNIR)?

For each gallery size people are drawn several times; each enrols a few HR photographs, their others are mated probes,
everybody else is a stranger. Whoever has several photographs is drawn first, so that there are mated probes. All draws
are pooled. FPIR grows with the gallery, because the best of more scores counts (ISO/IEC 19795-1; NIST IR 8271).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.evaluation.identification import (
    Outcomes,
    Templates,
    fnir,
    fpir,
    identified,
    identify,
    threshold_at,
)
from core.evaluation.intervals import share_interval
from core.evaluation.protocol import Embedded
from core.evaluation.scores import Ints
from core.evaluation.verification import Floats

FPIRS = (0.1, 0.01, 0.001)
ENOUGH = 10
"""A threshold for an FPIR isn't told where fewer than this many strangers' photographs make it up."""


@dataclass(frozen=True)
class Draw:
    """One gallery: positions of the photographs that are enrolled, of mated probes and of strangers."""

    enrolled: Ints
    mated: Ints
    strangers: Ints


@dataclass(frozen=True)
class Trial:
    """All draws of one gallery size and probe view: outcomes pooled, and what wasn't acquired.

    `strangers` is how many different photographs of strangers there are: draws repeat them, and repetition proves
    nothing about a rare event.
    """

    gallery_size: int
    outcomes: Outcomes
    missed_mated: int
    missed_strangers: int
    strangers: int
    draws: int

    @property
    def tops(self) -> Floats:
        """The strangers' top scores."""
        return self.outcomes.top[~self.outcomes.mated]

    def threshold(self, target: float) -> float | None:
        """The lowest threshold with FPIR <= `target` among acquired strangers; None where they are too few."""
        return threshold_at(self.tops, target) if self.strangers * target >= ENOUGH else None

    def fpir(self, threshold: float) -> float:
        return fpir(self.outcomes, threshold)

    def fnir(self, threshold: float, *, with_missed: bool = False) -> float:
        return fnir(self.outcomes, threshold, missed=self.missed_mated if with_missed else 0)


def draw_gallery(people: Ints, usable: NDArray[np.bool_], size: int, *, enrol: int = 1, seed: int = 0) -> Draw:
    """Draw `size` people, each with at most `enrol` photographs, of those whose photographs (N,) are `usable` in HR.

    One photograph at least stays a probe where a person has several. Raises SettingsInvalid where nobody would be left
    as a stranger.
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
    people: Ints, probe: Embedded, hr: Embedded, size: int, *, enrol: int = 1, draws: int = 10, seed: int = 0
) -> Trial:
    """Search mated probes and strangers in `draws` galleries of `size` people. Raises SettingsInvalid."""
    photos = np.arange(len(people))
    parts: list[Outcomes] = []
    missed_mated = missed_strangers = 0
    seen: set[int] = set()
    for number in range(draws):
        draw = draw_gallery(people, hr.acquired, size, enrol=enrol, seed=seed + number)
        gallery = Templates(hr.vectors[draw.enrolled], people[draw.enrolled], draw.enrolled)
        probes = np.concatenate([draw.mated, draw.strangers])
        there = probes[probe.acquired[probes]]
        missed_mated += int((~probe.acquired[draw.mated]).sum())
        missed_strangers += int((~probe.acquired[draw.strangers]).sum())
        seen.update(draw.strangers[probe.acquired[draw.strangers]].tolist())
        if len(there):
            parts.append(identify(Templates(probe.vectors[there], people[there], photos[there]), [gallery]))
    if not parts:
        raise SettingsInvalid("No probe was acquired.", "Choose pictures with faces, or a larger size.")
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in Outcomes.__dataclass_fields__]
    return Trial(size, Outcomes(*columns), missed_mated, missed_strangers, len(seen), draws)


def open_set_rows(
    trial: Trial, targets: Sequence[float] = FPIRS, *, resamples: int = 1000, seed: int = 0
) -> list[dict[str, object]]:
    """A row for each target FPIR: gallery_size, fpir_target, threshold (None: too few strangers), dir (= 1 - fnir) with
    its interval, fnir, fnir_with_failures, mated and strangers (photographs), draws."""
    mated = trial.outcomes.mated
    rows: list[dict[str, object]] = []
    for target in targets:
        threshold = trial.threshold(target)
        row: dict[str, object] = {
            "gallery_size": trial.gallery_size, "fpir_target": target, "threshold": threshold,
            "mated_probes": int(mated.sum()) // trial.draws, "strangers": trial.strangers, "draws": trial.draws,
            "fnir": None, "dir": None, "dir_low": None, "dir_high": None, "fnir_with_failures": None,
        }  # fmt: skip
        if threshold is not None and mated.any():
            hits = identified(trial.outcomes, threshold)[mated]
            low, high = share_interval(hits, trial.outcomes.person[mated], resamples=resamples, seed=seed) or (
                None,
                None,
            )
            miss = trial.fnir(threshold)
            row |= {
                "fnir": miss, "dir": 1 - miss, "dir_low": low, "dir_high": high,
                "fnir_with_failures": trial.fnir(threshold, with_missed=True),
            }  # fmt: skip
        rows.append(row)
    return rows


def gallery_sizes(people: Ints, most: int | None = None) -> list[int]:
    """Sizes worth a row: 10, 30, 100, 300, ... up to half of the people, at least one."""
    half = max(1, len(np.unique(people)) // 2)
    half = half if most is None else min(half, most)
    sizes = [size for size in (10, 30, 100, 300, 1000, 3000, 10_000) if size <= half]
    return sizes or [half]


def open_set_table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """The rows of several trials as one table."""
    return pd.DataFrame(rows)
