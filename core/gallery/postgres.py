"""A gallery on a PostgreSQL server: transactions that take turns, and a new connection after a loss."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from core.access.actor import require
from core.access.roles import Permission
from core.errors import StorageFailed
from core.gallery import postgres_means, postgres_schema
from core.gallery.errors import GalleryError
from core.gallery.keys import Keys, key_given
from core.gallery.postgres_connection import PostgresConnection, Row, connect
from core.gallery.postgres_errors import connection_lost, is_starting, translated_errors
from core.gallery.postgres_search import PostgresVectors
from core.gallery.storage import Clock, Connection, VectorSearch, Version, utc_now
from core.system.logs import logger

_log = logger(__name__)

_RECONNECT_S = 15.0
"""How long a lost server is waited for, from its loss on: a restart takes a few seconds."""

_POLL_S = 0.1
_TABLES = ("identity", "template", "sighting", "reviewed")

REMEMBERED = 64
"""How many of the last writes the server knows by their tokens."""

_TAKE_TURN = (
    "UPDATE state SET changes = changes + 1, "  # nosec B608  # a constant of this module
    f"recent = (recent || {{token}}::bigint)[greatest(1, cardinality(recent) + 2 - {REMEMBERED}):] RETURNING changes"
)


class PostgresDatabase:
    """A gallery's schema on a server. Thread-safe; other processes, on any machine, may use it too.

    Writes take turns by a row that each updates first, as SQLite's do by their lock, so that what a write has read
    stays true until it commits. A read sees one state of the content.
    """

    def __init__(
        self,
        address: str,
        *,
        now: Clock = utc_now,
        wait_s: float = 30.0,
        create: bool = True,
        keys: Keys = key_given,
    ) -> None:
        """Raises GalleryUnreadable (no gallery there, and `create` is False), GalleryNewer, StorageFailed."""
        self.path = address
        self.now = now
        self.keys = keys
        self._wait_s = wait_s
        self._create = create
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._opened = 0
        self._closed = False
        self._inside = False
        self.writing = False
        self._lost_at: float | None = None
        self._means = False
        self._vectors = PostgresVectors(self)
        with translated_errors(address):
            self._connection = self._open(0.0)

    @property
    def opened(self) -> int:
        """How often a connection was made; a new one may lead to another server's content."""
        return self._opened

    @property
    def vectors(self) -> VectorSearch | None:
        """Search by pgvector; None where the server doesn't have it."""
        return self._vectors if self._means else None

    @contextmanager
    def transaction(self, needs: Permission = Permission.ENROL) -> Iterator[Connection]:
        """Begin a write: commit at the end of the block, roll back on an exception. Raises NotAllowed, GalleryBusy."""
        require(needs)  # every change passes here, whichever page or library call asked for it
        with self._turn():
            if self.writing:
                yield PostgresConnection(self._connection)
                return
            token = secrets.randbits(62)
            changes = self._begin("BEGIN", _TAKE_TURN.format(token=token))
            self._inside = self.writing = True
            try:
                yield PostgresConnection(self._connection)
                if self._means:
                    postgres_means.settle(self._connection)
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._inside = self.writing = False
            self._commit(token, changes)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Begin a read of one state of the content, for any number of statements."""
        with self._turn():
            if self._inside:
                yield PostgresConnection(self._connection)
                return
            self._begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT 0")
            self._inside = True
            try:
                yield PostgresConnection(self._connection)
            finally:
                self._inside = False
                self._roll_back()

    @contextmanager
    def searching(self) -> Iterator[psycopg.Connection[Row]]:
        """Begin a read of the means; within a write those that it changed are made first."""
        with self.reading():
            if self.writing:
                postgres_means.settle(self._connection)
            yield self._connection

    def version(self, connection: Connection) -> Version | None:
        """Return a value that changes with the content; None within a write, when nothing should be cached."""
        if self.writing:
            return None
        return (self._opened, 0, int(connection.execute("SELECT changes FROM state").fetchone()[0]))

    def is_still(self, version: Version) -> bool:
        """Whether the content is that of `version`: one query without a transaction."""
        with self._lock:
            if self._closed or os.getpid() != self._process or self._connection.closed:
                return False
            if version[0] != self._opened or self._inside:
                return False
            try:
                row = self._connection.execute("SELECT changes FROM state").fetchone()
            except psycopg.Error:
                return False
            return row is not None and (self._opened, 0, row[0]) == version

    def tidy(self) -> bool:
        """Rewrite the tables without deleted rows. The server's write-ahead log and its backups aren't reached, nor,
        where the means have an index, the free space of theirs: `residue`.

        Raises GalleryBusy when another program's reads blocked it, StorageFailed without the permission.
        """
        statements = [f"VACUUM (FULL) {', '.join(_TABLES)}"]
        if self._means:
            with self.searching() as connection:
                indexed = postgres_means.has_any_index(connection)
            # Vacuuming overwrites what was deleted from the index. Rewriting would build the index again.
            statements.append("VACUUM (INDEX_CLEANUP ON) mean" if indexed else "VACUUM (FULL) mean")
        return self._vacuum(*statements)

    def rewrite_means(self) -> None:
        """Rewrite the means and build their indexes again. Raises GalleryBusy, StorageFailed."""
        with self.searching() as connection:
            memory = f"SET maintenance_work_mem = '{postgres_means.build_mb(connection)}MB'"
        self._vacuum(memory, "VACUUM (FULL) mean", "RESET maintenance_work_mem")

    def _vacuum(self, *statements: str) -> bool:
        refused: list[str] = []

        def note(diagnostic: psycopg.errors.Diagnostic) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":  # a table that isn't this account's is passed over
                refused.append(diagnostic.message_primary or "")

        with self._turn():
            self._begin("SELECT 1", "SELECT 0")
            self._connection.add_notice_handler(note)
            try:
                for statement in statements:
                    self._connection.execute(statement.encode())
            finally:
                self._connection.remove_notice_handler(note)
        if refused:
            raise StorageFailed(f"{self.path}: {refused[0]}.", "Use the account that made the gallery.")
        return True

    def problem(self) -> str:
        """Return "": a server checks its pages itself, as they are read."""
        with self.reading() as connection:
            connection.execute("SELECT 1 FROM identity LIMIT 1")
        return ""

    def close(self) -> None:
        """Close the connection. Closing twice is harmless; later use raises GalleryError."""
        with self._lock:
            self._closed = True
            if os.getpid() == self._process:
                self._connection.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if os.getpid() != self._process:
            self._leave_parent()
        with self._lock, translated_errors(self.path):
            if self._closed:
                raise GalleryError("The gallery is closed.", "Open it again.")
            yield

    def _leave_parent(self) -> None:
        """After a fork the connection belongs to the parent: it is left alone, not even closed."""
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._parents = self._connection
        with translated_errors(self.path):
            self._connection = self._open(0.0)

    def _begin(self, begin: str, first: str) -> int:
        """Run the two statements that a turn begins with, on a new connection where the old one was lost; the number
        that the second returns."""
        try:
            return self._first(begin, first)
        except psycopg.OperationalError as error:
            if not (connection_lost(error) or self._connection.closed):
                self._roll_back()
                raise
        except BaseException:
            self._roll_back()
            raise
        self._reconnect()
        return self._first(begin, first)

    def _reconnect(self) -> None:
        """Replace a lost connection. The wait counts from the loss, not from each call."""
        self._connection.close()
        now = time.monotonic()
        self._lost_at = self._lost_at or now
        self._connection = self._open(max(0.0, _RECONNECT_S - (now - self._lost_at)))
        self._lost_at = None

    def _first(self, begin: str, first: str) -> int:
        if self._connection.closed:
            raise psycopg.OperationalError("the connection was lost")
        self._connection.execute(begin.encode())
        row = self._connection.execute(first.encode()).fetchone()
        return int(row[0]) if row else 0

    def _roll_back(self) -> None:
        with suppress(psycopg.Error):  # where the connection is lost, the server rolls back
            self._connection.execute("ROLLBACK")

    def _commit(self, token: int, changes: int) -> None:
        """Commit. Where the answer is lost, the server is asked whether the write of that token is stored."""
        try:
            done = self._connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            if not connection_lost(error):
                raise
            stored = self._stored(token, changes)
            if stored is False:
                raise
            if stored is None:
                raise StorageFailed(
                    f"{self.path} was lost while a change was being stored: the change is there whole, or not at all.",
                    "Look whether it is there before you repeat it.",
                ) from error
        else:
            if done.statusmessage != "COMMIT":  # a statement had failed, and the failure was passed over
                raise GalleryError("The gallery gave the change up.", "Nothing was changed. Report this as a fault.")

    def _stored(self, token: int, changes: int) -> bool | None:
        """Whether a lost write is stored, after the server is done with it; None where that can't be told.

        Numbers of transactions wouldn't tell: after a crash the server gives the number of a lost one to another.
        """
        try:
            self._reconnect()
            query = "SELECT %s = ANY(recent), changes FROM state FOR UPDATE"  # waits while the lost write is under way
            row = self._connection.execute(query, (token,)).fetchone()
        except psycopg.Error:
            return None
        if row is None or (not row[0] and row[1] - changes >= REMEMBERED):
            return None
        return bool(row[0])

    def _open(self, wait_s: float) -> psycopg.Connection[Row]:
        """Connect, waiting up to `wait_s` for the server to answer, and make or migrate the tables."""
        began = time.monotonic()
        while True:
            try:
                connection = connect(self.path)
                break
            except psycopg.OperationalError as error:
                patience, waited = _RECONNECT_S if is_starting(error) else wait_s, time.monotonic() - began
                if waited >= patience:
                    raise
                time.sleep(max(_POLL_S, waited / 4))  # a server that refuses a password isn't asked 150 times
        try:
            connection.execute(f"SET lock_timeout = {round(self._wait_s * 1000)}".encode())
            connection.execute("SET default_transaction_isolation = 'read committed'")
            made = postgres_schema.prepare(connection, self.path, self.now(), create=self._create)
            self._refuse_encryption(connection)
            self._means = postgres_means.prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._opened += 1
        _log.info("gallery on a server %s", "created" if made else "opened")
        return connection

    def _refuse_encryption(self, connection: psycopg.Connection[Row]) -> None:
        if self.keys() is not None:
            raise GalleryError(
                "A gallery on a server can't be encrypted by EdgeFace Studio yet, and a key is set.",
                "Unset the key, and have the server's disk and its connections encrypted.",
            )
