"""The file behind the trail and the brake on sign-ins: SQLite in the data folder, readable by its owner only.

The trail only grows: the database refuses to change or to delete a line of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from core.errors import StorageFailed
from core.settings import Settings
from core.sqlite_files import connect

WAIT_S = 10.0
_TABLES = (
    """CREATE TABLE IF NOT EXISTS trail(
        id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actor TEXT NOT NULL, event TEXT NOT NULL,
        subject TEXT NOT NULL) STRICT""",
    """CREATE TRIGGER IF NOT EXISTS trail_stays BEFORE UPDATE ON trail
        BEGIN SELECT RAISE(ABORT, 'a line of the trail is never changed'); END""",
    """CREATE TRIGGER IF NOT EXISTS trail_keeps BEFORE DELETE ON trail
        BEGIN SELECT RAISE(ABORT, 'a line of the trail is never deleted'); END""",
    # account: a hash of what was typed, since some type their password there
    "CREATE TABLE IF NOT EXISTS attempt(id INTEGER PRIMARY KEY, account TEXT NOT NULL, at REAL NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS attempt_at ON attempt(at)",
)


def ledger_path(settings: Settings) -> Path:
    return settings.data_dir / "access.db"


@contextmanager
def writing(settings: Settings) -> Iterator[sqlite3.Connection]:
    """One transaction, on disk when the block ends. Raises StorageFailed."""
    path = ledger_path(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(connect(path, wait_s=WAIT_S)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                for statement in _TABLES:
                    connection.execute(statement)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
    except (sqlite3.Error, OSError) as error:
        raise StorageFailed(f"{path} can't be written: {error}.", "Free space, or check its permissions.") from error


@contextmanager
def reading(settings: Settings) -> Iterator[sqlite3.Connection | None]:
    """The file as it is; None where there is none yet. Raises StorageFailed."""
    path = ledger_path(settings)
    if not path.exists():
        yield None
        return
    try:
        with closing(connect(path, wait_s=WAIT_S, mode="ro")) as connection:
            yield connection
    except (sqlite3.Error, OSError) as error:
        raise StorageFailed(f"{path} can't be read: {error}.", "Put a copy of it back.") from error
