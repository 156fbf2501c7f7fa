"""Encryption of personal values, one by one: AES-256-GCM, authenticated with their column and identity number.

An encrypted value is 12 random bytes, the cipher text and a 16-byte tag; text is stored as base64 of that. Since the
identity's number is authenticated, a vector can't be moved to another name. Names are compared by a keyed hash. Each
connection holds its file's cipher, and its SQL decrypts values with `decrypt_text` and `decrypt_blob`; in a gallery
without a key the SQL names the columns themselves, at no cost.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.gallery.keys import Key
from core.gallery.validation import name_key

SCHEME = "aes-256-gcm 1"
"""Stored in the gallery. Any other scheme was written by a newer program."""

Column = Literal["name", "note", "vector", "crop", "source"]

CANT_DECRYPT = "a value was changed, or encrypted with another key"
_NONCE_BYTES = 12


class Cipher(Protocol):
    """How a gallery's values are stored. `fingerprint` is the key's, "" without encryption."""

    fingerprint: str

    def encrypt(self, value: bytes, column: Column, identity: int) -> bytes: ...
    def decrypt(self, value: bytes, column: Column, identity: int) -> bytes: ...
    def encrypt_text(self, value: str, column: Column, identity: int) -> str: ...
    def decrypt_text(self, value: str, column: Column, identity: int) -> str: ...
    def name_token(self, name: str) -> str: ...
    def sql(self, expression: str, column: Column, identity: str) -> str: ...
    def sql_name_key(self) -> str: ...


class PlainCipher:
    """No encryption: values are stored as they are."""

    fingerprint = ""

    def encrypt(self, value: bytes, column: Column, identity: int) -> bytes:
        return value

    def decrypt(self, value: bytes, column: Column, identity: int) -> bytes:
        return value

    def encrypt_text(self, value: str, column: Column, identity: int) -> str:
        return value

    def decrypt_text(self, value: str, column: Column, identity: int) -> str:
        return value

    def name_token(self, name: str) -> str:
        """Return what is stored to find a name: the same for names that differ in case only."""
        return name_key(name)

    def sql(self, expression: str, column: Column, identity: str) -> str:
        """Return the SQL of a column's plain value; `identity` is the SQL of the identity's number."""
        return expression

    def sql_name_key(self) -> str:
        """Return the SQL by which identities `i` are sorted and searched."""
        return "i.name_key"


class AesGcmCipher:
    """AES-256-GCM with a key."""

    def __init__(self, key: Key) -> None:
        self.fingerprint = key.fingerprint
        self._cipher = AESGCM(_derived_key(key, b"values"))
        self._names = _derived_key(key, b"names")

    def encrypt(self, value: bytes, column: Column, identity: int) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, _associated_data(column, identity))

    def decrypt(self, value: bytes, column: Column, identity: int) -> bytes:
        """Raises ValueError unless the value was encrypted with this key for that column and identity."""
        try:
            return self._cipher.decrypt(value[:_NONCE_BYTES], value[_NONCE_BYTES:], _associated_data(column, identity))
        except (InvalidTag, ValueError, OverflowError) as error:
            raise ValueError(CANT_DECRYPT) from error

    def encrypt_text(self, value: str, column: Column, identity: int) -> str:
        return base64.b64encode(self.encrypt(value.encode("utf-8"), column, identity)).decode("ascii")

    def decrypt_text(self, value: str, column: Column, identity: int) -> str:
        return self.decrypt(base64.b64decode(value, validate=True), column, identity).decode("utf-8")

    def name_token(self, name: str) -> str:
        return hmac.new(self._names, name_key(name).encode("utf-8"), hashlib.sha256).hexdigest()

    def sql(self, expression: str, column: Column, identity: str) -> str:
        function = "decrypt_blob" if column in ("vector", "crop") else "decrypt_text"
        return f"{function}({expression}, '{column}', {identity})"

    def sql_name_key(self) -> str:
        return f"key_of_name({self.sql('i.name', 'name', 'i.id')})"


PLAIN = PlainCipher()


class GalleryConnection(sqlite3.Connection):
    """A connection that holds its file's cipher, and whose SQL can decrypt values with it."""

    cipher: Cipher = PLAIN

    def stream(self, sql: str, parameters: Mapping[str, Any], /) -> Iterator[tuple[Any, ...]]:
        """Yield the rows one by one; SQLite never holds them all."""
        return self.execute(sql, parameters)

    def register_functions(self) -> None:
        """Register the SQL functions. They use the cipher that the connection has when they are called."""
        self.create_function(
            "decrypt_text",
            3,
            lambda value, column, identity: self.cipher.decrypt_text(value, column, identity),  # noqa: PLW0108 (the cipher changes)
        )
        self.create_function(
            "decrypt_blob",
            3,
            lambda value, column, identity: None if value is None else self.cipher.decrypt(value, column, identity),
        )
        self.create_function("key_of_name", 1, name_key)


def _derived_key(key: Key, purpose: bytes) -> bytes:
    """Derive the key for one purpose (HKDF-Expand with one block, RFC 5869; the key is uniform already)."""
    return hmac.new(key.secret, b"edgeface-gallery " + purpose + b"\x01", hashlib.sha256).digest()


def _associated_data(column: Column, identity: int) -> bytes:
    return f"{column}:{identity}".encode("ascii")
