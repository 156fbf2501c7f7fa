"""Identity of processes: a pid alone may belong to another process later."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1


def process_start(pid: int) -> str | None:
    """Identifies process `pid` among all that have had or will have that number; None when it is dead.

    On Linux the id of the boot and the clock ticks from there to the start (proc(5), field 22 of /proc/PID/stat);
    elsewhere the second of the start. A zombie counts as dead.
    """
    if pid <= 0:
        return None
    if not (_PROC / "self" / "stat").exists():
        return _start_elsewhere(pid)
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the program's name, in brackets, may hold spaces and brackets itself
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return f"{boot}:{fields[19]}"


def is_alive(pid: int | None, start: str | None) -> bool:
    """True while the process with this pid is the one whose `process_start` was `start`."""
    return pid is not None and start is not None and process_start(pid) == start


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies: for pool workers, which would outlive a killed job.

    Call it first thing in the child (a pool's `initializer`). Elsewhere than on Linux it does nothing.
    """
    if sys.platform.startswith("linux"):
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os._exit(1)


def _start_elsewhere(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.0f}"
    except psutil.Error:
        return None
