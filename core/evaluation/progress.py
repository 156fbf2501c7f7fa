"""Progress of long work as events: what is done, how much of how many."""

from __future__ import annotations

from collections.abc import Callable

OnEvent = Callable[..., None]
ShouldStop = Callable[[], bool]


def telling(tell: OnEvent, step: str) -> Callable[[int, int], None]:
    """`on_progress(done, total)` as the event "progress" of a step."""
    return lambda done, total: tell("progress", step=step, done=done, total=total)


def unheard(kind: str, /, **data: object) -> None:
    """Where nobody listens."""
