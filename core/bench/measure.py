"""Timing of alternating calls, so that other load on the machine affects all of them alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Times:
    """Seconds of every call, in order."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    @property
    def p99(self) -> float:
        return float(np.percentile(self.seconds, 99))


def in_turns(
    calls: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 1, most_s: float = 30.0
) -> dict[str, Times]:
    """Time each call once a round, for `rounds` rounds or until `most_s` have passed (at least three rounds where that
    many are asked for), after `warm_up` calls that aren't counted. Every other round reverses the order."""
    for call in calls.values():
        for _ in range(warm_up):
            call()
    spent: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    gc.collect()
    began = time.perf_counter()
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            start = time.perf_counter()
            calls[name]()
            spent[name].append(time.perf_counter() - start)
        if number >= 2 and time.perf_counter() - began > most_s:
            break
    return {name: Times(tuple(values)) for name, values in spent.items()}
