"""Jobs small enough to be killed many times in a test. The worker imports this module; pytest doesn't."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from core.access.actor import current_actor
from core.errors import CoreError
from core.jobs.context import JobContext
from core.jobs.processes import die_with_parent, process_start
from core.system.atomic_file import write_atomically

KINDS = {
    "count": "tiny_jobs:count",
    "wait": "tiny_jobs:wait",
    "fault": "tiny_jobs:fault",
    "mistake": "tiny_jobs:mistake",
    "leave": "tiny_jobs:leave",
    "full": "tiny_jobs:full",
    "pool": "tiny_jobs:pool",
    "look": "tiny_jobs:look",
    "nowhere": "no_such_module:run",
    "orphans": "tiny_jobs:orphans",
    "hasty": "tiny_jobs:hasty",
}


def count(context: JobContext) -> dict[str, Any]:
    """Add a line for every number up to `to`, one event each; goes on after the last that was kept.

    With a `gate`, a file with a number, it waits there until the file holds a higher one.
    """
    kept = context.run.checkpoints / "kept.txt"
    lines = kept.read_text().splitlines() if context.resumed and kept.exists() else []
    for number in range(len(lines), context.config["to"]):
        context.check_stop()
        time.sleep(context.config.get("pause_s", 0))
        while "gate" in context.config and int(Path(context.config["gate"]).read_text()) <= number:
            time.sleep(0.005)
        lines.append(f"{number} squared is {number**2}")
        write_atomically(kept, "\n".join(lines).encode())
        context.on_event("counted", number=number)
    return {"lines": lines}


def wait(context: JobContext) -> None:
    """Work until it is told to stop, or until the file `go` is there."""
    context.on_event("working")
    while not context.should_stop() and not Path(context.config.get("go", "/nowhere")).exists():
        time.sleep(0.01)


def look(context: JobContext) -> dict[str, Any]:
    """What a job finds around it."""
    print("Hello from the job", flush=True)
    names = ("OMP_NUM_THREADS", "EDGEFACE_DATA_DIR")
    return {
        "actor": [current_actor().name, current_actor().role],
        "nice": os.nice(0),
        "alone": os.getsid(0) == os.getpid(),
        "heavy": sorted({"torch", "numpy", "streamlit", "pandas"} & set(sys.modules)),
        **{name: os.environ.get(name) for name in names},
    }


def fault(context: JobContext) -> None:
    raise KeyError(context.config["who"])


def mistake(context: JobContext) -> None:
    raise CoreError("The folder is empty.", "Choose another one.")


def leave(context: JobContext) -> None:
    sys.exit(0)


def full(context: JobContext) -> None:
    raise OSError(28, "No space left on device", "/some/where")


def pool(context: JobContext) -> None:
    """Children that a pool ends by a signal, as pools do."""
    children = multiprocessing.get_context("fork").Pool(2)
    children.apply(abs, (-1,))
    children.terminate()
    children.join()


def hasty(context: JobContext) -> dict[str, int]:
    """Children that are ended while they are still being forked: how many died of it."""
    ends = []
    for _ in range(20):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        child.start()
        child.terminate()
        child.join()
        ends.append(child.exitcode)
    return {"died": sum(end == -signal.SIGTERM for end in ends)}


def orphans(context: JobContext) -> None:
    """Two children that would work on for long after this process: one as it is, one that follows it into death."""
    for follows in (False, True):
        child = multiprocessing.get_context("fork").Process(target=_sleep, args=(follows, context))
        child.start()
    wait(context)


def _sleep(follows: bool, context: JobContext) -> None:
    if follows:
        die_with_parent()
    mark = context.run.checkpoints / ("follows" if follows else "stays")
    write_atomically(mark, f"{os.getpid()} {process_start(os.getpid())}".encode())
    time.sleep(600)
