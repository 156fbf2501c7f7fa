"""The state of a run: one small file, replaced as a whole, read together with the state of the process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from core.errors import StorageFailed
from core.jobs.errors import RunNotFound
from core.jobs.processes import is_alive
from core.jobs.stat_cache import StatCache
from core.system.atomic_file import write_atomically
from core.system.platform_files import lock

Status = Literal["queued", "running", "done", "failed", "stopped", "interrupted"]

STATE_FILE = "state.json"
LOCK_FILE = ".lock"


@dataclass(frozen=True)
class State:
    """The state of a run. "interrupted" is never stored: it is queued or running with a process that has ended."""

    status: Status
    attempts: int = 1
    queued: datetime | None = None
    started: datetime | None = None
    """When the last attempt left the queue."""
    ended: datetime | None = None
    pid: int | None = None
    process_start: str | None = None
    """Result of `processes.process_start` for `pid`, which identifies the process."""
    has_worker: bool = False
    """True once the run's own process took over from the one that launched it."""
    error: str = ""
    next_step: str = ""

    @property
    def live(self) -> bool:
        """True while a process executes the run or waits for its turn."""
        return self.status in ("queued", "running")

    @property
    def resumable(self) -> bool:
        return self.status in ("interrupted", "failed", "stopped")


_STATES: StatCache[State] = StatCache()


def read_state(folder: Path) -> State:
    """The current state. An unreadable file counts as interrupted, so that the run can be resumed.

    Raises RunNotFound when the folder holds no run.
    """
    stored = stored_state(folder)
    while stored.live and not is_alive(stored.pid, stored.process_start):
        # It may have ended properly between the two looks. Once it is dead it writes no more: the same twice is final.
        again = stored_state(folder)
        if again == stored:
            return replace(stored, status="interrupted")
        stored = again
    return stored


def stored_state(folder: Path) -> State:
    """The stored state, regardless of the process."""
    path = folder / STATE_FILE
    try:
        return _STATES.get(path, lambda: _parse(json.loads(path.read_bytes())))
    except (FileNotFoundError, NotADirectoryError):
        if not folder.is_dir():
            raise RunNotFound(f"There is no run at {folder}.", "It may have been removed.") from None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return State("interrupted", error=f"{STATE_FILE} can't be read.", next_step="Resume the run, or remove it.")


def write_state(folder: Path, state: State) -> None:
    """Replace the stored state. Call it inside `locked`. Raises StorageFailed."""
    record = {key: _as_text(value) for key, value in asdict(state).items()}
    write_atomically(folder / STATE_FILE, json.dumps(record, indent=2).encode("ascii"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock against other threads and processes, for a read and the write that follows from it.

    Raises RunNotFound when the run was removed, also while waiting for the lock.
    """
    try:
        file = (folder / LOCK_FILE).open("ab")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunNotFound(f"There is no run at {folder}.", "It may have been removed.") from error
    except OSError as error:
        raise StorageFailed(
            f"{folder} can't be written: {error.strerror}.", "Check its permissions and the disk."
        ) from error
    with file:
        lock(file.fileno(), wait=True)
        if not folder.is_dir():
            raise RunNotFound(f"{folder} was removed.")
        yield


def now() -> datetime:
    return datetime.now(UTC)


def _parse(record: dict[str, Any]) -> State:
    if record["status"] not in get_args(Status) or record["status"] == "interrupted":
        raise ValueError(record["status"])
    times = {key: _as_time(record.get(key)) for key in ("queued", "started", "ended")}
    return State(
        status=record["status"],
        attempts=int(record.get("attempts", 1)),
        pid=None if record.get("pid") is None else int(record["pid"]),
        process_start=record.get("process_start"),
        has_worker=record.get("has_worker") is True,
        error=str(record.get("error") or ""),
        next_step=str(record.get("next_step") or ""),
        **times,
    )


def _as_time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _as_text(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
