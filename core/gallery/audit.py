"""The audit trail inside a gallery: written in the same transaction as each change, with numbers instead of names."""

from __future__ import annotations

from datetime import datetime

from core.access.actor import trail_name
from core.gallery.records import AuditEntry
from core.gallery.storage import Connection
from core.gallery.stored_values import encodable, stored_moment


def write_audit(connection: Connection, at: datetime, actor: str, event: str, identity_id: int | None = None) -> None:
    """Add an entry to the audit trail, for the signed-in user, else for `actor`. `event` must hold no name."""
    connection.execute(
        "INSERT INTO audit(at, actor, event, identity_id) VALUES (?, ?, ?, ?)",
        (at.isoformat(), encodable(trail_name(actor))[:200], event, identity_id),
    )


def read_audit(connection: Connection, limit: int) -> list[AuditEntry]:
    """Return the latest `limit` entries, newest first."""
    query = "SELECT id, at, actor, event, identity_id FROM audit ORDER BY id DESC LIMIT ?"
    return [
        AuditEntry(row[0], stored_moment(row[1]), row[2], row[3], row[4]) for row in connection.execute(query, (limit,))
    ]
