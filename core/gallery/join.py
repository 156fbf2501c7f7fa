"""Two identities that are one person become one, in a transaction that the caller opened."""

from __future__ import annotations

import sqlite3

from core.errors import SettingsInvalid
from core.gallery.checks import clean_note
from core.gallery.rows import find_identity, touch


def join_identities(connection: sqlite3.Connection, keep: str | int, other: str | int) -> int:
    """Move the templates of `other` to `keep` and remove `other`; the number of `keep`.

    A template that `keep` holds already (same weights, flip, kind, size, upscaler and numbers) is dropped with `other`.
    Raises IdentityNotFound, SettingsInvalid when both are one, TemplateInvalid when the notes are too long together.
    """
    keep_id, name = find_identity(connection, keep)
    other_id, _ = find_identity(connection, other)
    if keep_id == other_id:
        raise SettingsInvalid(f"“{name}” can't be joined with itself.", "Name two people.")
    connection.execute(
        """UPDATE template SET identity_id = :keep WHERE identity_id = :other AND NOT EXISTS (
            SELECT 1 FROM template k WHERE k.identity_id = :keep AND k.encoder_id = template.encoder_id
            AND k.flip_tta = template.flip_tta AND k.kind = template.kind AND k.size_px IS template.size_px
            AND k.upscaler_sha256 IS template.upscaler_sha256 AND k.vector = template.vector)""",
        {"keep": keep_id, "other": other_id},
    )
    notes = dict(connection.execute("SELECT id, note FROM identity WHERE id IN (?, ?)", (keep_id, other_id)))
    note = clean_note("\n".join(filter(None, (notes[keep_id], notes[other_id]))))
    connection.execute("UPDATE identity SET note = ? WHERE id = ?", (note, keep_id))
    connection.execute("DELETE FROM identity WHERE id = ?", (other_id,))
    touch(connection, keep_id)
    return keep_id
