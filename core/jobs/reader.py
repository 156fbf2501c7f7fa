"""Follow a run by reading its folder by offset: the result is the same after a reload, in a second browser and after a
restart."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from core.jobs.errors import RunNotFound
from core.jobs.events import Event, read_events, tail_text
from core.jobs.run_dir import Run, list_runs
from core.jobs.state import State

LOG_BYTES = 20_000
"""Size of a log's end that is kept for the screen."""

MOST_EVENTS = 5_000
"""Number of latest events that are kept, apart from progress, of which only the last is."""

_BEGINS = ("queued", "started", "resumed")


@dataclass(frozen=True)
class Progress:
    """Progress of a run. `step` is the job's name of the current step ("read", "place"); `per_s` and `left_s` are None
    until they are known; `data` is the whole event."""

    done: int
    total: int
    step: str = ""
    per_s: float | None = None
    left_s: float | None = None
    data: dict[str, object] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """In [0, 1]; 0 where the total isn't known."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total > 0 else 0.0


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment. `ahead` is the number of runs that come before this one; `events` are those other than
    progress, oldest first."""

    run: Run
    state: State
    progress: Progress | None
    events: tuple[Event, ...]
    log: str
    asked_to_stop: bool = False
    ahead: int = 0


class RunReader:
    """Follows one run: each `look` reads only what was written since the last one."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._events_at = 0
        self._log_at = 0
        self._log = ""
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._progress: Progress | None = None
        self._first: Event | None = None

    def look(self) -> Snapshot:
        """Return the current snapshot. Raises RunNotFound when the run was removed, StorageFailed."""
        state = self.run.state()  # before reading: what is written before the end is read
        events, offset = read_events(self.run.events_path, self._events_at)
        if offset < self._events_at:  # the file was replaced: earlier events don't belong to it
            self._events.clear()
        self._events_at = offset
        for event in events:
            self._take(event)
        text, self._log_at = tail_text(self.run.log_path, self._log_at, most_bytes=LOG_BYTES)
        self._log = (self._log + text)[-LOG_BYTES:]
        return Snapshot(
            self.run,
            state,
            self._progress,
            tuple(self._events),
            self._log,
            asked_to_stop=state.live and self.run.stop_path.exists(),
            ahead=_ahead(self.run, state) if state.status == "queued" else 0,
        )

    def _take(self, event: Event) -> None:
        if event.kind != "progress":
            self._events.append(event)
            if event.kind in _BEGINS:  # a new attempt starts from zero
                self._progress = self._first = None
            return
        progress = progress_of(event, self._first or event)
        before = self._progress
        if (
            before is None
            or (before.step, before.total) != (progress.step, progress.total)
            or before.done > progress.done
        ):
            self._first = event  # another step, or a restart of it, has its own rate
            progress = progress_of(event, event)
        self._progress = progress


def progress_of(event: Event, first: Event) -> Progress:
    """Progress as the job reported it: `done`, `total`, and `step`, `per_s` and `left_s` if given.

    A missing rate is the mean since `first`, the step's
    first event.
    """
    data = event.data
    done, total = _number(data.get("done")) or 0, _number(data.get("total")) or 0
    per_s, left_s = _number(data.get("per_s")), _number(data.get("left_s"))
    if per_s is None:
        spent = (event.at - first.at).total_seconds()
        gained = done - (_number(first.data.get("done")) or 0)
        per_s = gained / spent if spent > 0 and gained > 0 else None
        if per_s is not None and left_s is None:
            left_s = max(0.0, total - done) / per_s
    return Progress(int(done), int(total), str(data.get("step", "")), per_s or None, left_s, dict(data))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _ahead(run: Run, state: State) -> int:
    """Number of live runs that come before this queued one: active, or queued earlier."""
    count = 0
    for other in list_runs(run.root):
        if other == run:
            continue
        try:
            found = other.state()
        except RunNotFound:  # removed since it was listed
            continue
        earlier = (found.queued is not None and state.queued is not None) and found.queued <= state.queued
        count += found.status == "running" or (found.status == "queued" and earlier)
    return count
