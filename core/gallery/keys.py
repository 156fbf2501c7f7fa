"""Encryption keys of galleries: created, read from the operator's file, environment or keyring.

A key is never written into the gallery or a log: `repr` shows its fingerprint only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import importlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import CoreError, StorageFailed

KEY_VARIABLE = "EDGEFACE_GALLERY_KEY"
KEY_FILE_VARIABLE = "EDGEFACE_GALLERY_KEY_FILE"
KEYRING_VARIABLE = "EDGEFACE_GALLERY_KEYRING"
"""Where a key is looked for: its text, a file that holds it, or the name of an entry of the system's keyring."""

KEY_BYTES = 32
_SERVICE = "edgeface-studio"
_LONGEST_FILE = 1000


class KeyInvalid(CoreError):
    """The given key is invalid or can't be read."""

    help_topic = "encryption"


@dataclass(frozen=True)
class Key:
    """32 secret bytes. Two keys are the same when their fingerprints are."""

    secret: bytes

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the key without revealing it."""
        return hmac.new(self.secret, b"edgeface-gallery fingerprint", hashlib.sha256).hexdigest()[:16]

    @property
    def text(self) -> str:
        """The key in its stored form: 44 characters of base64."""
        return base64.urlsafe_b64encode(self.secret).decode("ascii")

    def __repr__(self) -> str:
        return f"Key({self.fingerprint})"


Keys = Callable[[], Key | None]
"""Gives the operator's key, None when there is none."""


def new_key() -> Key:
    """A key from the system's random numbers."""
    return Key(secrets.token_bytes(KEY_BYTES))


def parse_key(text: str, where: str) -> Key:
    """The key that a text holds. Raises KeyInvalid, which says where it came from and never what it was."""
    try:
        secret = base64.b64decode(text.strip().encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise KeyInvalid(
            f"{where} holds no key: expected 44 characters of base64 ({KEY_BYTES} bytes). A password isn't enough.",
            "Make a key: edgeface-studio gallery make-key FILE.",
        )
    return Key(secret)


def write_key_file(path: Path, key: Key) -> None:
    """A new file with the key, readable by its owner only. Raises StorageFailed, also when there is a file already."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{key.text}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise StorageFailed(f"{path} is there already: a key is never overwritten.", "Choose another name.") from error
    except OSError as error:
        raise StorageFailed(f"{path} couldn't be written: {error.strerror}.", "Choose another folder.") from error


def read_key_file(path: Path) -> Key:
    """The key in a file. Raises KeyInvalid."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE)
    except OSError as error:
        raise KeyInvalid(
            f"The key file {path} can't be read: {error.strerror}.", "Check the path and its permissions."
        ) from error
    return parse_key(content.decode("ascii", "replace"), f"The key file {path}")


def key_given(environ: Mapping[str, str] | None = None) -> Key | None:
    """The key that the environment names, None when it names none. Raises KeyInvalid when it names two, or no key."""
    env = os.environ if environ is None else environ
    named = [name for name in (KEY_VARIABLE, KEY_FILE_VARIABLE, KEYRING_VARIABLE) if env.get(name)]
    if not named:
        return None
    if len(named) > 1:
        raise KeyInvalid(f"The gallery's key is given twice: {' and '.join(named)}.", "Unset all but one.")
    value = env[named[0]]
    if named[0] == KEY_VARIABLE:
        return parse_key(value, KEY_VARIABLE)
    if named[0] == KEY_FILE_VARIABLE:
        return read_key_file(Path(value).expanduser())
    return _from_keyring(value)


def _from_keyring(entry: str) -> Key:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError as error:
        raise KeyInvalid(
            f"{KEYRING_VARIABLE} needs the package keyring, which isn't installed.",
            f"Install it (pip install keyring), or keep the key in a file: {KEY_FILE_VARIABLE}.",
        ) from error
    try:
        found = keyring.get_password(_SERVICE, entry)
    except Exception as error:  # every backend has errors of its own
        raise KeyInvalid(
            f"The system's keyring can't be read ({type(error).__name__}).", "Unlock it, or keep the key in a file."
        ) from error
    if not found:
        raise KeyInvalid(
            f"The system's keyring has no entry “{entry}” of the service {_SERVICE}.",
            f"Store the key there: keyring set {_SERVICE} {entry}.",
        )
    return parse_key(found, f"The keyring's entry “{entry}”")
