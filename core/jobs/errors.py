"""Errors of runs, and the exception of a job that was stopped."""

from __future__ import annotations

from core.errors import CoreError


class JobError(CoreError):
    """A run that can't be started, stopped, resumed or removed as asked."""


class RunNotFound(JobError):
    """No run of that name, or one that was removed meanwhile."""


class JobStopped(CoreError):
    """Raised by a job that ends early because `should_stop()` said so: the run is shown as stopped, not failed."""

    def __init__(self, what: str = "Stopped as asked.", next_step: str = "Resume it to go on.") -> None:
        super().__init__(what, next_step)
