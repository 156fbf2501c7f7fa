"""The SQL of identities: found, added, renamed, listed and counted, inside a transaction that the caller opened."""

from __future__ import annotations

from datetime import datetime

from core.gallery.errors import IdentityNotFound, NameTaken
from core.gallery.records import Identity, Space
from core.gallery.spaces import IN_SPACE, space_parameters
from core.gallery.storage import Connection
from core.gallery.stored_values import decrypt_text, encodable, insert, stored_moment
from core.gallery.validation import clean_name, clean_note, name_key

_MAX_ROWID = 2**63 - 1

_IDENTITY = """SELECT i.id, {name}, {note}, i.enrolled_at, count(t.id), count(t.id) FILTER (WHERE {in_space}),
        count(DISTINCT nullif(t.image_sha256, ''))
            + count(t.id) FILTER (WHERE t.image_sha256 = '' AND t.kind = 'hr'),
        count(t.crop)
    FROM identity i LEFT JOIN template t ON t.identity_id = i.id
    WHERE {which} GROUP BY i.id ORDER BY {key}"""


def find_identity(connection: Connection, name_or_id: str | int) -> tuple[int, str]:
    """(number, name as stored) of an identity by its name, case aside, or its number. Raises
    IdentityNotFound.
    """
    if isinstance(name_or_id, str):
        row = connection.execute(
            "SELECT id, name FROM identity WHERE name_key = ?", (name_token(connection, encodable(name_or_id)),)
        ).fetchone()
        missing = f"Nobody called “{encodable(name_or_id)}” is in the gallery."
    else:
        row = None
        if 0 < name_or_id <= _MAX_ROWID:
            row = connection.execute("SELECT id, name FROM identity WHERE id = ?", (int(name_or_id),)).fetchone()
        missing = f"No identity has the number {name_or_id}."
    if row is None:
        raise IdentityNotFound(missing, "Look at the list: `edgeface-studio gallery list`.")
    return int(row[0]), decrypt_text(connection, str(row[1]), "name", int(row[0]))


def name_token(connection: Connection, name: str) -> str:
    """What `identity.name_key` holds for a name: the folded name, or its keyed hash where the gallery is encrypted."""
    return connection.cipher.name_token(name)


def insert_identity(connection: Connection, name: str, note: str, at: datetime) -> int:
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


def store_name(connection: Connection, identity_id: int, name: str) -> None:
    """Write a name that was cleaned and is free."""
    connection.execute(
        "UPDATE identity SET name = ?, name_key = ? WHERE id = ?",
        (connection.cipher.encrypt_text(name, "name", identity_id), name_token(connection, name), identity_id),
    )


def store_note(connection: Connection, identity_id: int, note: str) -> None:
    """Write a note that was cleaned."""
    closed = connection.cipher.encrypt_text(note, "note", identity_id)
    connection.execute("UPDATE identity SET note = ? WHERE id = ?", (closed, identity_id))


def refuse_taken(connection: Connection, name: str, except_id: int = 0) -> None:
    """Raises NameTaken when an identity other than `except_id` has this name."""
    row = connection.execute(
        "SELECT id, name FROM identity WHERE name_key = ? AND id != ?", (name_token(connection, name), except_id)
    ).fetchone()
    if row is not None:
        raise NameTaken(
            f"“{decrypt_text(connection, row[1], 'name', row[0])}” is enrolled already.",
            "Add the photographs to that person, or choose another name.",
        )


def touch(connection: Connection, identity_id: int) -> None:
    """Mark an identity's templates as changed, for copies in memory."""
    connection.execute("UPDATE identity SET revision = revision + 1 WHERE id = ?", (identity_id,))


def read_identities(
    connection: Connection, space: Space | None, *, search: str = "", identity_id: int | None = None
) -> list[Identity]:
    """Identities by name; `search` keeps those whose name contains it, case aside."""
    parameters: dict[str, str | int] = {"search": encodable(name_key(search)), "id": identity_id or 0}
    if space is not None:
        parameters |= space_parameters(space)
    cipher = connection.cipher
    query = _IDENTITY.format(
        name=cipher.sql("i.name", "name", "i.id"),
        note=cipher.sql("i.note", "note", "i.id"),
        key=cipher.sql_name_key(),
        in_space="true" if space is None else IN_SPACE,
        which=f"instr({cipher.sql_name_key()}, :search) > 0" if identity_id is None else "i.id = :id",
    )
    return [
        Identity(row[0], row[1], row[2], stored_moment(row[3]), row[4], row[5], row[6], bool(row[7]))
        for row in connection.execute(query, parameters)
    ]


def count_people(connection: Connection, space: Space | None) -> tuple[int, int, int]:
    """(people, those whom `space` can find, photographs), counted without reading anybody; photographs as in
    read_identities."""
    people = connection.execute("SELECT count(*) FROM identity").fetchone()[0]
    findable = 0
    if space is not None:
        query = f"SELECT count(DISTINCT t.identity_id) FROM template t WHERE {IN_SPACE}"  # nosec B608  # a constant
        findable = connection.execute(query, space_parameters(space)).fetchone()[0]
    photographs = connection.execute(
        """SELECT count(*) FROM (
            SELECT DISTINCT identity_id, image_sha256 FROM template WHERE image_sha256 != '') shown
        UNION ALL SELECT count(*) FROM template WHERE image_sha256 = '' AND kind = 'hr'"""
    ).fetchall()
    return int(people), int(findable), sum(int(row[0]) for row in photographs)
