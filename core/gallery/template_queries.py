"""The SQL of templates: stored, read and moved to another identity, inside a transaction that the caller opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from core.gallery.cipher import Cipher
from core.gallery.identity_queries import touch
from core.gallery.records import NewTemplate, Space, StoredTemplate
from core.gallery.spaces import IN_SPACE, encoder_id, space_parameters
from core.gallery.storage import Connection
from core.gallery.stored_values import decrypt_crop, stored_moment, stored_vector
from core.gallery.validation import check_template


def insert_templates(
    connection: Connection,
    identity_id: int,
    templates: Sequence[NewTemplate],
    space: Space,
    at: datetime,
) -> None:
    """Add templates to an identity. Raises TemplateInvalid or SpaceMismatch; nothing is added then."""
    encoder, cipher = encoder_id(connection, space), connection.cipher
    rows = []
    for template in templates:
        vector = check_template(template, space)
        rows.append(
            (
                identity_id,
                encoder,
                cipher.encrypt(vector.astype("<f4").tobytes(), "vector", identity_id),
                template.kind,
                float(template.probe_px),
                template.size_px,
                space.upscaler_at(template.size_px),
                int(space.flip_tta),
                template.image_sha256,
                cipher.encrypt_text(template.source, "source", identity_id),
                at.isoformat(),
                None if template.crop is None else cipher.encrypt(template.crop, "crop", identity_id),
                template.recognisability,
            )
        )
    connection.executemany(
        """INSERT INTO template(identity_id, encoder_id, vector, kind, probe_px, size_px, upscaler_sha256,
            flip_tta, image_sha256, source, added_at, crop, recognisability)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        rows,
    )
    touch(connection, identity_id)


def read_templates(connection: Connection, identity_id: int, space: Space | None = None) -> Iterator[StoredTemplate]:
    """Yield an identity's templates, oldest first; with `space`, only those that it meets."""
    parameters: dict[str, str | int] = {"id": identity_id}
    if space is not None:
        parameters |= space_parameters(space)
    which = f"t.identity_id = :id AND ({'true' if space is None else IN_SPACE}) ORDER BY t.id"
    for row in connection.execute(f"{_template(connection)} WHERE {which}", parameters):
        yield _stored_template(row)


def read_template(connection: Connection, template_id: int) -> StoredTemplate | None:
    """Return one template by its number, or None."""
    row = connection.execute(f"{_template(connection)} WHERE t.id = ?", (template_id,)).fetchone()
    return None if row is None else _stored_template(row)


def read_covers(connection: Connection) -> dict[int, bytes]:
    """Return the crop of the largest face of each identity that has any, by number."""
    found = connection.execute(
        """SELECT i.id, t.crop FROM identity i JOIN template t ON t.id = (
            SELECT shown.id FROM template shown WHERE shown.identity_id = i.id AND shown.crop IS NOT NULL
            ORDER BY shown.probe_px DESC, shown.id LIMIT 1)"""
    )
    return {int(row[0]): decrypt_crop(connection, row[1], int(row[0])) for row in found}


def _template(connection: Connection) -> str:
    cipher = connection.cipher
    return f"""SELECT t.id, t.identity_id, e.name, e.weights_sha256, t.upscaler_sha256, t.flip_tta, e.dim,
        {cipher.sql("t.vector", "vector", "t.identity_id")}, t.kind, t.probe_px, t.size_px, t.image_sha256,
        {cipher.sql("t.crop", "crop", "t.identity_id")}, {cipher.sql("t.source", "source", "t.identity_id")},
        t.added_at, t.recognisability
    FROM template t JOIN encoder e ON e.id = t.encoder_id"""  # nosec B608  # columns' names


def _stored_template(row: tuple[Any, ...]) -> StoredTemplate:
    return StoredTemplate(
        id=row[0],
        identity_id=row[1],
        space=Space(row[2], row[3], row[4] or "", bool(row[5]), row[6]),
        vector=stored_vector(row[7], row[6]),
        kind=row[8],
        probe_px=row[9],
        size_px=row[10],
        image_sha256=row[11],
        crop=row[12],
        source=row[13],
        added_at=stored_moment(row[14]),
        recognisability=row[15],
    )


def reassign_template(connection: Connection, template: int, old: Cipher, new: Cipher, to: int | None = None) -> None:
    """Encrypt one template's values with `new`; with `to`, also move it to that identity.

    Raises ValueError when a value can't be decrypted with `old`.
    """
    person, vector, crop, source = connection.execute(
        "SELECT identity_id, vector, crop, source FROM template WHERE id = ?", (template,)
    ).fetchone()
    owner = person if to is None else to
    connection.execute(
        "UPDATE template SET identity_id = ?, vector = ?, crop = ?, source = ? WHERE id = ?",
        (
            owner,
            new.encrypt(old.decrypt(vector, "vector", person), "vector", owner),
            None if crop is None else new.encrypt(old.decrypt(crop, "crop", person), "crop", owner),
            new.encrypt_text(old.decrypt_text(source, "source", person), "source", owner),
            template,
        ),
    )


def reassign_sighting(connection: Connection, sighting: int, old: Cipher, new: Cipher, to: int | None = None) -> None:
    """Do what `reassign_template` does for one sighting and its crop."""
    person, crop = connection.execute("SELECT identity_id, crop FROM sighting WHERE id = ?", (sighting,)).fetchone()
    owner = person if to is None else to
    closed = None if crop is None else new.encrypt(old.decrypt(crop, "crop", person), "crop", owner)
    connection.execute("UPDATE sighting SET identity_id = ?, crop = ? WHERE id = ?", (owner, closed, sighting))
