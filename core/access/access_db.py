"""The database of the audit trail and of failed sign-ins: SQLite in the data folder, readable by its owner only.

The trail is append-only: triggers refuse to change or delete a line. A name that was typed is kept for an hour as a
hash keyed with a separate file, so that a copy of the database reveals neither names nor passwords that were typed into
the wrong field. Deleted content is overwritten.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from core.errors import StorageFailed
from core.settings import Settings
from core.system.atomic_file import write_atomically
from core.system.sqlite_files import connect, transaction

WAIT_S = 10.0
_TABLES = (
    """CREATE TABLE IF NOT EXISTS trail(
        id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actor TEXT NOT NULL, event TEXT NOT NULL,
        subject TEXT NOT NULL) STRICT""",
    """CREATE TRIGGER IF NOT EXISTS trail_stays BEFORE UPDATE ON trail
        BEGIN SELECT RAISE(ABORT, 'a line of the trail is never changed'); END""",
    """CREATE TRIGGER IF NOT EXISTS trail_keeps BEFORE DELETE ON trail
        BEGIN SELECT RAISE(ABORT, 'a line of the trail is never deleted'); END""",
    # account: `keyed_hash` of what was typed
    "CREATE TABLE IF NOT EXISTS attempt(id INTEGER PRIMARY KEY, account TEXT NOT NULL, at REAL NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS attempt_at ON attempt(at)",
)
_KEYED = 1
"""`PRAGMA user_version` of a file whose attempts are hashed with a key; before, they were plain SHA-256."""
_KEY_BYTES = 32


def access_db_path(settings: Settings) -> Path:
    return settings.data_dir / "access.db"


@contextmanager
def write_transaction(settings: Settings) -> Iterator[sqlite3.Connection]:
    """A write transaction, flushed to disk when the block ends. Raises StorageFailed."""
    path = access_db_path(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(connect(path, wait_s=WAIT_S)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            if connection.execute("PRAGMA user_version").fetchone()[0] < _KEYED:
                _forget_plain_hashes(connection)
            with transaction(connection):
                for statement in _TABLES:
                    connection.execute(statement)
                yield connection
    except (sqlite3.Error, OSError) as error:
        raise StorageFailed(f"{path} can't be written: {error}.", "Free space, or check its permissions.") from error


@contextmanager
def read_connection(settings: Settings) -> Iterator[sqlite3.Connection | None]:
    """Open the file for reading; None where there is none yet. Raises StorageFailed."""
    path = access_db_path(settings)
    if not path.exists():
        yield None
        return
    try:
        with closing(connect(path, wait_s=WAIT_S, mode="ro")) as connection:
            yield connection
    except (sqlite3.Error, OSError) as error:
        raise StorageFailed(f"{path} can't be read: {error}.", "Put a copy of it back.") from error


def keyed_hash(settings: Settings, text: str) -> str:
    """Return the HMAC-SHA-256 of a typed name, cut to 32 hexadecimal digits.

    Call it within `write_transaction`, which lets one process at a time make the key. Raises StorageFailed.
    """
    path = settings.data_dir / "access.key"
    try:
        key = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise StorageFailed(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from error
    if len(key) != _KEY_BYTES:
        key = secrets.token_bytes(_KEY_BYTES)
        write_atomically(path, key)
    return hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


def _forget_plain_hashes(connection: sqlite3.Connection) -> None:
    """Erase the attempts that an earlier version stored without a key; rate limiting starts over."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'attempt'").fetchone():
        connection.execute("DELETE FROM attempt")
        connection.execute("VACUUM")
    connection.execute(f"PRAGMA user_version = {_KEYED}")
