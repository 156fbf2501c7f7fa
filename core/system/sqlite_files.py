"""Open, inspect, copy and search SQLite database files without dropping the locks that SQLite holds on them.

POSIX advisory locks belong to the process: closing any descriptor of a file drops every lock that the process has on
it, SQLite's included. Another process may then delete the write-ahead log under a living connection, and what was
committed is lost (SQLite, "How To Corrupt An SQLite Database File", section 2.2). So no code opens a database file, or
its -shm, except through this module: connections, headers and copies go through SQLite, and raw bytes through a
descriptor that stays open for the life of the process.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, overload

from core.system.platform_files import read_at

SUFFIXES = frozenset({".db", ".sqlite", ".sqlite3"})
"""Files with these endings are taken as databases, whether or not this process has opened them."""

_SIDE_FILES = ("-wal", "-shm", "-journal")
_DAMAGE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH)
CACHE_WAIT_S = 60.0
HEADER_WAIT_S = 10.0

_Identity = tuple[int, int]
_ConnectionT = TypeVar("_ConnectionT", bound=sqlite3.Connection)

_lock = threading.RLock()
_opened: set[_Identity] = set()
_descriptors: dict[_Identity, int] = {}


@dataclass(frozen=True)
class Header:
    """A database file's `PRAGMA application_id` and `PRAGMA user_version`, 0 where nothing was set."""

    application_id: int
    user_version: int


@overload
def connect(
    path: Path, *, wait_s: float, mode: str = ..., immutable: bool = ..., any_thread: bool = ...
) -> sqlite3.Connection: ...
@overload
def connect(
    path: Path,
    *,
    wait_s: float,
    mode: str = ...,
    immutable: bool = ...,
    any_thread: bool = ...,
    factory: type[_ConnectionT],
) -> _ConnectionT: ...
def connect(
    path: Path,
    *,
    wait_s: float,
    mode: str = "rwc",
    immutable: bool = False,
    any_thread: bool = False,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """Return a connection in autocommit mode to the database at `path`.

    mode: "ro", "rw" or "rwc", which makes the file where it is missing, readable by its owner only. immutable: read the
    file as it is, without locks, side files or journal. wait_s: how long to wait for another connection's lock.
    Raises sqlite3.Error, OSError.
    """
    address = f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}"
    with _lock:  # between making the file and closing its descriptor, no other thread may get a lock on it
        if mode == "rwc":
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            address, uri=True, timeout=wait_s, isolation_level=None, check_same_thread=not any_thread, factory=factory
        )
        if (identity := identity_of(path)) is not None:
            _opened.add(identity)
    return connection


def identity_of(path: Path) -> _Identity | None:
    """Device and inode of the file that `path` names; None when there is none, or `path` can't name one."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return (status.st_dev, status.st_ino)


def read_header(path: Path) -> Header | None:
    """The header of the database file at `path`; None when the file is missing or empty.

    Read by an immutable connection: the file, its locks and its folder stay as they are. Only a file that makes no
    sense without its write-ahead log is read with it. Raises sqlite3.DatabaseError for any other file, OSError.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    try:
        with closing(connect(path, wait_s=0, mode="ro", immutable=True)) as connection:
            return _header(connection)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
    with closing(connect(path, wait_s=HEADER_WAIT_S, mode="ro")) as connection:
        return _header(connection)


def is_database(path: Path) -> bool:
    """Whether the file at `path` is an SQLite database. Raises OSError when it can't be read."""
    try:
        return path.is_file() and read_header(path) is not None
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CANTOPEN:
            raise PermissionError(f"{path} can't be opened") from error
        return False


def is_open_here(path: Path) -> bool:
    """Whether this process has opened `path` as a database. Code that reads a file named by a user asks first."""
    try:
        # A deleted database's inode may have gone to another file since: its header tells.
        return identity_of(path) in _opened and is_database(path)
    except OSError:  # opening it will fail alike, and say so
        return False


def must_stay_open(path: Path) -> bool:
    """Whether opening and closing `path` by ordinary means could drop SQLite's locks: it is a database, by its ending
    or because this process has opened it as one, or the -shm beside one."""
    return path.suffix.lower() in SUFFIXES or path.name.endswith("-shm") or is_open_here(path)


def raw_chunks(path: Path, size: int = 1 << 24, overlap: int = 0) -> Iterator[bytes]:
    """The bytes of a database file as they are on the disk, free pages included, in pieces of at most `size`.

    Each piece begins with the last `overlap` bytes of the one before, so that a search finds what spans two. The file's
    descriptor stays open for the life of the process, or until the file is deleted. Raises OSError.
    """
    descriptor = _kept_descriptor(path)
    end, start = os.fstat(descriptor).st_size, 0
    while chunk := read_at(descriptor, size, start):
        yield chunk
        if start + len(chunk) >= end:
            return
        start += max(1, len(chunk) - overlap)


def side_files(path: Path) -> list[Path]:
    """The files that SQLite may keep beside a database."""
    return [path.with_name(f"{path.name}{suffix}") for suffix in _SIDE_FILES]


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Begin a write: commit at the end of the block, roll back on an exception. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def erase_rows(connection: sqlite3.Connection, statement: str, keys: Iterable[object]) -> int:
    """Delete rows by `statement`, one key each, with their pages and journal, and return how many. Raises
    sqlite3.Error."""
    connection.execute("PRAGMA secure_delete = ON")
    with transaction(connection):
        erased = connection.executemany(statement, [(key,) for key in keys]).rowcount
    if erased:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return erased


@contextmanager
def cache_file(path: Path, tables: Iterable[str], *, writing: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a database that only caches what can be made again, with its tables; `writing` makes the block one
    transaction. Raises sqlite3.Error, OSError."""
    with closing(connect(path, wait_s=CACHE_WAIT_S)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        for table in tables:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        with transaction(connection) if writing else nullcontext():
            yield connection


def is_damage(error: Exception) -> bool:
    """Whether an error from reading a cache means that its content is unusable, rather than that the file is busy or
    can't be opened now."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
    return not isinstance(error, OSError)


def remove_database(path: Path) -> None:
    """Delete a database that nobody has open, with its side files: a log left there would be applied to a new file."""
    for each in (path, *side_files(path)):
        each.unlink(missing_ok=True)


def _header(connection: sqlite3.Connection) -> Header:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    return Header(int(application_id), int(connection.execute("PRAGMA user_version").fetchone()[0]))


def _kept_descriptor(path: Path) -> int:
    with _lock:
        for kept, descriptor in list(_descriptors.items()):
            if os.fstat(descriptor).st_nlink == 0:  # deleted: nobody can open it again
                os.close(_descriptors.pop(kept))
                _opened.discard(kept)
        identity = identity_of(path)
        if identity is not None and identity in _descriptors:
            return _descriptors[identity]
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        status = os.fstat(descriptor)
        return _descriptors.setdefault((status.st_dev, status.st_ino), descriptor)
