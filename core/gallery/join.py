"""Two identities that are one person become one, in a transaction that the caller opened."""

from __future__ import annotations

from core.errors import SettingsInvalid
from core.gallery.checks import clean_note
from core.gallery.database import damaged
from core.gallery.protection import move
from core.gallery.rows import find_identity, open_text, store_note, touch
from core.gallery.sealing import CANT_OPEN, SealedConnection


def join_identities(connection: SealedConnection, keep: str | int, other: str | int) -> int:
    """Move the templates of `other` to `keep` and remove `other`; the number of `keep`.

    A template that `keep` holds already (same weights, flip, kind, size, upscaler and numbers) is dropped with `other`.
    Raises IdentityNotFound, SettingsInvalid when both are one, TemplateInvalid when the notes are too long together.
    """
    keep_id, name = find_identity(connection, keep)
    other_id, _ = find_identity(connection, other)
    if keep_id == other_id:
        raise SettingsInvalid(f"“{name}” can't be joined with itself.", "Name two people.")
    try:
        held = set(_described(connection, keep_id).values())
        for number, described in _described(connection, other_id).items():
            if described not in held:
                move(connection, number, connection.seal, connection.seal, to=keep_id)
    except ValueError as error:
        raise damaged("The gallery", CANT_OPEN) from error
    stored = dict(connection.execute("SELECT id, note FROM identity WHERE id IN (?, ?)", (keep_id, other_id)))
    notes = [open_text(connection, stored[number], "note", number) for number in (keep_id, other_id)]
    store_note(connection, keep_id, clean_note("\n".join(filter(None, notes))))
    connection.execute("DELETE FROM identity WHERE id = ?", (other_id,))
    touch(connection, keep_id)
    return keep_id


def _described(connection: SealedConnection, person: int) -> dict[int, tuple[object, ...]]:
    """What makes a template the same as another, by its number; vectors are opened, for sealed ones differ."""
    found = connection.execute(
        "SELECT id, encoder_id, flip_tta, kind, size_px, upscaler_sha256, vector FROM template WHERE identity_id = ?",
        (person,),
    )
    return {row[0]: (*row[1:6], connection.seal.open(row[6], "vector", person)) for row in found.fetchall()}
