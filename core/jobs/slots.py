"""Taking turns: a run that may work holds the lock of a slot's file, which the system frees however the process ends.

The locks are POSIX record locks (`lockf`): a forked child doesn't inherit them, so one that outlives a killed job holds
no slot. They are lost when the process closes any handle of the same file: only this module opens these files.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from core.errors import StorageFailed
from core.jobs.errors import RunNotFound
from core.jobs.run_dir import Run, list_runs
from core.jobs.state import State

SLOTS_FOLDER = ".slots"
POLL_S = 0.25


def hold(path: Path) -> BinaryIO | None:
    """Lock `path` for as long as this process lives, or until the file given back is closed; None when another has it.

    Raises StorageFailed where the file can't be made or the file system knows no locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise _refused(path, error) from error
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # held by another: EAGAIN or EACCES, as the system likes
        file.close()
        return None
    except OSError as error:
        file.close()
        raise _refused(path, error) from error
    return file


def wait_for_slot(
    run: Run, at_once: Callable[[], int], should_stop: Callable[[], bool], pause: Callable[[float], None] = time.sleep
) -> BinaryIO | None:
    """Wait until it is this run's turn and one of `at_once()` slots is free; None when it was asked to stop before.

    First come, first served. `at_once` is asked again at each look, so that a changed setting reaches those who wait;
    a lowered one leaves the runs at work alone.
    """
    while not should_stop():
        if not _somebody_was_here_before(run):
            for number in range(at_once()):
                slot = hold(run.root / SLOTS_FOLDER / f"slot-{number}")
                if slot is not None:
                    return slot
        pause(POLL_S)
    return None


def _somebody_was_here_before(run: Run) -> bool:
    mine = _place(run, run.state())
    for other in list_runs(run.root):
        if other != run:
            with suppress(RunNotFound):  # removed since it was listed
                state = other.state()
                if state.status == "queued" and state.has_worker and _place(other, state) < mine:
                    return True
    return False


def _place(run: Run, state: State) -> tuple[str, str]:
    return (state.queued.isoformat() if state.queued else "", run.name)


def _refused(path: Path, error: OSError) -> StorageFailed:
    return StorageFailed(f"{path} can't be locked: {error.strerror or error}.", "Check the data folder's file system.")
