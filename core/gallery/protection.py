"""The encryption state of a gallery: one row in the file, which every connection follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.gallery.cipher import PLAIN, SCHEME, AesGcmCipher, GalleryConnection
from core.gallery.errors import GalleryLocked, GalleryNewer
from core.gallery.keys import KEY_FILE_VARIABLE, Key, Keys
from core.gallery.storage import Reader
from core.system.sqlite_files import transaction


@dataclass(frozen=True)
class Protection:
    """The encryption of a gallery. `fingerprint` identifies the key ("" without); `since` is when it began."""

    fingerprint: str = ""
    since: datetime | None = None

    @property
    def encrypted(self) -> bool:
        return bool(self.fingerprint)


def read_protection(connection: Reader) -> Protection:
    """Read the encryption state from the file. Raises GalleryNewer for an unknown scheme."""
    row = connection.execute("SELECT scheme, fingerprint, since FROM protection").fetchone()
    if row is None:
        return Protection()
    if row[0] != SCHEME:
        raise GalleryNewer(
            f"The gallery is encrypted in a way that isn't known here ({row[0][:40]!r}).",
            "Update EdgeFace Studio, then open it again.",
        )
    return Protection(row[1], datetime.fromisoformat(row[2]))


def apply_protection(connection: GalleryConnection, keys: Keys, path: Path | str) -> None:
    """Give the connection the cipher that its file needs now; another process may have encrypted it or changed its key.

    Raises GalleryLocked when the key isn't given, or is another one.
    """
    wanted = read_protection(connection).fingerprint
    if connection.cipher.fingerprint == wanted:
        return
    connection.cipher = AesGcmCipher(_key_for(wanted, keys, path)) if wanted else PLAIN


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


def encrypt_if_new(connection: GalleryConnection, keys: Keys, now: datetime) -> None:
    """Encrypt a newly created gallery when there is a key. One with people or a key is left unchanged."""
    key = keys()
    if key is None:
        return
    with transaction(connection):
        nobody = connection.execute("SELECT 1 FROM identity LIMIT 1").fetchone() is None
        if nobody and not read_protection(connection).encrypted:
            write_protection(connection, key.fingerprint, now)


def write_protection(connection: Reader, fingerprint: str, at: datetime) -> None:
    connection.execute(
        "INSERT INTO protection(id, scheme, fingerprint, since) VALUES (1, ?, ?, ?)",
        (SCHEME, fingerprint, at.isoformat()),
    )
