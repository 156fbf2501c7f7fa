"""Encrypt a gallery, change its key or decrypt it: every value in one transaction."""

from __future__ import annotations

from core.access.actor import require
from core.access.roles import Permission
from core.gallery.audit import write_audit
from core.gallery.cipher import CANT_DECRYPT, AesGcmCipher, Cipher, Column, PlainCipher
from core.gallery.errors import GalleryError
from core.gallery.keys import Key
from core.gallery.protection import Protection, read_protection, write_protection
from core.gallery.sqlite_errors import damaged_gallery
from core.gallery.storage import Connection
from core.gallery.store import Gallery
from core.gallery.template_queries import reassign_sighting, reassign_template
from core.system.server_address import is_server


def protection_of(gallery: Gallery) -> Protection:
    """Return how an open gallery is protected."""
    with gallery.database.reading() as connection:
        return read_protection(connection)


def unused_key(gallery: Gallery) -> Key | None:
    """Return the operator's key where one is given but the gallery isn't encrypted, else None.

    Only a new gallery is encrypted by itself.
    """
    return None if protection_of(gallery).encrypted else gallery.database.keys()


def encrypt(gallery: Gallery, key: Key, *, actor: str = "local") -> None:
    """Encrypt names, notes, sources, vectors and crops in one transaction, and erase the plain values from the file.

    Raises GalleryError when the gallery is encrypted already. Earlier backups and exports stay as they are.
    """
    _reseal(gallery, AesGcmCipher(key), "encrypted", actor, encrypted=False)


def change_key(gallery: Gallery, key: Key, *, actor: str = "local") -> None:
    """Encrypt everything with another key, in one transaction; nothing in the file opens with the old one then.

    Raises GalleryError when the gallery isn't encrypted. Backups made before still open with the old key.
    """
    _reseal(gallery, AesGcmCipher(key), "key changed", actor, encrypted=True)


def decrypt(gallery: Gallery, *, actor: str = "local") -> None:
    """Store everything unencrypted, in one transaction. Raises GalleryError when the gallery isn't encrypted."""
    _reseal(gallery, PlainCipher(), "decrypted", actor, encrypted=True)


def _reseal(gallery: Gallery, new: Cipher, event: str, actor: str, *, encrypted: bool) -> None:
    require(Permission.MAINTAIN)
    if is_server(gallery.path):
        raise GalleryError(
            "A gallery on a server can't be encrypted by EdgeFace Studio yet.",
            "Have the server's disk and its connections encrypted.",
        )
    with gallery.database.transaction() as connection:
        if read_protection(connection).encrypted != encrypted:
            state = "isn't encrypted" if encrypted else "is encrypted already"
            step = "Use `gallery encrypt`." if encrypted else "Use `gallery change-key` for another key."
            raise GalleryError(f"The gallery {state}.", step)
        old, at = connection.cipher, gallery.database.now()
        try:
            _reseal_people(connection, old, new)
            _reseal_templates(connection, old, new)
        except ValueError as error:
            raise damaged_gallery(gallery.path, CANT_DECRYPT) from error
        connection.execute("DELETE FROM protection")
        if new.fingerprint:
            write_protection(connection, new.fingerprint, at)
        write_audit(connection, at, actor, event)
        connection.cipher = new  # when this isn't committed, the next turn follows what the file says
    gallery.tidy()


def _reseal_people(connection: Connection, old: Cipher, new: Cipher) -> None:
    texts: tuple[tuple[str, Column], ...] = (("name", "name"), ("note", "note"))
    for number, *values in connection.execute("SELECT id, name, note FROM identity").fetchall():
        plain = [old.decrypt_text(value, place, number) for value, (_, place) in zip(values, texts, strict=True)]
        connection.execute(
            "UPDATE identity SET name = ?, name_key = ?, note = ? WHERE id = ?",
            (
                new.encrypt_text(plain[0], "name", number),
                new.name_token(plain[0]),
                new.encrypt_text(plain[1], "note", number),
                number,
            ),
        )


def _reseal_templates(connection: Connection, old: Cipher, new: Cipher) -> None:
    for (number,) in connection.execute("SELECT id FROM template").fetchall():
        reassign_template(connection, number, old, new)
    for (number,) in connection.execute("SELECT id FROM sighting").fetchall():
        reassign_sighting(connection, number, old, new)
