"""History of a training run: its events as values and tables, followed by offset so that each is read once.

Unknown events and fields are ignored, so that an older page reads a newer run. Imports no torch.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from core.jobs.events import Event, read_events
from core.training.run_events import (
    SEVERITIES,
    Alarm,
    Plan,
    Progress,
    figures_of,
    number_of,
    text_of,
    whole_of,
)

EPOCH_COLUMNS = ("step", "stage", "epoch", "epochs", "seconds", "images_per_s", "best", "line")
"""What `History.epochs` holds for every run; further columns are named by their path, such as "val.by_size.16.eer"."""
TRACE_COLUMNS = ("position", "loss", "per_second")
MOST_TRACE = 800
"""Points of the curve within epochs that are kept; every second one is dropped at twice as many."""


@dataclass
class _EventLog:
    """Everything read so far."""

    plan: Plan | None = None
    stage: str = ""
    progress: Progress | None = None
    epochs: dict[int, dict[str, Any]] = field(default_factory=dict)
    trace: list[tuple[float, float | None, float | None]] = field(default_factory=list)
    alarms: dict[tuple[int, str], Alarm] = field(default_factory=dict)
    checkpoints: dict[str, int | None] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    bicubic: dict[str, float] = field(default_factory=dict)
    attempt: int = 0
    started: datetime | None = None
    last: datetime | None = None


class History:
    """A run's events, followed by `update`. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """`path` is the run's events.jsonl, which needn't exist yet."""
        self.path = path
        self._lock = threading.Lock()
        self._offset = 0
        self._log = _EventLog()
        self._epochs: pd.DataFrame | None = None

    def update(self) -> bool:
        """Read the events since the last call. Returns whether there were any. Raises StorageFailed."""
        with self._lock:
            before = self._offset
            events, self._offset = read_events(self.path, before)
            if before and self._offset < before:  # another file by now
                self._log, self._epochs = _EventLog(), None
            for event in events:
                self._read(event)
            return bool(events)

    @property
    def plan(self) -> Plan | None:
        return self._log.plan

    @property
    def stage(self) -> str:
        """Name of the current stage; "" before the first."""
        return self._log.stage

    @property
    def progress(self) -> Progress | None:
        return self._log.progress

    @property
    def attempt(self) -> int:
        """Number of starts, resumes included; 0 while the run is queued."""
        return self._log.attempt

    @property
    def started(self) -> datetime | None:
        """Start of the current attempt."""
        return self._log.started

    @property
    def alarms(self) -> list[Alarm]:
        """Errors first, then warnings and notices; the latest first within a severity.

        An attempt's alarms about memory and a loss that isn't finite end with the next attempt.
        """
        with self._lock:
            found = [a for a in self._log.alarms.values() if a.attempt == self.attempt or a.code not in _OVER]
        return sorted(found, key=lambda a: (SEVERITIES.index(a.severity), -(a.at.timestamp() if a.at else 0)))

    @property
    def before(self) -> dict[str, float]:
        """Validation's figures before the first epoch, named as the columns of `epochs`; {} where none were log."""
        return self._log.before

    @property
    def bicubic(self) -> dict[str, float]:
        """Figures of bicubic on the same images, named as the columns of `epochs`; {} where unknown."""
        return self._log.bicubic

    @property
    def checkpoints(self) -> dict[str, int | None]:
        """The epoch, over all stages, of each checkpoint ("last", "best")."""
        with self._lock:
            return dict(self._log.checkpoints)

    def epochs(self) -> pd.DataFrame:
        """One row per epoch, ordered by `step` (over all stages, from 1); EPOCH_COLUMNS first.

        Numbers are float64, NaN where missing. A repeated epoch appears once, as last reported.
        """
        with self._lock:
            if self._epochs is None:
                self._epochs = _table(self._log.epochs)
            return self._epochs

    def trace(self) -> pd.DataFrame:
        """The curve within epochs, thinned: `position` in epochs over all stages (0.5: the middle of the first), the
        loss there, images per second."""
        with self._lock:
            return pd.DataFrame(self._log.trace, columns=list(TRACE_COLUMNS), dtype="float64")

    def _read(self, event: Event) -> None:
        log, data = self._log, event.data
        log.last = event.at
        if event.kind in ("started", "resumed"):
            log.attempt += 1
            log.started = event.at
            log.progress = None
        elif event.kind == "plan":
            log.plan = Plan.model_validate(dict(data))
        elif event.kind == "stage":
            log.stage = text_of(data.get("stage"))
        elif event.kind == "start":
            log.before = figures_of(data.get("val"))
            log.bicubic |= figures_of(data.get("bicubic"))
        elif event.kind == "progress":
            log.progress = Progress.model_validate({**data, "at": event.at})
            self._extend_trace(log.progress)
        elif event.kind == "epoch":
            self._add_epoch(data)
        elif event.kind == "alarm":
            self._add_alarm(event)
        elif event.kind == "checkpoint" and text_of(data.get("which")):
            steps = list(log.epochs)
            log.checkpoints[text_of(data.get("which"))] = whole_of(data.get("step")) or (max(steps) if steps else None)

    def _add_epoch(self, data: Mapping[str, Any]) -> None:
        step = whole_of(data.get("step"))
        if step is not None and step > 0:
            self._log.epochs[step] = dict(data)
            val = data.get("val")
            if isinstance(val, Mapping):
                self._log.bicubic |= figures_of(val.get("bicubic"))
            self._epochs = None

    def _add_alarm(self, event: Event) -> None:
        attempt = max(1, self._log.attempt)
        alarm = Alarm.model_validate({**event.data, "at": event.at, "attempt": attempt, "times": 1})
        earlier = self._log.alarms.get((attempt, alarm.code))
        times = earlier.times + 1 if earlier else 1
        self._log.alarms[attempt, alarm.code] = alarm.model_copy(update={"times": times})

    def _extend_trace(self, progress: Progress) -> None:
        if progress.step != "train" or progress.epoch is None or progress.total <= 0:
            return
        position = progress.epoch - 1 + min(1.0, progress.done / progress.total)
        trace = self._log.trace
        while trace and trace[-1][0] >= position:  # resumed from an earlier checkpoint
            trace.pop()
        trace.append((position, progress.loss, progress.per_second))
        if len(trace) > 2 * MOST_TRACE:
            self._log.trace = trace[::-2][::-1]  # the last point stays


def read_history(path: Path) -> History:
    """Read all events at `path`. Raises StorageFailed."""
    history = History(path)
    history.update()
    return history


_OVER = frozenset({"out_of_memory", "loss_not_finite"})


def _table(epochs: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.json_normalize([dict(epochs[step]) for step in sorted(epochs)])
    order = [*EPOCH_COLUMNS, *(column for column in frame.columns if column not in EPOCH_COLUMNS)]
    frame = frame.reindex(columns=order)
    for column in order:
        if column == "best":
            frame[column] = frame[column].map(lambda value: value is True).astype(bool)
        elif column in _TEXTS:
            frame[column] = frame[column].map(text_of).astype(object)
        else:
            frame[column] = frame[column].map(number_of).astype("float64")
    return frame


_TEXTS = frozenset({"stage", "line", "criterion.name"})
