"""Run folders: `<root>/<kind>/<UTC time>-<slug>/`, created, found, listed and removed as a whole.

```
config.json    the resolved configuration; never edited
state.json     queued, running, done, failed or stopped; pid and start of the process; replaced as a whole
events.jsonl   the events, one per line; one writer, append-only
output.log     the output of the process
report.json    the result
checkpoints/   files of the job
stop           an empty file that asks the job to end
```
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.access.actor import require
from core.access.trail import write_trail
from core.errors import StorageFailed
from core.jobs.errors import JobError, RunNotFound
from core.jobs.json_values import to_json
from core.jobs.permissions import permission_for
from core.jobs.processes import process_start
from core.jobs.stat_cache import StatCache
from core.jobs.state import State, locked, now, read_state, write_state
from core.settings import Settings, load_settings
from core.system.atomic_file import write_atomically
from core.system.logs import Public

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_NAME = re.compile(r"\d{8}T\d{9}Z-[a-z0-9-]+")
_SLUG_LENGTH = 40


@dataclass(frozen=True)
class Run:
    """A run, by its folder. Everything is read from there at each call: other processes write it."""

    path: Path

    @property
    def kind(self) -> str:
        return self.path.parent.name

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def id(self) -> str:
        """`<kind>/<name>`, as commands and pages show it."""
        return f"{self.kind}/{self.name}"

    @property
    def log_id(self) -> Public:
        """`<kind>/<time>`: names the run in a log, without the part of its name that a user may have chosen."""
        return Public(f"{self.kind}/{self.name.partition('-')[0]}")

    @property
    def root(self) -> Path:
        """The folder of all runs."""
        return self.path.parent.parent

    @property
    def created(self) -> datetime:
        return datetime.strptime(f"{self.name.partition('Z')[0]}000", "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)

    @property
    def events_path(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def log_path(self) -> Path:
        return self.path / "output.log"

    @property
    def stop_path(self) -> Path:
        return self.path / "stop"

    @property
    def checkpoints(self) -> Path:
        """The job's folder for what it resumes from; created with the run."""
        return self.path / "checkpoints"

    @property
    def config(self) -> dict[str, Any]:
        """The configuration. Raises RunNotFound, StorageFailed when the file is damaged."""
        path = self.path / "config.json"
        config = _read_object(path, lambda: _CONFIGS.get(path, path.read_bytes))  # never edited, and often asked for
        if config is None:
            raise RunNotFound(f"There is no run at {self.path}.", "It may have been removed.")
        return config

    @property
    def report(self) -> dict[str, Any] | None:
        """The report; None before the run is done. Raises StorageFailed when the file is damaged."""
        return _read_object(self.path / "report.json")

    def state(self) -> State:
        """The current state. Raises RunNotFound."""
        return read_state(self.path)

    def write_report(self, report: Mapping[str, Any]) -> None:
        """Replace the report. Raises StorageFailed."""
        write_atomically(self.path / "report.json", to_json(report, indent=2))


def runs_root(settings: Settings) -> Path:
    """The folder of an installation's runs."""
    return settings.data_dir / "runs"


def settings_of(run: Run) -> Settings:
    """The settings of the installation that keeps a run."""
    return replace(load_settings(), data_dir=run.root.parent)


def create_run(
    root: Path,
    kind: str,
    slug: str,
    config: Mapping[str, Any],
    *,
    files: Mapping[str, bytes] | None = None,
    at: datetime | None = None,
    pid: int | None = None,
) -> Run:
    """Create the folder of a new run, queued by process `pid` (default: this one).

    It appears as a whole or not at all. `config` holds JSON values and paths; `files` are written into the
    folder by name; `at` is the time in its name (default: now). Raises JobError for an invalid kind, config or file
    name, StorageFailed, NotAllowed.
    """
    require(permission_for(kind))
    if not _KIND.fullmatch(kind):
        raise JobError(f"'{kind}' can't name a kind of run.", "Use lower-case letters, digits and '-'.")
    for name in files or {}:
        if Path(name).name != name or name in ("", ".", ".."):
            raise JobError(f"'{name[:80]}' can't name a file of a run.", "Give a file name without a folder.")
    try:
        content = to_json(config, indent=2)
    except (TypeError, ValueError) as error:
        raise JobError(f"The configuration of a run can't be stored: {error}.", "Use JSON values.") from error
    when = (at or now()).astimezone(UTC)
    holder = os.getpid() if pid is None else pid
    folder = root / kind
    hidden: str | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hidden = tempfile.mkdtemp(prefix=".new-", dir=folder)
        (Path(hidden) / "checkpoints").mkdir()
        write_atomically(Path(hidden) / "config.json", content)
        for name, given in (files or {}).items():
            write_atomically(Path(hidden) / name, given)
        write_state(Path(hidden), State("queued", queued=now(), pid=holder, process_start=process_start(holder)))
        return Run(_move_into_place(Path(hidden), folder, slugged(slug), when))
    except OSError as error:
        raise _refused(folder, error) from error
    finally:
        if hidden is not None:
            shutil.rmtree(hidden, ignore_errors=True)


def list_runs(root: Path, kind: str | None = None) -> list[Run]:
    """All runs (of one kind), newest first. Other files are ignored; without the folder there are none."""
    if kind is None:
        found = [run for folder in _entries(root) for run in _runs_in(folder)]
        return sorted(found, key=lambda run: (run.name, run.kind), reverse=True)
    return list(_runs_in(root / kind)) if _KIND.fullmatch(kind) else []


_FOLDERS: StatCache[tuple[Path, ...]] = StatCache()
_LISTS: StatCache[tuple[Run, ...]] = StatCache()
_CONFIGS: StatCache[bytes] = StatCache()


def _runs_in(folder: Path) -> tuple[Run, ...]:
    """The runs in a kind's folder, newest first. A run enters and leaves the folder by a rename."""

    def look() -> tuple[Run, ...]:
        runs = [Run(path) for path in folder.iterdir() if _is_run(path) and (path / "config.json").is_file()]
        return tuple(sorted(runs, key=lambda run: run.name, reverse=True))

    try:
        return _LISTS.get(folder, look)
    except OSError:  # not there, or not to be looked at
        return ()


def _entries(root: Path) -> tuple[Path, ...]:
    try:
        return _FOLDERS.get(root, lambda: tuple(path for path in root.iterdir() if _KIND.fullmatch(path.name)))
    except OSError:
        return ()


def find_run(root: Path, text: str) -> Run:
    """The run that `text` names: `<kind>/<name>`, a name, a part that fits only one run, or "last".

    Raises RunNotFound when none or several match.
    """
    runs = list_runs(root)
    if text == "last" and runs:
        return runs[0]
    exact = [run for run in runs if text in (run.id, run.name)]
    fitting = exact or [run for run in runs if text.strip() and text in run.id]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise RunNotFound(f"{len(fitting)} runs match '{text}': {fitting[0].id}, {fitting[1].id}.", "Name one in full.")
    raise RunNotFound(f"There is no run '{text}'.", "`edgeface-studio runs list` shows them all.")


def delete_run(run: Run) -> None:
    """Remove a run's folder for good. Raises JobError while it is live, RunNotFound, StorageFailed, NotAllowed."""
    require(permission_for(run.kind))
    with locked(run.path):
        if run.state().live:
            raise JobError(f"{run.id} is still active.", "Stop it first.")
        # Out of sight first, as a whole: a removal cut short leaves nothing that looks like a run.
        doomed = run.path.with_name(f".removed-{run.name}-{os.getpid()}")
        try:
            run.path.rename(doomed)
        except OSError as error:
            raise _refused(run.path, error) from error
    try:
        shutil.rmtree(doomed)
    except OSError as error:
        raise _refused(doomed, error) from error
    # Last: on a full disk, which is why some runs are deleted, this line can't be written before.
    write_trail(settings_of(run), "run deleted", run.id)


def slugged(text: str) -> str:
    """`text` as the end of a folder's name: small letters, digits and single '-'; "run" when nothing is left."""
    short = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_SLUG_LENGTH].strip("-")
    return short or "run"


def _move_into_place(hidden: Path, folder: Path, slug: str, when: datetime) -> Path:
    while True:
        path = folder / f"{when:%Y%m%dT%H%M%S}{when.microsecond // 1000:03d}Z-{slug}"
        try:
            return hidden.rename(path)
        except OSError:
            if not path.exists():
                raise
            when += timedelta(milliseconds=1)  # two in the same millisecond: the later one is named later


def _is_run(path: Path) -> bool:
    return _NAME.fullmatch(path.name) is not None and _KIND.fullmatch(path.parent.name) is not None


def _read_object(path: Path, read: Callable[[], bytes] | None = None) -> dict[str, Any] | None:
    try:
        value = json.loads((read or path.read_bytes)())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise StorageFailed(f"{path} can't be read.", "Remove the run, or put the file back.") from error
    if not isinstance(value, dict):
        raise StorageFailed(f"{path} isn't a file of a run.", "Remove the run, or put the file back.")
    return value


def _refused(path: Path, error: OSError) -> StorageFailed:
    return StorageFailed(f"{path} can't be changed: {error.strerror or error}.", "Check its permissions and the disk.")
