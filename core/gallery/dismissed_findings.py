"""Dismissed findings of the gallery health check: stored with user and time, and restored on request.

A dismissal belongs to the templates concerned, by their numbers, which are never reused. When one of them is removed,
another is added or other weights are in use, the finding is a new one. Removing either person removes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from core.access.actor import trail_name
from core.gallery.audit import write_audit
from core.gallery.identity_queries import find_identity
from core.gallery.store import Gallery
from core.gallery.stored_values import stored_moment


@dataclass(frozen=True)
class FindingKey:
    """The identity of a finding: its code, the person, whom they resemble (None: nobody) and the templates."""

    code: str
    person: int
    other: int | None
    templates: tuple[int, ...]

    @property
    def numbers(self) -> str:
        """The numbers of the templates, as stored: "3 17 18"."""
        return " ".join(str(number) for number in sorted(self.templates))


@dataclass(frozen=True)
class Dismissal:
    """Who dismissed a finding, and when (UTC)."""

    by: str
    at: datetime


def dismiss(gallery: Gallery, key: FindingKey, *, actor: str = "local") -> None:
    """Dismiss a finding; repeating it changes nothing. Raises IdentityNotFound, GalleryBusy, NotAllowed."""
    with gallery.database.transaction() as connection:
        for person in filter(None, (key.person, key.other)):
            find_identity(connection, person)
        at = gallery.database.now()
        added = connection.execute(
            "INSERT INTO reviewed(code, identity_id, other_id, templates, at, actor) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (key.code, key.person, key.other, key.numbers, at.isoformat(), trail_name(actor)),
        )
        if added.rowcount:
            write_audit(connection, at, actor, f"finding left: {_words(key)}", key.person)


def undo_dismissal(gallery: Gallery, key: FindingKey, *, actor: str = "local") -> None:
    """Remove a dismissal, so that the finding is listed again. Raises GalleryBusy, NotAllowed."""
    with gallery.database.transaction() as connection:
        gone = connection.execute(
            "DELETE FROM reviewed WHERE code = ? AND identity_id = ? AND coalesce(other_id, 0) = ? AND templates = ?",
            (key.code, key.person, key.other or 0, key.numbers),
        )
        if gone.rowcount:
            at = gallery.database.now()
            write_audit(connection, at, actor, f"finding taken up again: {_words(key)}", key.person)


def read_dismissed(gallery: Gallery) -> dict[FindingKey, Dismissal]:
    """Return every dismissed finding."""
    with gallery.database.reading() as connection:
        found: Iterable[tuple[str, int, int | None, str, str, str]] = connection.execute(
            "SELECT code, identity_id, other_id, templates, at, actor FROM reviewed ORDER BY id"
        ).fetchall()
    return {
        FindingKey(code, person, other, tuple(int(number) for number in numbers.split())): Dismissal(
            by, stored_moment(at)
        )
        for code, person, other, numbers, at, by in found
    }


def _words(key: FindingKey) -> str:
    """A finding in the audit trail: people by their numbers, never by name."""
    return key.code.replace("_", " ") + (f", with person {key.other}" if key.other is not None else "")
