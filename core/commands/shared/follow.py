"""Waiting for a run at the command line, with its progress on the last line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.commands.shared.common import note, progress

if TYPE_CHECKING:
    from core.jobs.events import Event
    from core.jobs.run_dir import Run
    from core.jobs.state import State


def wait_for(run: Run, show: Callable[[Event], None]) -> State:
    """Pass every event to `show` until the run has ended, and return its state. Ctrl-C asks the run to stop, prints how
    to resume it, and is raised again."""
    from core.jobs.launch import follow, stop

    try:
        for event in follow(run):
            show(event)
    except KeyboardInterrupt:
        stop(run)
        note(f"{run.id} was asked to stop; resume it with: edgeface-studio runs resume {run.id}")
        raise
    finally:
        progress("")
    return run.state()
