"""Whether a gallery is encrypted, and with which key: told by one row, followed by every connection, changed whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.access.actor import require
from core.access.roles import Permission
from core.gallery.cipher import CANT_OPEN, PLAIN, SCHEME, Place, Plain, Seal, Sealed, SealedConnection
from core.gallery.errors import GalleryError, GalleryLocked, GalleryNewer
from core.gallery.keys import KEY_FILE_VARIABLE, Key
from core.gallery.sqlite_errors import damaged

if TYPE_CHECKING:
    from core.gallery.store import Gallery

Keys = Callable[[], Key | None]
"""Gives the operator's key, None when there is none."""


@dataclass(frozen=True)
class Protection:
    """How a gallery lies on the disk. `fingerprint` tells keys apart, "" where nothing is encrypted; `since` when."""

    fingerprint: str = ""
    since: datetime | None = None

    @property
    def encrypted(self) -> bool:
        return bool(self.fingerprint)


def read_protection(connection: sqlite3.Connection) -> Protection:
    """What the file says. Raises GalleryNewer for a scheme that isn't known."""
    row = connection.execute("SELECT scheme, fingerprint, since FROM protection").fetchone()
    if row is None:
        return Protection()
    if row[0] != SCHEME:
        raise GalleryNewer(
            f"The gallery is encrypted in a way that isn't known here ({row[0][:40]!r}).",
            "Update EdgeFace Studio, then open it again.",
        )
    return Protection(row[1], datetime.fromisoformat(row[2]))


def follow(connection: SealedConnection, keys: Keys, path: Path | str) -> None:
    """Give the connection the seal that its file has now: another process may have encrypted it, or changed its key.

    Raises GalleryLocked when the key isn't given, or is another one.
    """
    wanted = read_protection(connection).fingerprint
    if connection.seal.fingerprint == wanted:
        return
    connection.seal = Sealed(_key_for(wanted, keys, path)) if wanted else PLAIN


def _key_for(fingerprint: str, keys: Keys, path: Path | str) -> Key:
    key = keys()
    if key is None:
        raise GalleryLocked(
            f"{path} is encrypted, and no key was given.",
            f"Set {KEY_FILE_VARIABLE} to the file that holds its key ({fingerprint}), then start again.",
        )
    if key.fingerprint != fingerprint:
        raise GalleryLocked(
            f"{path} is encrypted with another key: expected {fingerprint}, got {key.fingerprint}.",
            "Give the key that it was encrypted with. Without it nobody can read this gallery.",
        )
    return key


def protect_new(connection: SealedConnection, keys: Keys, now: datetime) -> None:
    """Encrypt a gallery that was made just now, when there is a key. One that has people, or a key, is left alone."""
    key = keys()
    if key is None:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        nobody = connection.execute("SELECT 1 FROM identity LIMIT 1").fetchone() is None
        if nobody and not read_protection(connection).encrypted:
            _write(connection, key.fingerprint, now)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def protection_of(gallery: Gallery) -> Protection:
    """How an open gallery lies on the disk."""
    with gallery.database.reading() as connection:
        return read_protection(connection)


def key_unused(gallery: Gallery) -> Key | None:
    """The operator's key, when one is given and the gallery isn't encrypted all the same: it was made before, and only
    a new gallery is encrypted by itself."""
    return None if protection_of(gallery).encrypted else gallery.database.keys()


def encrypt(gallery: Gallery, key: Key, *, actor: str = "local") -> None:
    """Encrypt names, notes, sources, vectors and crops, in one transaction, and erase the plain ones from the file.

    Raises GalleryError when it is encrypted already. Backups and exports made before stay as they are.
    """
    _reseal(gallery, Sealed(key), "encrypted", actor, encrypted=False)


def change_key(gallery: Gallery, key: Key, *, actor: str = "local") -> None:
    """Encrypt everything anew with another key, in one transaction: what the old one opened is gone from the file.

    Raises GalleryError when the gallery isn't encrypted. Backups made before still open with the old key.
    """
    _reseal(gallery, Sealed(key), "key changed", actor, encrypted=True)


def decrypt(gallery: Gallery, *, actor: str = "local") -> None:
    """Store everything in plain again, in one transaction. Raises GalleryError when the gallery isn't encrypted."""
    _reseal(gallery, Plain(), "decrypted", actor, encrypted=True)


def _reseal(gallery: Gallery, new: Seal, event: str, actor: str, *, encrypted: bool) -> None:
    from core.gallery.queries import write_audit

    require(Permission.MAINTAIN)
    with gallery.database.transaction() as connection:
        if read_protection(connection).encrypted != encrypted:
            state = "isn't encrypted" if encrypted else "is encrypted already"
            step = "Use `gallery encrypt`." if encrypted else "Use `gallery change-key` for another key."
            raise GalleryError(f"The gallery {state}.", step)
        old, at = connection.seal, gallery.database.now()
        try:
            _reseal_people(connection, old, new)
            _reseal_templates(connection, old, new)
        except ValueError as error:
            raise damaged(gallery.path, CANT_OPEN) from error
        connection.execute("DELETE FROM protection")
        if new.fingerprint:
            _write(connection, new.fingerprint, at)
        write_audit(connection, at, actor, event)
        connection.seal = new  # when this isn't committed, the next turn follows what the file says
    gallery.tidy()


def _reseal_people(connection: sqlite3.Connection, old: Seal, new: Seal) -> None:
    texts: tuple[tuple[str, Place], ...] = (("name", "name"), ("note", "note"))
    for number, *values in connection.execute("SELECT id, name, note FROM identity").fetchall():
        plain = [old.open_text(value, place, number) for value, (_, place) in zip(values, texts, strict=True)]
        connection.execute(
            "UPDATE identity SET name = ?, name_key = ?, note = ? WHERE id = ?",
            (
                new.close_text(plain[0], "name", number),
                new.token(plain[0]),
                new.close_text(plain[1], "note", number),
                number,
            ),
        )


def _reseal_templates(connection: sqlite3.Connection, old: Seal, new: Seal) -> None:
    for (number,) in connection.execute("SELECT id FROM template").fetchall():
        move(connection, number, old, new)
    for (number,) in connection.execute("SELECT id FROM sighting").fetchall():
        move_sighting(connection, number, old, new)


def move(connection: sqlite3.Connection, template: int, old: Seal, new: Seal, to: int | None = None) -> None:
    """Seal one template's values anew; with `to`, as that person's. Raises ValueError when they can't be opened."""
    person, vector, crop, source = connection.execute(
        "SELECT identity_id, vector, crop, source FROM template WHERE id = ?", (template,)
    ).fetchone()
    owner = person if to is None else to
    connection.execute(
        "UPDATE template SET identity_id = ?, vector = ?, crop = ?, source = ? WHERE id = ?",
        (
            owner,
            new.close(old.open(vector, "vector", person), "vector", owner),
            None if crop is None else new.close(old.open(crop, "crop", person), "crop", owner),
            new.close_text(old.open_text(source, "source", person), "source", owner),
            template,
        ),
    )


def move_sighting(connection: sqlite3.Connection, sighting: int, old: Seal, new: Seal, to: int | None = None) -> None:
    """`move` for one sighting and its crop."""
    person, crop = connection.execute("SELECT identity_id, crop FROM sighting WHERE id = ?", (sighting,)).fetchone()
    owner = person if to is None else to
    closed = None if crop is None else new.close(old.open(crop, "crop", person), "crop", owner)
    connection.execute("UPDATE sighting SET identity_id = ?, crop = ? WHERE id = ?", (owner, closed, sighting))


def _write(connection: sqlite3.Connection, fingerprint: str, at: datetime) -> None:
    connection.execute(
        "INSERT INTO protection(id, scheme, fingerprint, since) VALUES (1, ?, ?, ?)",
        (SCHEME, fingerprint, at.isoformat()),
    )
