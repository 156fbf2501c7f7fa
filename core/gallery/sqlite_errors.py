"""SQLite and system errors of a gallery's file, translated to gallery errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StorageFailed
from core.gallery.errors import GalleryBusy, GalleryError, GalleryUnreadable

_MEANS_DAMAGE = ("could not decode", "user-defined function raised", "no such table", "no such column", "malformed")
"""SQLite's words where it has no code of its own: the schema or the text is not what we wrote."""


@contextmanager
def translated_errors(path: Path | str) -> Iterator[None]:
    """Translate SQLite's and the system's errors: what happened to which file, and the next step."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(path, error) from error
    except UnicodeDecodeError as error:
        raise damaged_gallery(path, "text that isn't UTF-8") from error
    except OSError as error:
        raise StorageFailed(
            f"{path} can't be used: {error.strerror or error}.", "Check the path and its permissions."
        ) from error


def damaged_gallery(path: Path | str, found: str) -> GalleryUnreadable:
    """Return the error for a gallery whose content is invalid."""
    return GalleryUnreadable(f"{path} is damaged: {found}.", "Put a copy of it back, or import an export of it.")


def _explain(path: Path | str, error: sqlite3.Error) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return GalleryBusy(
            f"{path} is in use by another program.",
            "Nothing was changed. Wait for it to finish, then try again.",
        )
    if code == sqlite3.SQLITE_FULL:
        return StorageFailed(f"The disk is full: {path} couldn't grow.", "Nothing was changed. Free space, try again.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return StorageFailed(
            f"{path} can't be written: the file or its folder is read-only.",
            "Nothing was changed. Change the permissions.",
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        return StorageFailed(
            f"{path} can't be read or written: {error}.",
            "Nothing was changed. Check the disk and the permissions.",
        )
    text = str(error).casefold()
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or text.startswith(_MEANS_DAMAGE):
        return damaged_gallery(path, str(error))
    return GalleryError(f"The gallery refused the change: {error}.", "Nothing was changed. Report this as a fault.")
