"""Addresses of streams with a password: stored in the data folder, readable by their owner only, so that a run's
config, its log and the screen show the address without it."""

from __future__ import annotations

import json
import secrets

from core.access.actor import require
from core.access.places import require_host
from core.access.roles import Permission
from core.errors import SettingsInvalid
from core.settings import Settings
from core.system.atomic_file import write_atomically
from core.video.sources import has_secret, without_secret

_FILE = "cameras.json"
_MARK = "camera:"
_MOST = 200


def store_address(settings: Settings, address: str) -> str:
    """Return the form of an address to store in a config: itself, or "camera:KEY ADDRESS" if it contains a secret,
    which is then kept in the credentials file. Raises NotAllowed, StorageFailed."""
    require(Permission.RUN)
    if "://" not in address:
        return address
    require_host(address)  # here: a run's settings hold what is written down
    if not has_secret(address):
        return address
    book = _read(settings)
    key = next((key for key, known in book.items() if known == address), secrets.token_hex(8))
    book = {**book, key: address}
    for old in list(book)[:-_MOST]:
        del book[old]
    path = settings.data_dir / _FILE
    write_atomically(path, json.dumps(book, indent=2).encode())
    return f"{_MARK}{key} {without_secret(address)}"


def address_of(settings: Settings, written: str) -> str:
    """Return the address that `store_address` stored. Raises SettingsInvalid when the file no longer contains it."""
    if not written.startswith(_MARK):
        return written
    key = written.removeprefix(_MARK).split(" ", 1)[0]
    address = _read(settings).get(key)
    if address is None:
        raise SettingsInvalid("The password of that camera is no longer stored.", "Give its whole address again.")
    return address


def shown(written: str) -> str:
    """The address without its secret, for display."""
    return written.split(" ", 1)[-1] if written.startswith(_MARK) else written


def _read(settings: Settings) -> dict[str, str]:
    path = settings.data_dir / _FILE
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsInvalid(f"{path} can't be read.", "Delete it, and give the camera's address again.") from error
    return {str(key): str(value) for key, value in book.items()} if isinstance(book, dict) else {}
