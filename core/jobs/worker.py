"""The process of one run: waits for its turn, calls the job, and writes the outcome into the run's folder.

`python -m core.jobs.worker RUN_FOLDER`. Started by `launch`; a second one for the same run ends at once.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.access.actor import resolve_with, run_actor
from core.errors import CoreError
from core.jobs.context import JobContext, JobFunction, OnEvent
from core.jobs.errors import JobError, JobStopped
from core.jobs.events import EventLog
from core.jobs.policy import Policy, read_policy
from core.jobs.processes import process_start
from core.jobs.run_dir import Run
from core.jobs.slots import hold, wait_for_slot
from core.jobs.state import Status, locked, now, stored_state, write_state
from core.settings import Settings, data_folder, load_settings
from core.system.logs import Public, log_run_to_stderr, logger
from core.system.private_files import keep_private
from core.system.thread_env import let_threads_wait

_log = logger("core.jobs.worker")  # this module's __name__ is "__main__"

KINDS: dict[str, str] = {
    "ingest": "core.dataset.runs:ingest",
    "build": "core.dataset.runs:build",
    "demo": "core.dataset.runs:demo",
    "fetch": "core.dataset.runs:fetch",
    "check": "core.dataset.runs:check",
    "reembed": "core.enrolment.reembed:run",
    "finetune": "core.training.jobs:run",
    "dsr": "core.training.jobs:run",
    "starter": "core.training.jobs:run",
    "landmarks": "core.training.landmarks.job:run",
    "evaluate": "core.evaluation.job:run",
    "diagnose": "core.diagnostics.job:run",
    "video": "core.video.job:run",
    "bench": "core.bench.job:run",
}
"""The job of every kind of run, as "module:function". A module is imported when it is the run's turn."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

DONE, FAULT, MISTAKE = 0, 1, 2


def main(arguments: Sequence[str] | None = None, kinds: Mapping[str, str] = KINDS) -> int:
    """Execute the run in the given folder; the exit code is 0 when it is done or stopped, 1 when it failed."""
    keep_private(data_folder())
    resolve_with(run_actor)
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        return _refuse("name one run's folder")
    run = Run(Path(arguments[0]).resolve())
    asked_to_end = _listen()
    try:
        log_run_to_stderr()  # launch() has directed standard error to the run's output.log
        alone = hold(run.path / ".worker") if run.path.is_dir() else None
        if alone is None:
            return _refuse(f"{run.path} is no run, or another process works on it")
        with alone:
            _take_over(run)
            return _work(run, load_settings(), kinds, asked_to_end)
    except CoreError as error:  # the folder itself can't be read or written: there is no place to say so but here
        return _refuse(str(error))


def _work(run: Run, settings: Settings, kinds: Mapping[str, str], asked_to_end: Callable[[], bool]) -> int:
    seen_stop = False

    def should_stop() -> bool:
        nonlocal seen_stop
        seen_stop = seen_stop or asked_to_end() or run.stop_path.exists()
        return seen_stop

    began = time.monotonic()

    def end(status: Status, what: str = "", next_step: str = "") -> int:
        _log.info("run %s: %s after %.1f s", run.log_id, Public(status), time.monotonic() - began)
        return _end(run, log, status, what, next_step)

    with closing(EventLog(run.events_path)) as log:
        try:
            _behave(read_policy(settings))
            log.append("queued")
            slot = wait_for_slot(run, lambda: read_policy(settings).at_once, should_stop)
            if slot is None:
                raise JobStopped
            with slot:
                resumed = stored_state(run.path).attempts > 1
                _write(run, "running")
                log.append("resumed" if resumed else "started")
                _log.info("run %s: %s", run.log_id, Public("resumed" if resumed else "started"))
                job = find_job(kinds, run.kind)
                report = job(JobContext(run, run.config, _spoken(log), should_stop, resumed))
                if seen_stop:
                    raise JobStopped
                run.write_report(report or {})
                return end("done")
        except JobStopped as stopped:
            return end("stopped", stopped.what, stopped.next_step)
        except CoreError as error:
            return end("failed", error.what, error.next_step)
        except OSError as error:
            _log.error("run %s: the system refused", run.log_id, exc_info=error)
            where = f"{error.filename}: " if error.filename else ""
            what = f"The system refused: {where}{error.strerror or type(error).__name__}."
            return end("failed", what, "Check the disk and permissions, then resume the run.")
        except (Exception, SystemExit) as error:  # noqa: BLE001 (the last net: whatever a job does, its run ends properly)
            _log.error("run %s: unexpected %s", run.log_id, error, exc_info=error)
            what = f"Something went wrong inside ({type(error).__name__})."
            return end("failed", what, "Where it happened is in the run's output.log.")


def _spoken(log: EventLog) -> OnEvent:
    """A callback that appends events to the log; texts for people (`text` of a log event, `line` of any event) are
    printed too, so that output.log is readable."""

    def on_event(kind: str, /, **data: Any) -> None:
        log.append(kind, **data)
        text = data.get("text") if kind == "log" else data.get("line")
        if isinstance(text, str):
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    return on_event


def _listen() -> Callable[[], bool]:
    """Treat a termination signal as a request to stop, like the file `stop`. Child processes are terminated by it as
    usual."""
    asked: list[int] = []
    hang_up = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []  # Windows has none
    numbers = (signal.SIGTERM, signal.SIGINT, *hang_up)
    for number in numbers:
        signal.signal(number, lambda received, _: asked.append(received))
    if hasattr(os, "register_at_fork"):
        _die_of(numbers)
    return lambda: bool(asked)


def _die_of(numbers: Sequence[signal.Signals]) -> None:
    """Reset the handlers in child processes. A signal during a fork is held back until the child has the default
    handler: otherwise it would be lost, and the parent would wait for the child for ever."""
    earlier = threading.local()

    def before() -> None:
        earlier.mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def after() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier.mask)

    def in_child() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        after()

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=in_child)


def _take_over(run: Run) -> None:
    with locked(run.path):
        state = stored_state(run.path)
        if state.status == "done":
            raise JobError(f"{run.id} is done.")
        pid = os.getpid()
        attempts = state.attempts + (state.status != "queued")  # else `resume` has counted it
        mine = replace(
            state, status="queued", attempts=attempts, pid=pid, process_start=process_start(pid), has_worker=True
        )
        write_state(
            run.path, replace(mine, queued=state.queued or now(), started=None, ended=None, error="", next_step="")
        )


def _write(run: Run, status: Status, error: str = "", next_step: str = "") -> None:
    with locked(run.path):
        state = stored_state(run.path)
        if status == "running":
            write_state(run.path, replace(state, status=status, started=now()))
        else:
            write_state(run.path, replace(state, status=status, ended=now(), error=error, next_step=next_step))


def _end(run: Run, log: EventLog, status: Status, what: str = "", next_step: str = "") -> int:
    """Write the event first, then the state: readers follow the events until the state says that the run has ended."""
    said: dict[str, Any] = {"what": what, "next_step": next_step} if what else {}
    try:
        log.append(status, **said)
    finally:
        _write(run, status, what if status == "failed" else "", next_step if status == "failed" else "")
    return FAULT if status == "failed" else DONE


def find_job(kinds: Mapping[str, str], kind: str) -> JobFunction:
    """The job function of a kind. Raises JobError for an unknown kind, ImportError for an invalid table."""
    if kind not in kinds:
        raise JobError(f"There is no job of the kind '{kind}'.", f"Known kinds: {', '.join(sorted(kinds))}.")
    module, _, function = kinds[kind].partition(":")
    job: JobFunction = getattr(importlib.import_module(module), function)
    return job


def _behave(policy: Policy) -> None:
    """Apply the priority and the number of threads, before any numerical library is imported."""
    if hasattr(os, "nice"):
        os.nice(max(0, policy.niceness - os.nice(0)))
    elif policy.niceness:
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)  # Windows
    let_threads_wait()
    if policy.threads is not None:
        os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(policy.threads)))


def _refuse(text: str) -> int:
    sys.stderr.write(f"error: {text}\n")
    return MISTAKE


if __name__ == "__main__":
    sys.exit(main())
