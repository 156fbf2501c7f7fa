"""One connection to the gallery's file: locks, transactions, the version that caches follow, translated errors."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.access.actor import require
from core.access.roles import Permission
from core.errors import StorageFailed
from core.gallery import schema
from core.gallery.cipher import GalleryConnection
from core.gallery.errors import GalleryBusy, GalleryError, GalleryUnreadable
from core.gallery.keys import Keys, key_given
from core.gallery.protection import apply_protection, encrypt_if_new
from core.gallery.snapshot import backup_folder, integrity_problem, snapshot
from core.gallery.sqlite_errors import translated_errors
from core.gallery.storage import Clock, VectorSearch, Version, utc_now
from core.system.logs import logger
from core.system.sqlite_files import connect, identity_of, side_files, transaction

_log = logger(__name__)

IN_MEMORY = ":memory:"

_NO_FILE = (-1, -1)
_WRITABLE = "Nothing was changed. Change the permissions, or copy the gallery to a folder that can be written."


class Database:
    """A gallery's file with one connection, which threads take in turns.

    Write with `with database.transaction() as connection`, read with `with database.reading() as connection`: each sees
    one state of the file, and a write is complete or didn't happen. Other processes may use the file too.
    """

    vectors: VectorSearch | None = None

    def __init__(
        self,
        path: Path | str,
        *,
        now: Clock = utc_now,
        wait_s: float = 30.0,
        create: bool = True,
        keys: Keys = key_given,
        backup_first: bool = True,
    ) -> None:
        """`keys` gives the key when the gallery is encrypted, or new. `backup_first`: keep a copy beside the file
        before its format changes."""
        self.read_only = False
        """The file is on a read-only file system, or may not be written: it can be read and searched only."""
        self.path: Path | str = IN_MEMORY if str(path) == IN_MEMORY else Path(path).expanduser().absolute()
        self.now = now
        self._wait_s = wait_s
        self.keys = keys
        self._backup_first = backup_first
        self._lock = threading.RLock()
        self._changes = 0
        self._opened = 0
        self._closed = False
        self._writing = False
        self._process = os.getpid()
        if not create and isinstance(self.path, Path) and not self.path.exists():
            raise GalleryUnreadable(f"There is no gallery at {self.path}.", "Enrol a person first, or check the path.")
        self._connection = self._open()

    @contextmanager
    def transaction(self, needs: Permission = Permission.ENROL) -> Iterator[GalleryConnection]:
        """Begin a write: commit at the end of the block, roll back on an exception. Raises NotAllowed."""
        require(needs)  # every change passes here, whichever page or library call asked for it
        with self._turn() as connection:
            if self.read_only:
                raise StorageFailed(f"{self.path} can't be written: it, or its folder, is read-only.", _WRITABLE)
            if self._writing:
                yield connection
                return
            with transaction(connection):
                self._writing = True
                try:
                    apply_protection(connection, self.keys, self.path)
                    yield connection
                finally:
                    self._writing = False
            self._changes += 1
            self._empty_journal(connection)

    @contextmanager
    def reading(self) -> Iterator[GalleryConnection]:
        """Begin a read of one state of the file, for any number of statements."""
        with self._turn() as connection:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                apply_protection(connection, self.keys, self.path)
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @property
    def opened(self) -> int:
        """How often the file was opened; the first part of `version`. A new number may mean another file."""
        return self._opened

    def version(self, connection: sqlite3.Connection) -> Version | None:
        """Return a value that changes with the file's content; None within a write, when nothing should be cached."""
        if self._writing:
            return None
        data_version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        return (self._opened, self._changes, data_version)

    def is_still(self, version: Version) -> bool:
        """Whether the content is that of `version`, checked without a transaction in microseconds.

        False where it is unknown, and within a transaction of this connection.
        """
        with self._lock:
            if self._closed or os.getpid() != self._process or version[:2] != (self._opened, self._changes):
                return False
            if self._connection.in_transaction or (self._identity is not None and self._moved()):
                return False
            try:
                return bool(self._connection.execute("PRAGMA data_version").fetchone()[0] == version[2])
            except sqlite3.Error:
                return False

    def tidy(self) -> bool:
        """Rewrite the file without deleted content, and empty its journal. False when a reader blocked the journal.

        Deleted rows are overwritten at once (secure_delete); this also clears the copies in gaps of pages, and the
        journal (-wal).
        """
        with self._turn() as connection:
            connection.execute("VACUUM")
            deadline = time.monotonic() + self._wait_s
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.02)
            return True

    def problem(self) -> str:
        """Return what SQLite's integrity checks find, in a few words; "" for a sound file."""
        with self._turn() as connection:
            return integrity_problem(connection)

    def replace_content(self, source: sqlite3.Connection) -> None:
        """Replace the content with another database's, in one SQLite transaction.

        After a kill it is the old or the new. Other processes see it at their next read. Raises GalleryBusy.
        """
        with self._turn() as connection:
            deadline = time.monotonic() + self._wait_s

            def look(status: int, remaining: int, total: int) -> None:
                if remaining and time.monotonic() > deadline:
                    raise GalleryBusy(
                        f"{self.path} is in use by another program.",
                        "Nothing was changed. Wait for it to finish, then try again.",
                    )

            source.backup(connection, pages=-1, progress=look, sleep=0.02)
            self._changes += 1
            apply_protection(connection, self.keys, self.path)
            self._empty_journal(connection)

    def close(self) -> None:
        """Close the file. Closing twice is harmless; later use raises GalleryError."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if os.getpid() == self._process:
                    self._connection.close()

    @contextmanager
    def _turn(self) -> Iterator[GalleryConnection]:
        if os.getpid() != self._process:
            self._leave_parent()
        with self._lock, translated_errors(self.path):
            yield self._current()

    def _leave_parent(self) -> None:
        """After a fork the connection belongs to the parent: it is left alone, not even closed."""
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._parents = self._connection
        if self.path != IN_MEMORY:
            self._connection = self._open()

    def _current(self) -> GalleryConnection:
        if self._closed:
            raise GalleryError("The gallery is closed.", "Open it again.")
        if self._identity is not None and not self._connection.in_transaction and self._moved():
            self._connection.close()
            self._connection = self._open()
        return self._connection

    def _moved(self) -> bool:
        """Whether the path names another file now: deleted, or put back from a copy."""
        return (identity_of(Path(self.path)) or _NO_FILE) != self._identity

    def _open(self) -> GalleryConnection:
        self._opened += 1
        if self.path == IN_MEMORY:
            self._identity = None
            return self._prepare(
                sqlite3.connect(IN_MEMORY, isolation_level=None, check_same_thread=False, factory=GalleryConnection)
            )
        path = Path(self.path)
        with translated_errors(path):
            there = schema.check_file(path)
            self.read_only = there and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
            if self.read_only:
                prepared = self._prepare_read_only(path)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                prepared = self._prepare(connect(path, wait_s=self._wait_s, any_thread=True, factory=GalleryConnection))
            self._identity = identity_of(path) or _NO_FILE
            return prepared

    def _prepare_read_only(self, path: Path) -> GalleryConnection:
        """A connection that writes nothing, not even beside the file."""
        try:
            connection = connect(path, wait_s=self._wait_s, mode="ro", any_thread=True, factory=GalleryConnection)
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
            wal = side_files(path)[0]
            if wal.exists() and wal.stat().st_size:
                raise StorageFailed(
                    f"{path} has a journal that must be written into it first, and it, or its folder, is read-only.",
                    _WRITABLE,
                ) from error
            connection = connect(
                path, wait_s=self._wait_s, mode="ro", immutable=True, any_thread=True, factory=GalleryConnection
            )
        try:
            connection.register_functions()
            version = schema.user_version(connection)
            schema.refuse_newer(path, version)
            if version < len(schema.MIGRATIONS):
                raise StorageFailed(
                    f"{path} has an earlier format, {version}, and it, or its folder, is read-only.",
                    _WRITABLE,
                )
            apply_protection(connection, self.keys, path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: GalleryConnection) -> GalleryConnection:
        try:
            connection.register_functions()
            earlier = schema.user_version(connection)
            schema.refuse_newer(self.path, earlier)
            if 0 < earlier < len(schema.MIGRATIONS) and self._backup_first:
                self._back_up(earlier)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = FULL")  # what enrolling has acknowledged survives a power cut
            applied = schema.migrate(connection, self.now())
            self._use_wal(connection)
            if earlier == 0 and self.path != IN_MEMORY:
                encrypt_if_new(connection, self.keys, self.now())
            apply_protection(connection, self.keys, self.path)
            self._empty_journal(connection)
        except BaseException:
            connection.close()
            raise
        if earlier == 0 and self.path != IN_MEMORY:
            _log.info("gallery created, format %d", len(applied))
        elif applied:
            _log.info("gallery migrated from format %d to %d", earlier, earlier + len(applied))
        else:
            _log.debug("gallery opened, format %d", earlier)
        return connection

    def _back_up(self, version: int) -> None:
        """Keep the file as it was before its format changes. Several processes may do so at once: the first that is
        whole stays."""
        path = Path(self.path)
        target = backup_folder(path) / f"{path.stem}-format-{version}{path.suffix}"
        if not target.exists():
            snapshot(path, target)

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Turn the write-ahead log on. SQLite doesn't wait by itself when processes do this together."""
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _empty_journal(self, connection: sqlite3.Connection) -> None:
        """Move what the journal (-wal) holds into the file, where nobody is in the way: a copy of the file alone is
        whole then, and a file put back from a copy meets no journal of another. What fails is tried again next time:
        the journal is as safe as the file.
        """
        connection.execute("PRAGMA busy_timeout = 0")
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {round(self._wait_s * 1000)}")
