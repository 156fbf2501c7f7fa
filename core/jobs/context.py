"""What a job function is given: its settings, where to report, and whether to go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.jobs.errors import JobStopped
from core.jobs.run_dir import Run


class OnEvent(Protocol):
    """Report that something happened: a kind, and plain values by name."""

    def __call__(self, kind: str, /, **data: Any) -> None: ...


@dataclass(frozen=True)
class JobContext:
    """What a job works with. A job may be killed at any moment and called again with `resumed`: it then goes on from
    what it kept in `run.checkpoints` or in its output, and comes to the same result."""

    run: Run
    config: dict[str, Any]
    on_event: OnEvent
    should_stop: Callable[[], bool]
    """True once somebody asked the run to end. A job that has seen True and then returns counts as stopped."""
    resumed: bool

    def check_stop(self) -> None:
        """Raises JobStopped once somebody asked the run to end."""
        if self.should_stop():
            raise JobStopped


JobFunction = Callable[[JobContext], Mapping[str, Any] | None]
"""A job. What it gives back becomes the run's report.json."""
