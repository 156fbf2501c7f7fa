"""Consistent single-file copies of a gallery in use: SQLite's backup, checked, then renamed into place."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from core.errors import StorageFailed
from core.gallery.errors import GalleryUnreadable
from core.system.platform_files import flush_folder
from core.system.sqlite_files import connect, remove_database

FOLDER = "backups"

WAIT_S = 30.0
LEFTOVER_S = 3600.0
"""An unfinished file of that age is nobody's: copying a gallery takes seconds."""


def backup_folder(gallery_path: Path | str) -> Path:
    """Return the folder of a gallery's backups, beside its file."""
    return Path(gallery_path).parent / FOLDER


def snapshot(source: Path, target: Path) -> None:
    """Copy the gallery at `source`, as it is at one moment, to `target`: one complete file without a journal, private
    to its owner. Writers aren't blocked. An earlier `target` is replaced.

    Raises GalleryUnreadable (the source is damaged), StorageFailed, sqlite3.Error.
    """
    with temporary_copy(target) as temporary:
        copy_database(source, temporary)
        publish(temporary, target)


@contextmanager
def temporary_copy(target: Path) -> Iterator[Path]:
    """Yield an empty private file beside `target`, removed afterwards unless it was published.

    Files that killed processes left there are removed too.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(target.parent, older_than_s=LEFTOVER_S)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _refused(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
    finally:
        remove_database(temporary)


def remove_unfinished(folder: Path, *, older_than_s: float = 0.0) -> int:
    """Remove unfinished copies in `folder` of at least that age, and return their number."""
    removed = 0
    for path in folder.glob(".*.part*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime >= older_than_s:
                path.unlink()
                removed += 1
    return removed


def copy_database(source: Path, target: Path) -> None:
    """Copy a database page by page and check the copy. Raises GalleryUnreadable, sqlite3.Error."""
    with (
        closing(connect(source, wait_s=WAIT_S, mode="ro")) as reading,
        closing(connect(target, wait_s=WAIT_S)) as writing,
    ):
        reading.backup(writing)  # in one step: a reader's view of one moment
        writing.execute("PRAGMA journal_mode = DELETE")
        problem = integrity_problem(writing)
    if problem:
        raise GalleryUnreadable(f"{source} is damaged: {problem}.", "Put a copy of it back, or import an export of it.")


def publish(temporary: Path, target: Path) -> None:
    """Rename `temporary`, which SQLite has flushed to disk, to `target`. Raises StorageFailed."""
    try:
        temporary.replace(target)
        flush_folder(target.parent)
    except OSError as error:
        raise _refused(target, error) from error


def integrity_problem(connection: sqlite3.Connection) -> str:
    """Return what SQLite's integrity checks find, in a few words; "" for a sound database."""
    verdict = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if verdict != "ok":
        return verdict.splitlines()[0]
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    return "" if orphan is None else f"a row of {orphan[0]} belongs to nothing"


def _refused(target: Path, error: OSError) -> StorageFailed:
    return StorageFailed(
        f"{target} couldn't be written: {error.strerror or error}.", "Free space or choose another folder."
    )
