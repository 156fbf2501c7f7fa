"""Events of a running training, with the time left, at a limited rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from core.training.alarms import Alarm

EVERY_S = 0.5


class Reporter:
    """Sends events to `on_event`; None in processes other than the first. `clock` returns seconds."""

    def __init__(self, on_event: Callable[..., None] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._on_event = on_event
        self._clock = clock
        self._last = float("-inf")
        self._share = 0.0
        self._began: tuple[str, float] = ("", 0.0)
        self.stage, self.epoch, self.epochs = "", 0, 0
        self.left_s: Callable[[], float | None] = lambda: None
        self.worked_s: Callable[[], float] = lambda: 0.0

    def event(self, kind: str, /, **data: Any) -> None:
        if self._on_event is not None:
            self._on_event(kind, **data)

    def log(self, text: str) -> None:
        self.event("log", text=text)

    def alarm(self, alarm: Alarm) -> None:
        self.event("alarm", **alarm.event())
        self.log(alarm.line)

    def progress(self, step: str, done: int, total: int, **further: Any) -> None:
        """Report images done in a step: its first and last call, and others at most every EVERY_S."""
        now = self._clock()
        if self._began[0] != step or done == 0:
            self._began = (step, now)
            self._last = float("-inf")
        if now - self._last < EVERY_S and done < total:
            return
        self._last = now
        taken = now - self._began[1]
        left = self.left_s()
        if left is not None:
            worked = self.worked_s()
            self._share = max(self._share, min(1.0, worked / max(1e-9, worked + left)))
        self.event(
            "progress",
            step=step,
            stage=self.stage,
            epoch=self.epoch,
            epochs=self.epochs,
            done=done,
            total=total,
            per_second=done / taken if taken > 0.05 else None,
            left_s=left,
            share=self._share,
            **further,
        )
