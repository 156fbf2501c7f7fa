"""Background processing of video frames: only the newest frame is processed, older ones are dropped.

with LatestFrameWorker(look, "enrol") as newest:
    newest.submit(frame)      # from the video thread: returns at once
    result = newest.latest()  # the last result, None before the first
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

Frame = TypeVar("Frame")
Result = TypeVar("Result")

WINDOW_S = 5.0
"""Rates are those of the last seconds."""

CLOSE_S = 5.0
"""How long `close` waits for work that has begun."""


@dataclass(frozen=True)
class LatestFrameStats:
    """Counts of frames: `submitted`, `worked` (processed), `skipped` (replaced by newer ones) and `failed` (the work
    raised). `per_s`: results a second over the last seconds. `work_ms`: the last one's work;
    `latency_ms`: from its submission to its result; both None before the first."""

    submitted: int = 0
    worked: int = 0
    skipped: int = 0
    failed: int = 0
    per_s: float = 0.0
    work_ms: float | None = None
    latency_ms: float | None = None


class LatestFrameWorker(Generic[Frame, Result]):
    """A thread that calls `work` with the newest frame. There is no queue: at most one frame waits, so neither memory
    nor delay grows when frames arrive faster than they are processed."""

    def __init__(self, work: Callable[[Frame], Result], name: str) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._waiting: tuple[Frame, float] | None = None
        self._result: Result | None = None
        self._error: Exception | None = None
        self._closed = False
        self._submitted = self._worked = self._skipped = self._failed = 0
        self._work_ms: float | None = None
        self._latency_ms: float | None = None
        self._finished: deque[float] = deque(maxlen=512)
        self._thread = threading.Thread(target=self._run, name=f"newest-frame-{name}", daemon=True)
        self._thread.start()

    def submit(self, frame: Frame) -> bool:
        """Hand over a frame, in place of one that still waits; returns at once, False after `close`. The frame is
        read later on another thread: don't change it."""
        with self._changed:
            if self._closed:
                return False
            self._submitted += 1
            self._skipped += self._waiting is not None
            self._waiting = (frame, time.monotonic())
            self._changed.notify_all()
        return True

    def latest(self) -> Result | None:
        """The result of the newest frame that was worked on; None before the first."""
        with self._changed:
            return self._result

    def wait(self, beyond: int, timeout_s: float) -> bool:
        """Wait until more than `beyond` frames were worked on or made the work raise; False when time ran out or this
        was closed first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done > beyond or self._closed, timeout_s) and (
                self._done > beyond
            )

    @property
    def error(self) -> Exception | None:
        """What the work raised for the newest frame that was worked on; None when that went well."""
        with self._changed:
            return self._error

    @property
    def stats(self) -> LatestFrameStats:
        with self._changed:
            since = time.monotonic() - WINDOW_S
            recent = [at for at in self._finished if at >= since]
            span = recent[-1] - recent[0] if len(recent) > 1 else 0.0
            rate = (len(recent) - 1) / span if span else 0.0
            return LatestFrameStats(
                self._submitted, self._worked, self._skipped, self._failed, rate, self._work_ms, self._latency_ms
            )

    def close(self) -> None:
        """Forget the waiting frame and end the thread; work that has begun may finish. Can be called twice, and from
        the work itself."""
        with self._changed:
            self._closed = True
            self._waiting = None
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)

    @property
    def closed(self) -> bool:
        return self._closed

    def __enter__(self) -> LatestFrameWorker[Frame, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _done(self) -> int:
        return self._worked + self._failed

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            frame, submitted_at = taken
            began = time.monotonic()
            try:
                result, error = self._work(frame), None
            except Exception as raised:  # noqa: BLE001 - the thread's last line of defence; kept for who reads `error`
                result, error = None, raised
            del frame, taken
            self._keep(result, error, began, submitted_at)

    def _take(self) -> tuple[Frame, float] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or self._closed)
            taken, self._waiting = self._waiting, None
            return None if self._closed else taken

    def _keep(self, result: Result | None, error: Exception | None, began: float, submitted_at: float) -> None:
        now = time.monotonic()
        with self._changed:
            self._error = error
            if error is None:
                self._result = result
                self._worked += 1
                self._finished.append(now)
                self._work_ms, self._latency_ms = 1000 * (now - began), 1000 * (now - submitted_at)
            else:
                self._failed += 1
            self._changed.notify_all()
