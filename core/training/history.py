"""What a training run has told so far, as values and tables: its events are followed by offset, each read once.

Unknown kinds of events and unknown fields pass by, so that an older page reads a newer run. Opens without torch.
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
    plan_of,
    progress_of,
    text_of,
    whole_of,
)

EPOCH_COLUMNS = ("step", "stage", "epoch", "epochs", "seconds", "images_per_s", "best", "line")
"""What `History.epochs` holds for every run; further columns are named by their path, such as "val.by_size.16.eer"."""
TRACE_COLUMNS = ("position", "loss", "per_second")
MOST_TRACE = 800
"""Points of the curve within epochs that are kept; of more than twice as many every second one goes."""


@dataclass
class _Told:
    """Everything heard so far."""

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
    """A run's events, read on at each `update`. Several threads may share one; what it gives are values."""

    def __init__(self, path: Path) -> None:
        """`path` is the run's events.jsonl, which needn't be there yet."""
        self.path = path
        self._lock = threading.Lock()
        self._offset = 0
        self._told = _Told()
        self._epochs: pd.DataFrame | None = None

    def update(self) -> bool:
        """Read what came since the last call; True when anything did. Raises StorageFailed."""
        with self._lock:
            before = self._offset
            events, self._offset = read_events(self.path, before)
            if before and self._offset < before:  # another file by now: what was heard isn't its
                self._told, self._epochs = _Told(), None
            for event in events:
                self._hear(event)
            return bool(events)

    @property
    def plan(self) -> Plan | None:
        return self._told.plan

    @property
    def stage(self) -> str:
        """The name of the stage that began last; "" before the first."""
        return self._told.stage

    @property
    def progress(self) -> Progress | None:
        return self._told.progress

    @property
    def attempt(self) -> int:
        """How often the run was started, resumes included; 0 while it is waiting for its first turn."""
        return self._told.attempt

    @property
    def started(self) -> datetime | None:
        """When the present attempt began to work."""
        return self._told.started

    @property
    def last_event(self) -> datetime | None:
        return self._told.last

    @property
    def alarms(self) -> list[Alarm]:
        """Errors first, then warnings and notices; of the same severity the latest first. Those of an attempt that ran
        out of memory or into loss that isn't finite are over once another attempt began."""
        with self._lock:
            found = [a for a in self._told.alarms.values() if a.attempt == self.attempt or a.code not in _OVER]
        order = list(SEVERITIES)
        return sorted(found, key=lambda a: (order.index(a.severity), -(a.at.timestamp() if a.at else 0)))

    @property
    def before(self) -> dict[str, float]:
        """Validation's figures before the first epoch, named as the columns of `epochs`; {} where none were told."""
        return self._told.before

    @property
    def bicubic(self) -> dict[str, float]:
        """What bicubic enlargement reaches on the same images, named as the columns of `epochs`; {} where unknown."""
        return self._told.bicubic

    @property
    def checkpoints(self) -> dict[str, int | None]:
        """Which checkpoints there are ("last", "best") and the epoch, over all stages, that each was made in."""
        with self._lock:
            return dict(self._told.checkpoints)

    def epochs(self) -> pd.DataFrame:
        """One row an epoch, by `step` (over all stages, from 1); EPOCH_COLUMNS first. Numbers are float64, NaN where
        nothing was said. An epoch that was trained again after a resume stands as it was told last."""
        with self._lock:
            if self._epochs is None:
                self._epochs = _table(self._told.epochs)
            return self._epochs

    def trace(self) -> pd.DataFrame:
        """The curve within epochs, thinned: `position` in epochs over all stages (0.5: in the middle of the first),
        the loss there, images a second."""
        with self._lock:
            return pd.DataFrame(self._told.trace, columns=list(TRACE_COLUMNS), dtype="float64")

    def _hear(self, event: Event) -> None:
        told, data = self._told, event.data
        told.last = event.at
        if event.kind in ("started", "resumed"):
            told.attempt += 1
            told.started = event.at
            told.progress = None
        elif event.kind == "plan":
            told.plan = plan_of(data)
        elif event.kind == "stage":
            told.stage = text_of(data.get("stage"))
        elif event.kind == "start":
            told.before = figures_of(data.get("val"))
            told.bicubic |= figures_of(data.get("bicubic"))
        elif event.kind == "progress":
            told.progress = progress_of(event)
            self._draw_on(told.progress)
        elif event.kind == "epoch":
            self._note_epoch(data)
        elif event.kind == "alarm":
            self._note_alarm(event)
        elif event.kind == "checkpoint" and text_of(data.get("which")):
            steps = list(told.epochs)
            told.checkpoints[text_of(data.get("which"))] = whole_of(data.get("step")) or (max(steps) if steps else None)

    def _note_epoch(self, data: Mapping[str, Any]) -> None:
        step = whole_of(data.get("step"))
        if step is not None and step > 0:
            self._told.epochs[step] = dict(data)
            val = data.get("val")
            if isinstance(val, Mapping):
                self._told.bicubic |= figures_of(val.get("bicubic"))
            self._epochs = None

    def _note_alarm(self, event: Event) -> None:
        data, attempt = event.data, max(1, self._told.attempt)
        code = text_of(data.get("code")) or "unknown"
        earlier = self._told.alarms.get((attempt, code))
        self._told.alarms[attempt, code] = Alarm(
            code,
            SEVERITIES.get(text_of(data.get("severity")), "warning"),
            text_of(data.get("what")) or "The run raised an alarm.",
            text_of(data.get("cause")),
            text_of(data.get("next_step")),
            event.at,
            attempt,
            earlier.times + 1 if earlier else 1,
        )

    def _draw_on(self, progress: Progress) -> None:
        if progress.step != "train" or progress.epoch is None or progress.total <= 0:
            return
        position = progress.epoch - 1 + min(1.0, progress.done / progress.total)
        trace = self._told.trace
        while trace and trace[-1][0] >= position:  # it went back to its checkpoint
            trace.pop()
        trace.append((position, progress.loss, progress.per_second))
        if len(trace) > 2 * MOST_TRACE:
            self._told.trace = trace[::-2][::-1]  # the last point stays


def read_history(path: Path) -> History:
    """Everything that the events at `path` tell so far. Raises StorageFailed."""
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
