"""The context of a job and the callbacks of long work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.jobs.errors import JobStopped
from core.jobs.run_dir import Run


class OnEvent(Protocol):
    """Callback for an event: its kind, and values that JSON can hold, by name."""

    def __call__(self, kind: str, /, **data: Any) -> None: ...


def _ignore(kind: str, /, **data: Any) -> None:
    pass


@dataclass(frozen=True)
class Hooks:
    """Callbacks of long work: `on_event` receives its events, `should_stop` says whether to end early."""

    on_event: OnEvent = _ignore
    should_stop: Callable[[], bool] = lambda: False

    def progress(self, step: str, done: int, total: int) -> None:
        """Report that `done` of `total` items of a step are finished."""
        self.on_event("progress", step=step, done=done, total=total)

    def check_stop(self) -> None:
        """Raises JobStopped once the work was asked to end."""
        if self.should_stop():
            raise JobStopped


NO_HOOKS = Hooks()


@dataclass(frozen=True)
class JobContext:
    """What a job function receives. A job may be killed at any moment and called again with `resumed`: it then
    continues from what it stored in `run.checkpoints` or in its output, and comes to the same result."""

    run: Run
    config: dict[str, Any]
    on_event: OnEvent
    should_stop: Callable[[], bool]
    """True once the run was asked to end. A job that has seen True and then returns counts as stopped."""
    resumed: bool

    @property
    def hooks(self) -> Hooks:
        return Hooks(self.on_event, self.should_stop)

    def check_stop(self) -> None:
        """Raises JobStopped once the run was asked to end."""
        self.hooks.check_stop()


JobFunction = Callable[[JobContext], Mapping[str, Any] | None]
"""A job. Its return value becomes the run's report.json."""
