"""Encryption of what identifies a person, value by value: AES-256-GCM, bound to its column and its person.

A sealed value is 12 random bytes, the cipher text and 16 bytes of tag; text is base64 of that. The person's number is
authenticated with it, so a vector can't be moved under another name. Whether two names are the same is told by a keyed
hash. Connections carry their seal, and SQL opens values through `open_text` and `open_blob`; in a gallery without a
key the SQL names the columns themselves, at no cost.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import sqlite3
from typing import Literal, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.gallery.keys import Key
from core.gallery.validation import name_key

SCHEME = "aes-256-gcm 1"
"""Written into the gallery; another one is of a newer programme."""

Place = Literal["name", "note", "vector", "crop", "source"]

CANT_OPEN = "a value was changed, or sealed with another key"
_NONCE_BYTES = 12


class Seal(Protocol):
    """How values lie in a gallery. `fingerprint` is the key's, "" without encryption."""

    fingerprint: str

    def close(self, value: bytes, place: Place, person: int) -> bytes: ...
    def open(self, value: bytes, place: Place, person: int) -> bytes: ...
    def close_text(self, value: str, place: Place, person: int) -> str: ...
    def open_text(self, value: str, place: Place, person: int) -> str: ...
    def token(self, name: str) -> str: ...
    def sql(self, column: str, place: Place, person: str) -> str: ...
    def sql_name_key(self) -> str: ...


class Plain:
    """Values as they are."""

    fingerprint = ""

    def close(self, value: bytes, place: Place, person: int) -> bytes:
        return value

    def open(self, value: bytes, place: Place, person: int) -> bytes:
        return value

    def close_text(self, value: str, place: Place, person: int) -> str:
        return value

    def open_text(self, value: str, place: Place, person: int) -> str:
        return value

    def token(self, name: str) -> str:
        """What is stored to tell whether a name is taken."""
        return name_key(name)

    def sql(self, column: str, place: Place, person: str) -> str:
        """The SQL expression of a column's plain value; `person` is the SQL of the identity's number."""
        return column

    def sql_name_key(self) -> str:
        """The SQL expression of what identities `i` are sorted and searched by."""
        return "i.name_key"


class Sealed:
    """Values encrypted with a key."""

    def __init__(self, key: Key) -> None:
        self.fingerprint = key.fingerprint
        self._cipher = AESGCM(_derived(key, b"values"))
        self._names = _derived(key, b"names")

    def close(self, value: bytes, place: Place, person: int) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, _bound(place, person))

    def open(self, value: bytes, place: Place, person: int) -> bytes:
        """Raises ValueError when it isn't a value of that place and person, sealed with this key."""
        try:
            return self._cipher.decrypt(value[:_NONCE_BYTES], value[_NONCE_BYTES:], _bound(place, person))
        except (InvalidTag, ValueError, OverflowError) as error:
            raise ValueError(CANT_OPEN) from error

    def close_text(self, value: str, place: Place, person: int) -> str:
        return base64.b64encode(self.close(value.encode("utf-8"), place, person)).decode("ascii")

    def open_text(self, value: str, place: Place, person: int) -> str:
        return self.open(base64.b64decode(value, validate=True), place, person).decode("utf-8")

    def token(self, name: str) -> str:
        return hmac.new(self._names, name_key(name).encode("utf-8"), hashlib.sha256).hexdigest()

    def sql(self, column: str, place: Place, person: str) -> str:
        function = "open_blob" if place in ("vector", "crop") else "open_text"
        return f"{function}({column}, '{place}', {person})"

    def sql_name_key(self) -> str:
        return f"key_of_name({self.sql('i.name', 'name', 'i.id')})"


PLAIN = Plain()


class SealedConnection(sqlite3.Connection):
    """A connection that knows how the values in its file are sealed, and whose SQL can open them."""

    seal: Seal = PLAIN

    def teach(self) -> None:
        """Give the SQL its functions; they go by whatever seal the connection has at the time."""
        self.create_function(
            "open_text",
            3,
            lambda value, place, person: self.seal.open_text(value, place, person),  # noqa: PLW0108 (the seal changes)
        )
        self.create_function(
            "open_blob", 3, lambda v, place, person: None if v is None else self.seal.open(v, place, person)
        )
        self.create_function("key_of_name", 1, name_key)


def seal_of(connection: sqlite3.Connection) -> Seal:
    """How the values of this connection's file are sealed."""
    return connection.seal if isinstance(connection, SealedConnection) else PLAIN


def _derived(key: Key, purpose: bytes) -> bytes:
    """A key of its own for each purpose (HKDF-Expand with one block, RFC 5869; the key is uniform already)."""
    return hmac.new(key.secret, b"edgeface-gallery " + purpose + b"\x01", hashlib.sha256).digest()


def _bound(place: Place, person: int) -> bytes:
    return f"{place}:{person}".encode("ascii")
