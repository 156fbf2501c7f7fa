"""Hooks of a long measurement: where embeddings are cached, how progress is reported, how it is asked to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.jobs.context import Hooks, OnEvent

if TYPE_CHECKING:
    from core.evaluation.vector_cache import EmbeddingCache

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RunHooks(Hooks):
    """Callbacks of one measurement, and its embedding cache (None: embed everything).

    `on_event("progress", step=..., done=..., total=...)` is called as work advances; `should_stop()` is asked between
    batches.
    """

    store: EmbeddingCache | None = None


NO_HOOKS = RunHooks()
"""No cache, no events, no stop."""


def progress_events(on_progress: Progress | None) -> OnEvent:
    """Return an event callback that calls `on_progress(done, total)`."""

    def on_event(kind: str, /, **data: Any) -> None:
        if on_progress is not None:
            on_progress(data["done"], data["total"])

    return on_event
