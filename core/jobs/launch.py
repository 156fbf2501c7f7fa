"""Start, stop and resume runs. Pages and commands call the same functions and leave the same folder.

The worker is a process in a session of its own: closing the browser or the terminal, or stopping Streamlit, ends none.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.access.actor import ROLE_VARIABLE, VARIABLE, Actor, require
from core.access.places import require_places
from core.access.trail import write_trail
from core.errors import StorageFailed
from core.jobs.errors import JobError
from core.jobs.events import Event, read_events
from core.jobs.permissions import permission_for
from core.jobs.processes import process_start
from core.jobs.run_dir import Run, create_run, runs_root, settings_of
from core.jobs.state import State, locked, now, stored_state, write_state
from core.settings import PROJECT_ROOT, Settings
from core.system.logs import logger

_log = logger(__name__)

WORKER = (sys.executable, "-m", "core.jobs.worker")
FOLLOW_POLL_S = 0.2
_OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
"""What Windows has in place of a session: Ctrl-C in the terminal doesn't reach the worker."""


def launch(
    settings: Settings,
    kind: str,
    config: Mapping[str, Any],
    *,
    slug: str,
    files: Mapping[str, bytes] | None = None,
    worker: Sequence[str] = WORKER,
) -> Run:
    """Start a job in a process of its own and return at once; it runs when it is its turn (see `policy`).

    `config` holds JSON values with absolute paths: the worker starts in the project's folder. `files` are uploads by
    name, written into the run's folder. `worker` is the command that receives the run's folder. Raises JobError and
    StorageFailed when nothing could be started, NotAllowed.
    """
    actor = require(permission_for(kind))
    require_places(settings, config)
    run = create_run(runs_root(settings), kind, slug, config, files=files)
    write_trail(settings, "run started", run.id)
    _log.info("run %s: launched", run.log_id)
    _start(run, settings, worker, actor)
    return run


def resume(run: Run, settings: Settings, *, worker: Sequence[str] = WORKER) -> None:
    """Start an interrupted, failed or stopped run again: it continues from what it stored.

    Raises JobError for a run that is active or done, RunNotFound, StorageFailed,
    NotAllowed.
    """
    actor = require(permission_for(run.kind))
    require_places(settings, run.config)
    with locked(run.path):
        state = run.state()
        if not state.resumable:
            why = "is done" if state.status == "done" else f"is {state.status}"
            raise JobError(f"{run.id} {why}.", "Only an interrupted, failed or stopped run can be resumed.")
        run.stop_path.unlink(missing_ok=True)
        again = State(
            "queued",
            attempts=state.attempts + 1,
            queued=now(),
            pid=os.getpid(),
            process_start=process_start(os.getpid()),
        )
        write_state(run.path, again)
    write_trail(settings, "run resumed", run.id)
    _log.info("run %s: launched again, attempt %d", run.log_id, again.attempts)
    _start(run, settings, worker, actor)


def stop(run: Run) -> None:
    """Ask a run to stop: it ends at its next check, and can be resumed. Raises JobError when it isn't active,
    NotAllowed."""
    require(permission_for(run.kind))
    with locked(run.path):
        state = run.state()
        if not state.live:
            raise JobError(f"{run.id} isn't active: it is {state.status}.")
        try:
            run.stop_path.touch()
        except OSError as error:
            raise StorageFailed(f"{run.stop_path} couldn't be created: {error.strerror}.", "Free space.") from error
    write_trail(settings_of(run), "run asked to stop", run.id)
    _log.info("run %s: asked to stop", run.log_id)


def follow(run: Run, *, poll_s: float = FOLLOW_POLL_S, pause: Callable[[float], None] = time.sleep) -> Iterator[Event]:
    """Every event of a run from its first on, as they come, until it is neither queued nor running any more."""
    offset = 0
    while True:
        live = run.state().live  # looked at before reading: what is written before the end is read
        events, offset = read_events(run.events_path, offset)
        yield from events
        if not live:
            return
        pause(poll_s)


def _start(run: Run, settings: Settings, worker: Sequence[str], actor: Actor) -> None:
    environ = {
        **os.environ,
        "EDGEFACE_DATA_DIR": str(settings.data_dir),
        "EDGEFACE_GALLERY": str(settings.gallery_path),
        "EDGEFACE_MODELS_DIR": str(settings.models_dir),
        VARIABLE: actor.name,  # whom the audit trail names, and what the run may do
        ROLE_VARIABLE: str(actor.role),
        "PYTHONUNBUFFERED": "1",  # what it printed before a kill is in the log
        "PYTHONFAULTHANDLER": "1",
    }
    try:
        with run.log_path.open("ab") as log:
            process = subprocess.Popen(
                [*worker, str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=PROJECT_ROOT,
                env=environ,
                start_new_session=True,
                creationflags=_OWN_GROUP,
            )
    except OSError as error:
        what = f"The process of {run.id} couldn't be started: {error.strerror or error}."
        with locked(run.path):
            write_state(run.path, replace(stored_state(run.path), status="failed", ended=now(), error=what))
        raise JobError(what, "Free memory or disk space, then resume the run.") from error
    # The end of a child has to be waited for, or it stays as a zombie for as long as this process lives.
    threading.Thread(target=process.wait, name=f"wait for {run.name}", daemon=True).start()
    with locked(run.path):
        state = stored_state(run.path)
        if state.status == "queued" and not state.has_worker:
            # From here on the run is alive while the worker is, also when that dies before its first event.
            write_state(run.path, replace(state, pid=process.pid, process_start=process_start(process.pid)))
