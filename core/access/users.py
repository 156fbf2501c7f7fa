"""The users file: names, roles and password hashes in one JSON file, private to its owner, written atomically.

Signing in is required while the file exists, even when it is damaged.
"""

from __future__ import annotations

import json
import os
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.access.actor import LOCAL, NOBODY, require
from core.access.errors import AccessError
from core.access.passwords import check_password, hash_password
from core.access.roles import Permission, Role, role_of
from core.access.trail import write_trail
from core.errors import StorageFailed
from core.settings import Settings
from core.system.atomic_file import write_atomically
from core.system.platform_files import lock

if TYPE_CHECKING:
    from argon2 import PasswordHasher

FORMAT = 1
LONGEST_NAME = 80
_RESERVED = frozenset({LOCAL, NOBODY.name})


@dataclass(frozen=True)
class User:
    """An account. `stamp` changes with password and role, which invalidates earlier sign-ins."""

    name: str
    role: Role
    password_hash: str
    stamp: str

    def __repr__(self) -> str:
        return f"User({self.name!r}, {self.role})"


def users_path(settings: Settings) -> Path:
    return settings.data_dir / "users.json"


def sign_in_needed(settings: Settings) -> bool:
    """Whether a users file exists; True where the folder can't be read."""
    try:
        return os.path.lexists(users_path(settings))
    except OSError:
        return True


def read_users(settings: Settings) -> list[User]:
    """Return all accounts, sorted by name; [] without a file. Raises AccessError for a damaged file, StorageFailed."""
    path = users_path(settings)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageFailed(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from error
    try:
        said = json.loads(content)
        if said["format"] > FORMAT:
            raise AccessError(f"{path} was written by a newer EdgeFace Studio.", "Update EdgeFace Studio.")
        users = [_user(each) for each in said["users"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AccessError(f"{path} is damaged: nobody can sign in.", "Put a copy back, or remove the file.") from error
    return sorted(users, key=lambda user: user_key(user.name))


def find_user(settings: Settings, name: str) -> User | None:
    """Return the account of that name, ignoring case, or None. Raises what `read_users` raises."""
    wanted = user_key(name)
    return next((user for user in read_users(settings) if user_key(user.name) == wanted), None)


def add_user(settings: Settings, name: str, password: str, role: Role, *, hasher: PasswordHasher | None = None) -> User:
    """Add an account. The first one must be an admin, since only an admin can add others from the dashboard.

    Raises NotAllowed, AccessError (name taken or invalid, password invalid, the first isn't an admin), StorageFailed.
    """
    actor = require(Permission.ACCESS).name  # before the change, after which somebody else may be asked
    cleaned = clean_user_name(name)
    check_password(password, cleaned)
    hashed = hash_password(password, hasher)
    with _changing(settings) as users:
        if any(user_key(user.name) == user_key(cleaned) for user in users):
            raise AccessError(f"“{cleaned}” may sign in already.", "Choose another name, or change the password.")
        if not users and role is not Role.ADMIN:
            raise AccessError("The first one has to be an admin.", "Add an admin, then the others.")
        added = User(cleaned, role, hashed, secrets.token_hex(8))
        _write(settings, [*users, added])
    write_trail(settings, f"user added as {role}", added.name, actor=actor)
    return added


def change_password(settings: Settings, name: str, password: str, *, hasher: PasswordHasher | None = None) -> User:
    """Change a password; the user has to sign in again everywhere. Raises as `add_user`."""
    actor = require(Permission.ACCESS).name
    check_password(password, name)
    hashed = hash_password(password, hasher)
    changed = _change(settings, name, password_hash=hashed)
    write_trail(settings, "password changed", changed.name, actor=actor)
    return changed


def change_role(settings: Settings, name: str, role: Role) -> User:
    """Change a role, effective at once. Raises NotAllowed, AccessError for the last admin, StorageFailed."""
    actor = require(Permission.ACCESS).name
    changed = _change(settings, name, role=role)
    write_trail(settings, f"role changed to {role}", changed.name, actor=actor)
    return changed


def remove_user(settings: Settings, name: str) -> bool:
    """Remove an account, effective at once. Return True if it was the last one, which turns sign-in off.

    Raises NotAllowed, AccessError (no such name; the last admin while other accounts exist), StorageFailed.
    """
    actor = require(Permission.ACCESS).name
    with _changing(settings) as users:
        gone = _one(users, name)
        rest = [user for user in users if user is not gone]
        if rest:
            _refuse_without_admin(rest)
            _write(settings, rest)
        else:
            users_path(settings).unlink()
    write_trail(settings, "user removed" if rest else "last user removed: signing in is off", gone.name, actor=actor)
    return not rest


def clean_user_name(name: str) -> str:
    """Return the normalised name. Raises AccessError for an empty, long, unprintable or reserved one."""
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > LONGEST_NAME or not cleaned.isprintable() or user_key(cleaned) in _RESERVED:
        raise AccessError(
            f"'{cleaned[:40]}' can't be a user's name.", f"Take 1 to {LONGEST_NAME} characters; not “{LOCAL}”."
        )
    return cleaned


def user_key(name: str) -> str:
    """Return the comparison key of a name, equal for all ways to type it."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def _change(settings: Settings, name: str, **changes: Any) -> User:
    with _changing(settings) as users:
        earlier = _one(users, name)
        changed = replace(earlier, stamp=secrets.token_hex(8), **changes)
        after = [changed if user is earlier else user for user in users]
        _refuse_without_admin(after)
        _write(settings, after)
    return changed


def _one(users: list[User], name: str) -> User:
    found = next((user for user in users if user_key(user.name) == user_key(name)), None)
    if found is None:
        raise AccessError(f"There is no account called “{name[:40]}”.", "See edgeface-studio users list.")
    return found


def _refuse_without_admin(users: list[User]) -> None:
    if not any(user.role is Role.ADMIN for user in users):
        raise AccessError("This is the only admin.", "Make another account an admin first.")


def _user(value: Any) -> User:
    user = User(value["name"], role_of(value["role"]), value["password_hash"], value["stamp"])
    if not all(isinstance(each, str) and each for each in (user.name, user.password_hash, user.stamp)):
        raise ValueError("a field isn't text")
    return user


def _write(settings: Settings, users: list[User]) -> None:
    said = {"format": FORMAT, "users": [asdict(user) for user in users]}
    write_atomically(users_path(settings), json.dumps(said, indent=2).encode())  # its temporary file is 0600


@contextmanager
def _changing(settings: Settings) -> Iterator[list[User]]:
    """The accounts, locked against other processes."""
    path = settings.data_dir / ".users.lock"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StorageFailed(f"{path} can't be written: {error.strerror}.", "Check its permissions.") from error
    try:
        lock(handle, wait=True)
        yield read_users(settings)
    finally:
        os.close(handle)
