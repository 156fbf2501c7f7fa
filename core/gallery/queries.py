"""The gallery's SQL: one function a statement, inside a transaction that the caller opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from core.access.actor import named_in_trail
from core.gallery.cipher import CANT_OPEN, Place, seal_of
from core.gallery.errors import IdentityNotFound, NameTaken, SpaceMismatch
from core.gallery.records import AuditEntry, Identity, NewTemplate, Space, StoredTemplate
from core.gallery.sqlite_errors import damaged
from core.gallery.validation import check_space, check_template, clean_name, clean_note, name_key

IN_SPACE = """t.encoder_id IN (SELECT id FROM encoder WHERE weights_sha256 = :weights)
    AND t.flip_tta = :flip AND (t.kind = 'hr' OR t.upscaler_sha256 =
        CASE WHEN instr(:bicubic_px, ' ' || t.size_px || ' ') THEN 'bicubic' ELSE :upscaler END)"""
"""Which templates a space meets; `t` is the template."""

_MAX_ROWID = 2**63 - 1

_IDENTITY = """SELECT i.id, {name}, {note}, i.enrolled_at, count(t.id), count(t.id) FILTER (WHERE {in_space}),
        count(DISTINCT nullif(t.image_sha256, ''))
            + count(t.id) FILTER (WHERE t.image_sha256 = '' AND t.kind = 'hr'),
        coalesce(max(t.crop IS NOT NULL), 0)
    FROM identity i LEFT JOIN template t ON t.identity_id = i.id
    WHERE {which} GROUP BY i.id ORDER BY {key}"""


def space_parameters(space: Space) -> dict[str, str | int]:
    """The named parameters of IN_SPACE."""
    return {
        "weights": space.weights_sha256,
        "flip": int(space.flip_tta),
        "upscaler": space.upscaler,
        "bicubic_px": f" {' '.join(map(str, space.bicubic_px))} ",
    }


def encoder_id(connection: sqlite3.Connection, space: Space) -> int:
    """The number of the space's encoder, added when it is new. Raises SpaceMismatch when it had another
    length.
    """
    check_space(space)
    row = connection.execute("SELECT id, dim FROM encoder WHERE weights_sha256 = ?", (space.weights_sha256,)).fetchone()
    if row is None:
        return insert(
            connection,
            "INSERT INTO encoder(name, weights_sha256, dim) VALUES (?, ?, ?)",
            (space.encoder_name, space.weights_sha256, space.dim),
        )
    if row[1] != space.dim:
        raise SpaceMismatch(
            f"These weights gave embeddings of {row[1]} numbers before, now of {space.dim}.",
            "Load the encoder again.",
        )
    return int(row[0])


def find_identity(connection: sqlite3.Connection, name_or_id: str | int) -> tuple[int, str]:
    """(number, name as stored) of an identity by its name, case aside, or its number. Raises
    IdentityNotFound.
    """
    if isinstance(name_or_id, str):
        row = connection.execute(
            "SELECT id, name FROM identity WHERE name_key = ?", (name_token(connection, _searchable(name_or_id)),)
        ).fetchone()
        missing = f"Nobody called “{_searchable(name_or_id)}” is in the gallery."
    else:
        row = None
        if 0 < name_or_id <= _MAX_ROWID:
            row = connection.execute("SELECT id, name FROM identity WHERE id = ?", (int(name_or_id),)).fetchone()
        missing = f"No identity has the number {name_or_id}."
    if row is None:
        raise IdentityNotFound(missing, "Look at the list: `edgeface-studio gallery list`.")
    return int(row[0]), open_text(connection, str(row[1]), "name", int(row[0]))


def name_token(connection: sqlite3.Connection, name: str) -> str:
    """What `identity.name_key` holds for a name: the folded name, or its keyed hash where the gallery is encrypted."""
    return seal_of(connection).token(name)


def open_text(connection: sqlite3.Connection, value: str, place: Place, person: int) -> str:
    """A stored text as it was given. Raises GalleryUnreadable when it can't be opened."""
    try:
        return seal_of(connection).open_text(value, place, person)
    except ValueError as error:
        raise damaged("The gallery", CANT_OPEN) from error


def open_crop(connection: sqlite3.Connection, value: bytes, person: int) -> bytes:
    """A stored crop as it was given. Raises GalleryUnreadable when it can't be opened."""
    try:
        return seal_of(connection).open(value, "crop", person)
    except ValueError as error:
        raise damaged("The gallery", CANT_OPEN) from error


def insert_identity(connection: sqlite3.Connection, name: str, note: str, at: datetime) -> int:
    """Add an identity without templates; its number. Raises NameInvalid or NameTaken."""
    cleaned, about = clean_name(name), clean_note(note)
    refuse_taken(connection, cleaned)
    number = insert(
        connection,
        "INSERT INTO identity(name, name_key, note, enrolled_at, revision) VALUES ('', ?, '', ?, 0)",
        (name_token(connection, cleaned), at.isoformat()),
    )
    store_name(connection, number, cleaned)
    store_note(connection, number, about)
    return number


def store_name(connection: sqlite3.Connection, identity_id: int, name: str) -> None:
    """Write a name that was cleaned and is free."""
    connection.execute(
        "UPDATE identity SET name = ?, name_key = ? WHERE id = ?",
        (seal_of(connection).close_text(name, "name", identity_id), name_token(connection, name), identity_id),
    )


def store_note(connection: sqlite3.Connection, identity_id: int, note: str) -> None:
    """Write a note that was cleaned."""
    closed = seal_of(connection).close_text(note, "note", identity_id)
    connection.execute("UPDATE identity SET note = ? WHERE id = ?", (closed, identity_id))


def refuse_taken(connection: sqlite3.Connection, name: str, except_id: int = 0) -> None:
    """Raises NameTaken when an identity other than `except_id` has this name."""
    row = connection.execute(
        "SELECT id, name FROM identity WHERE name_key = ? AND id != ?", (name_token(connection, name), except_id)
    ).fetchone()
    if row is not None:
        raise NameTaken(
            f"“{open_text(connection, row[1], 'name', row[0])}” is enrolled already.",
            "Add the photographs to that person, or choose another name.",
        )


def insert_templates(
    connection: sqlite3.Connection,
    identity_id: int,
    templates: Sequence[NewTemplate],
    space: Space,
    at: datetime,
) -> None:
    """Add templates to an identity. Raises TemplateInvalid or SpaceMismatch; nothing is added then."""
    encoder, seal = encoder_id(connection, space), seal_of(connection)
    rows = []
    for template in templates:
        vector = check_template(template, space)
        rows.append(
            (
                identity_id,
                encoder,
                seal.close(vector.astype("<f4").tobytes(), "vector", identity_id),
                template.kind,
                float(template.probe_px),
                template.size_px,
                space.upscaler_at(template.size_px),
                int(space.flip_tta),
                template.image_sha256,
                seal.close_text(template.source, "source", identity_id),
                at.isoformat(),
                None if template.crop is None else seal.close(template.crop, "crop", identity_id),
            )
        )
    connection.executemany(
        """INSERT INTO template(identity_id, encoder_id, vector, kind, probe_px, size_px, upscaler_sha256,
            flip_tta, image_sha256, source, added_at, crop) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        rows,
    )
    touch(connection, identity_id)


def touch(connection: sqlite3.Connection, identity_id: int) -> None:
    """Mark an identity's templates as changed, for copies in memory."""
    connection.execute("UPDATE identity SET revision = revision + 1 WHERE id = ?", (identity_id,))


def write_audit(
    connection: sqlite3.Connection, at: datetime, actor: str, event: str, identity_id: int | None = None
) -> None:
    """Add a line to the audit trail, by whoever is signed in, else by `actor`. `event` must hold no name."""
    connection.execute(
        "INSERT INTO audit(at, actor, event, identity_id) VALUES (?, ?, ?, ?)",
        (at.isoformat(), _searchable(named_in_trail(actor))[:200], event, identity_id),
    )


def read_identities(
    connection: sqlite3.Connection, space: Space | None, *, search: str = "", identity_id: int | None = None
) -> list[Identity]:
    """Identities by name; `search` keeps those whose name contains it, case aside."""
    parameters: dict[str, str | int] = {"search": _searchable(name_key(search)), "id": identity_id or 0}
    if space is not None:
        parameters |= space_parameters(space)
    seal = seal_of(connection)
    query = _IDENTITY.format(
        name=seal.sql("i.name", "name", "i.id"),
        note=seal.sql("i.note", "note", "i.id"),
        key=seal.sql_name_key(),
        in_space="1" if space is None else IN_SPACE,
        which=f"instr({seal.sql_name_key()}, :search) > 0" if identity_id is None else "i.id = :id",
    )
    return [
        Identity(row[0], row[1], row[2], stored_moment(row[3]), row[4], row[5], row[6], bool(row[7]))
        for row in connection.execute(query, parameters)
    ]


def count_people(connection: sqlite3.Connection, space: Space | None) -> tuple[int, int, int]:
    """(people, those whom `space` can find, photographs), counted without reading anybody; photographs as in
    read_identities."""
    people = connection.execute("SELECT count(*) FROM identity").fetchone()[0]
    findable = 0
    if space is not None:
        query = f"SELECT count(DISTINCT t.identity_id) FROM template t WHERE {IN_SPACE}"  # nosec B608  # a constant
        findable = connection.execute(query, space_parameters(space)).fetchone()[0]
    photographs = connection.execute(
        """SELECT count(*) FROM (SELECT DISTINCT identity_id, image_sha256 FROM template WHERE image_sha256 != '')
        UNION ALL SELECT count(*) FROM template WHERE image_sha256 = '' AND kind = 'hr'"""
    ).fetchall()
    return int(people), int(findable), sum(int(row[0]) for row in photographs)


def read_templates(
    connection: sqlite3.Connection, identity_id: int, space: Space | None = None
) -> Iterator[StoredTemplate]:
    """An identity's templates, oldest first; only those that `space` meets when one is named."""
    parameters: dict[str, str | int] = {"id": identity_id}
    if space is not None:
        parameters |= space_parameters(space)
    which = f"t.identity_id = :id AND ({'1' if space is None else IN_SPACE}) ORDER BY t.id"
    for row in connection.execute(f"{_template(connection)} WHERE {which}", parameters):
        yield _stored_template(row)


def read_template(connection: sqlite3.Connection, template_id: int) -> StoredTemplate | None:
    """One template by its number; None when it isn't there."""
    row = connection.execute(f"{_template(connection)} WHERE t.id = ?", (template_id,)).fetchone()
    return None if row is None else _stored_template(row)


def _template(connection: sqlite3.Connection) -> str:
    seal = seal_of(connection)
    return f"""SELECT t.id, t.identity_id, e.name, e.weights_sha256, t.upscaler_sha256, t.flip_tta, e.dim,
        {seal.sql("t.vector", "vector", "t.identity_id")}, t.kind, t.probe_px, t.size_px, t.image_sha256,
        {seal.sql("t.crop", "crop", "t.identity_id")}, {seal.sql("t.source", "source", "t.identity_id")}, t.added_at
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
    )


def stored_vector(blob: bytes, dim: int) -> np.ndarray:
    """A stored vector as (dim,) float32. Raises GalleryUnreadable when it isn't one of unit norm."""
    vector = np.frombuffer(blob, dtype="<f4") if len(blob) == 4 * dim else np.zeros(dim, np.float32)
    if not abs(float(vector @ vector) - 1.0) < 0.01:  # NaN fails as well
        raise damaged("The gallery", f"a stored vector isn't {dim} numbers of norm 1")
    return vector.astype(np.float32, copy=False)


def stored_vectors(blobs: Sequence[bytes], dim: int) -> np.ndarray:
    """`stored_vector` for many at once: (N, dim) float32. Raises GalleryUnreadable when one isn't of unit norm."""
    joined = b"".join(blobs)
    if len(joined) == 4 * dim * len(blobs) and {len(blob) for blob in blobs} == {4 * dim}:
        vectors = np.frombuffer(joined, dtype="<f4").reshape(-1, dim)
        if (np.abs(np.einsum("ij,ij->i", vectors, vectors) - 1.0) < 0.01).all():  # NaN fails as well
            return vectors
    raise damaged("The gallery", f"a stored vector isn't {dim} numbers of norm 1")


def stored_moment(text: str) -> datetime:
    """A stored time. Raises GalleryUnreadable."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise damaged("The gallery", "a stored time isn't one") from error


def read_spaces(connection: sqlite3.Connection) -> list[tuple[Space, int, int]]:
    """(space, templates it meets, identities it meets) for every space that the stored templates allow, most
    first.

    Where an encoder has no upscaled templates, the space's upscaler is "".
    """
    keys = connection.execute(
        """SELECT DISTINCT e.name, e.weights_sha256, coalesce(t.upscaler_sha256, ''), t.flip_tta, e.dim
        FROM template t JOIN encoder e ON e.id = t.encoder_id"""
    ).fetchall()
    spaces = [Space(name, weights, upscaler, bool(flip), dim) for name, weights, upscaler, flip, dim in keys]
    upscaled = {(space.weights_sha256, space.flip_tta) for space in spaces if space.upscaler}
    counted = []
    for space in spaces:
        if not space.upscaler and (space.weights_sha256, space.flip_tta) in upscaled:
            continue
        count = connection.execute(
            f"SELECT count(*), count(DISTINCT t.identity_id) FROM template t WHERE {IN_SPACE}",  # nosec B608  # a constant
            space_parameters(space),
        ).fetchone()
        counted.append((space, int(count[0]), int(count[1])))
    return sorted(counted, key=lambda item: (-item[1], item[0].encoder_name, item[0].upscaler))


def read_audit(connection: sqlite3.Connection, limit: int) -> list[AuditEntry]:
    """The latest `limit` lines of the audit trail, newest first."""
    query = "SELECT id, at, actor, event, identity_id FROM audit ORDER BY id DESC LIMIT ?"
    return [
        AuditEntry(row[0], stored_moment(row[1]), row[2], row[3], row[4]) for row in connection.execute(query, (limit,))
    ]


def insert(connection: sqlite3.Connection, statement: str, values: Sequence[object]) -> int:
    """Run an INSERT; the new row's number."""
    row_id = connection.execute(statement, values).lastrowid
    return int(row_id) if row_id is not None else 0


def _searchable(text: str) -> str:
    """`text` without what can't be encoded, so that a search for it finds nothing instead of failing."""
    return text.encode("utf-8", "replace").decode("utf-8")
