"""PostgreSQL's errors, translated to gallery errors: what happened to which gallery, and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from core.errors import StorageFailed
from core.gallery.errors import GalleryBusy, GalleryError
from core.gallery.sqlite_errors import damaged_gallery

_BUSY = frozenset({"55P03", "40001", "40P01"})
_GONE = ("08", "57P")
_UNDEFINED = frozenset({"42P01", "42703", "22021"})


@contextmanager
def translated_errors(address: str) -> Iterator[None]:
    """Translate psycopg's errors. Nothing of a change is stored when one is raised."""
    try:
        yield
    except psycopg.Error as error:
        raise explain(address, error) from error


def connection_lost(error: psycopg.Error) -> bool:
    """Whether the error is the loss, or lack, of a connection and not the server's answer."""
    state = error.sqlstate or ""
    return isinstance(error, psycopg.OperationalError) and (not state or state.startswith(_GONE))


def is_starting(error: psycopg.Error) -> bool:
    """Whether the server is starting or shutting down: a moment later it may accept connections."""
    return error.sqlstate == "57P03" or "the database system is" in str(error)  # libpq gives no state at connecting


def explain(address: str, error: psycopg.Error) -> Exception:
    """Return the error to raise for one of psycopg's."""
    state, said = error.sqlstate or "", _first_line(error)
    if state in _BUSY:
        return GalleryBusy(
            f"{address} is in use by another program.", "Nothing was changed. Wait for it to finish, then try again."
        )
    if state == "53100":
        return StorageFailed(f"The disk of {address} is full.", "Nothing was changed. Free space there, try again.")
    if state == "42501":
        return StorageFailed(
            f"The account of {address} may not do that: {said}.",
            "Nothing was changed. Have the permission granted by the server's administrator.",
        )
    if state == "25006":
        return StorageFailed(f"{address} is read-only.", "Nothing was changed. Name the primary server, not a standby.")
    if connection_lost(error):
        return StorageFailed(
            f"{address} can't be reached: {said}.",
            "Nothing was changed. Check that the server runs and has that database, and that PGPASSWORD or ~/.pgpass "
            "gives the password where it asks for one.",
        )
    if state in _UNDEFINED:
        return damaged_gallery(address, said)
    return GalleryError(f"The gallery refused the change: {said}.", "Nothing was changed. Report this as a fault.")


def _first_line(error: psycopg.Error) -> str:
    """What the server said in its first line; details may hold a row's values."""
    primary = error.diag.message_primary or str(error) or type(error).__name__
    return primary.strip().splitlines()[0].rstrip(".")
