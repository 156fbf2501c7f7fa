"""Queue of runs: an active run holds the lock of a slot's file, which the system releases however the process ends.

A forked child closes the files that its parent holds, so one that outlives a killed job holds no slot.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from core.errors import StorageFailed
from core.jobs.errors import RunNotFound
from core.jobs.run_dir import Run, list_runs
from core.jobs.state import State
from core.system.platform_files import lock

SLOTS_FOLDER = ".slots"
POLL_S = 0.25

_HELD: weakref.WeakSet[BinaryIO] = weakref.WeakSet()


def _release_in_child() -> None:
    for file in list(_HELD):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_child)


def hold(path: Path) -> BinaryIO | None:
    """Lock `path` until the returned file is closed or this process ends; None when another process holds it.

    Raises StorageFailed where the file can't be created or the file system has no locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise _refused(path, error) from error
    try:
        if lock(file.fileno(), wait=False):
            _HELD.add(file)
            return file
    except OSError as error:
        file.close()
        raise _refused(path, error) from error
    file.close()
    return None


def wait_for_slot(
    run: Run, at_once: Callable[[], int], should_stop: Callable[[], bool], pause: Callable[[float], None] = time.sleep
) -> BinaryIO | None:
    """Wait until it is this run's turn and one of `at_once()` slots is free; None when the run was asked to stop
    before.

    Runs are served in the order of queueing. `at_once` is called at each check, so that a changed setting reaches
    waiting runs; active runs aren't affected.
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
