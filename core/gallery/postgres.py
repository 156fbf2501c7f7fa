"""A gallery on a PostgreSQL server: one connection, transactions that take turns, and a new connection after a loss."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from core.access.actor import require
from core.access.roles import Permission
from core.errors import StorageFailed
from core.gallery import postgres_schema
from core.gallery.cipher import PLAIN, Cipher
from core.gallery.errors import GalleryError
from core.gallery.keys import Keys, key_given
from core.gallery.postgres_errors import connection_lost, is_starting, translated_errors
from core.gallery.storage import Clock, Connection, Version, utc_now
from core.system.logs import logger

_log = logger(__name__)

_RECONNECT_S = 15.0
"""How long a lost server is waited for: a restart takes a few seconds."""

_POLL_S = 0.1
_ROWS_AT_ONCE = 512
_TABLES = ("identity", "template", "sighting", "reviewed")
_VALUE = re.compile(r"'(?:[^']|'')*'|\?|(?<!:):([a-z_][a-z0-9_]*)|%")
_ALIVE = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

_Row = tuple[Any, ...]


@lru_cache(maxsize=256)
def translated(sql: str) -> bytes:
    """Return a statement with psycopg's placeholders: `?` becomes `%s`, `:name` becomes `%(name)s`."""

    def value(found: re.Match[str]) -> str:
        if found[0].startswith("'"):
            return found[0].replace("%", "%%")
        return {"?": "%s", "%": "%%"}.get(found[0]) or f"%({found[1]})s"

    return _VALUE.sub(value, sql).encode("utf-8")


def _tls(address: str) -> dict[str, str]:
    """What libpq is told so that faces and names don't cross a network in the clear, unless the address says how."""
    said = conninfo_to_dict(address)
    hosts = [str(said.get(key) or "") for key in ("host", "hostaddr") if said.get(key)]
    here = all(host.startswith("/") or host in _THIS_MACHINE for host in hosts)
    return {} if here or "sslmode" in said or "PGSSLMODE" in os.environ else {"sslmode": "require"}


class PostgresConnection:
    """What the gallery's queries see of psycopg's connection."""

    cipher: Cipher = PLAIN

    def __init__(self, connection: psycopg.Connection[_Row]) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> psycopg.Cursor[_Row]:
        return self._connection.execute(translated(sql), parameters, binary=True)

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(translated(sql), parameters)

    def stream(self, sql: str, parameters: Mapping[str, Any], /) -> Iterator[_Row]:
        """Yield the rows as they arrive."""
        with self._connection.cursor(binary=True) as cursor:
            yield from cursor.stream(translated(sql), parameters, size=_ROWS_AT_ONCE)


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
        self._writing = False
        with translated_errors(address):
            self._connection = self._open(0.0)

    @property
    def opened(self) -> int:
        """How often a connection was made; a new one may lead to another server's content."""
        return self._opened

    @contextmanager
    def transaction(self, needs: Permission = Permission.ENROL) -> Iterator[Connection]:
        """Begin a write: commit at the end of the block, roll back on an exception. Raises NotAllowed, GalleryBusy."""
        require(needs)  # every change passes here, whichever page or library call asked for it
        with self._turn():
            if self._writing:
                yield PostgresConnection(self._connection)
                return
            number = self._begin("BEGIN", "UPDATE state SET changes = changes + 1 RETURNING pg_current_xact_id()::text")
            self._inside = self._writing = True
            try:
                yield PostgresConnection(self._connection)
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._inside = self._writing = False
            self._commit(number)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Begin a read of one state of the content, for any number of statements."""
        with self._turn():
            if self._inside:
                yield PostgresConnection(self._connection)
                return
            self._begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT ''")
            self._inside = True
            try:
                yield PostgresConnection(self._connection)
            finally:
                self._inside = False
                self._roll_back()

    def version(self, connection: Connection) -> Version | None:
        """Return a value that changes with the content; None within a write, when nothing should be cached."""
        if self._writing:
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
        """Rewrite the tables without deleted rows. The server's write-ahead log and its backups aren't reached.

        Raises GalleryBusy when another program's reads blocked it, StorageFailed without the permission.
        """
        refused: list[str] = []

        def note(diagnostic: psycopg.errors.Diagnostic) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":  # a table that isn't this account's is passed over
                refused.append(diagnostic.message_primary or "")

        with self._turn():
            self._begin("SELECT 1", "SELECT ''")
            self._connection.add_notice_handler(note)
            try:
                self._connection.execute(f"VACUUM (FULL) {', '.join(_TABLES)}".encode())
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

    def _begin(self, begin: str, first: str) -> str:
        """Run the two statements that a turn begins with, on a new connection where the old one was lost; the value
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
        self._connection.close()
        self._connection = self._open(_RECONNECT_S)
        return self._first(begin, first)

    def _first(self, begin: str, first: str) -> str:
        if self._connection.closed:
            raise psycopg.OperationalError("the connection was lost")
        self._connection.execute(begin.encode())
        row = self._connection.execute(first.encode()).fetchone()
        return str(row[0]) if row else ""

    def _roll_back(self) -> None:
        with suppress(psycopg.Error):  # where the connection is lost, the server rolls back
            self._connection.execute("ROLLBACK")

    def _commit(self, number: str) -> None:
        """Commit. Where the answer is lost, the server is asked what became of the transaction of that number."""
        try:
            done = self._connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            if not connection_lost(error):
                raise
            became = self._became(number)
            if became == "aborted":
                raise
            if became != "committed":
                raise StorageFailed(
                    f"{self.path} was lost while a change was being stored: the change is there whole, or not at all.",
                    "Look whether it is there before you repeat it.",
                ) from error
        else:
            if done.statusmessage != "COMMIT":  # a statement had failed, and the failure was passed over
                raise GalleryError("The gallery gave the change up.", "Nothing was changed. Report this as a fault.")

    def _became(self, number: str) -> str:
        """Ask a new connection what became of a transaction: "committed", "aborted", or anything else: not known."""
        try:
            self._connection.close()
            self._connection = self._open(_RECONNECT_S)
            deadline = time.monotonic() + _RECONNECT_S
            while True:
                row = self._connection.execute("SELECT pg_xact_status(%s::xid8)", (number,)).fetchone()
                if row is None or row[0] != "in progress" or time.monotonic() > deadline:
                    return str(row[0]) if row else ""
                time.sleep(_POLL_S)
        except psycopg.DataError:  # the server lost the number with its last moments
            return "aborted"
        except psycopg.Error:
            return ""

    def _open(self, wait_s: float) -> psycopg.Connection[_Row]:
        """Connect, waiting up to `wait_s` for the server to answer, and make or migrate the tables."""
        began = time.monotonic()
        while True:
            try:
                connection = psycopg.connect(self.path, autocommit=True, **_ALIVE, **_tls(self.path))  # type: ignore[arg-type]
                break
            except psycopg.OperationalError as error:
                patience = _RECONNECT_S if is_starting(error) else wait_s
                if time.monotonic() - began >= patience:
                    raise
                time.sleep(_POLL_S)
        try:
            connection.execute(f"SET lock_timeout = {round(self._wait_s * 1000)}".encode())
            connection.execute("SET default_transaction_isolation = 'read committed'")
            made = postgres_schema.prepare(connection, self.path, self.now(), create=self._create)
            self._refuse_encryption(connection)
        except BaseException:
            connection.close()
            raise
        self._opened += 1
        _log.info("gallery on a server %s", "created" if made else "opened")
        return connection

    def _refuse_encryption(self, connection: psycopg.Connection[_Row]) -> None:
        if self.keys() is not None:
            raise GalleryError(
                "A gallery on a server can't be encrypted by EdgeFace Studio yet, and a key is set.",
                "Unset the key, and have the server's disk and its connections encrypted.",
            )
