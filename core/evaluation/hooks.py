"""Hooks of a long measurement: where embeddings are cached, how progress is reported, how it is asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.jobs.errors import JobStopped

if TYPE_CHECKING:
    from core.evaluation.vector_cache import EmbeddingCache

OnEvent = Callable[..., None]
ShouldStop = Callable[[], bool]
Progress = Callable[[int, int], None]


def ignore_event(kind: str, /, **data: object) -> None:
    """Discard an event."""


def never_stop() -> bool:
    """Return False: the work runs to its end."""
    return False


@dataclass(frozen=True)
class RunHooks:
    """Embedding cache (None: embed everything), event callback and stop request of one measurement.

    `on_event("progress", step=..., done=..., total=...)` is called as work advances; `should_stop()` is asked between
    batches.
    """

    store: EmbeddingCache | None = None
    on_event: OnEvent = ignore_event
    should_stop: ShouldStop = never_stop

    def progress(self, step: str, done: int, total: int) -> None:
        """Report that `done` of `total` units of a step are finished."""
        self.on_event("progress", step=step, done=done, total=total)

    def check_stop(self) -> None:
        """Raise JobStopped if a stop was requested."""
        if self.should_stop():
            raise JobStopped


NO_HOOKS = RunHooks()
"""No cache, no events, no stop."""


def progress_events(on_progress: Progress | None) -> OnEvent:
    """Return an event callback that calls `on_progress(done, total)`."""

    def on_event(kind: str, /, *, done: int, total: int, **_: object) -> None:
        if on_progress is not None:
            on_progress(done, total)

    return on_event
