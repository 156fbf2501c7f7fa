"""The audit trail of actions outside the gallery: sign-ins, users, runs, weights, exports.

The gallery keeps its own in the transaction of each change; `combined_trail` joins both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from core.access.access_db import read_connection, write_transaction
from core.access.actor import current_actor, require
from core.access.roles import Permission
from core.settings import Settings

_LONGEST = 200


@dataclass(frozen=True)
class TrailEntry:
    """An entry of the audit trail: time (UTC), actor, action and object. Enrolled people appear by number, never by
    name."""

    at: datetime
    actor: str
    event: str
    subject: str


class PersonEntry(Protocol):
    """An entry of a gallery's own trail, which names people by number."""

    @property
    def at(self) -> datetime: ...
    @property
    def actor(self) -> str: ...
    @property
    def event(self) -> str: ...
    @property
    def identity_id(self) -> int | None: ...


def write_trail(settings: Settings, event: str, subject: str = "", *, actor: str = "") -> None:
    """Add an entry, by the current actor unless `actor` is given. Neither text may name an enrolled person.

    Raises StorageFailed.
    """
    line = (datetime.now(UTC).isoformat(), actor or current_actor().name, event, subject)
    with write_transaction(settings) as connection:
        connection.execute(
            "INSERT INTO trail(at, actor, event, subject) VALUES (?, ?, ?, ?)", tuple(map(_storable, line))
        )


def read_trail(settings: Settings, limit: int) -> list[TrailEntry]:
    """Return the latest `limit` entries, newest first. Raises NotAllowed, StorageFailed."""
    require(Permission.ACCESS)
    with read_connection(settings) as connection:
        if connection is None:
            return []
        query = "SELECT at, actor, event, subject FROM trail ORDER BY id DESC LIMIT ?"
        return [TrailEntry(datetime.fromisoformat(row[0]), *row[1:]) for row in connection.execute(query, (limit,))]


def combined_trail(own: Iterable[TrailEntry], gallery: Iterable[PersonEntry], limit: int) -> list[TrailEntry]:
    """Return this trail and the gallery's together, newest first, at most `limit` entries."""
    people = [
        TrailEntry(each.at, each.actor, each.event, f"person {each.identity_id}" if each.identity_id else "")
        for each in gallery
    ]
    return sorted([*own, *people], key=lambda entry: entry.at, reverse=True)[:limit]


def _storable(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())[:_LONGEST]
