"""Wait at the command line for a run that was started, its progress on the last line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.commands.shared.common import note, progress

if TYPE_CHECKING:
    from core.jobs.events import Event
    from core.jobs.run_dir import Run
    from core.jobs.state import State


def wait_for(run: Run, show: Callable[[Event], None]) -> State:
    """Give every event to `show` until the run has ended, and say how it stands. Ctrl-C asks it to stop, says how to
    go on, and is raised again."""
    from core.jobs.launch import follow, stop

    try:
        for event in follow(run):
            show(event)
    except KeyboardInterrupt:
        stop(run)
        note(f"{run.id} was asked to stop; go on with: edgeface-studio runs resume {run.id}")
        raise
    finally:
        progress("")
    return run.state()
