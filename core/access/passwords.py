"""Password hashing with Argon2id (RFC 9106). Checking takes the same time for an unknown name."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

from core.access.errors import AccessError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 256
"""Lengths in characters. No mixture of character classes is required."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Each check takes 64 MiB: the number of simultaneous checks is limited."""


def check_password(password: str, name: str = "") -> None:
    """Raise AccessError for a password that is too short, too long, one character repeated, or the name."""
    problem = ""
    if len(password) < SHORTEST:
        problem = f"has {len(password)} characters, at least {SHORTEST} are needed"
    elif len(password) > LONGEST:
        problem = f"has more than {LONGEST} characters"
    elif len(set(password)) < 4 or (name and password.casefold().strip() == name.casefold().strip()):
        problem = "is too easy to guess"
    elif any("\ud800" <= character <= "\udfff" for character in password):
        problem = "holds characters that can't be stored"
    if problem:
        raise AccessError(f"The password {problem}.", "Take a few words that don't belong together.")


def hash_password(password: str, hasher: PasswordHasher | None = None) -> str:
    """Return an Argon2id hash with its salt and parameters, as text."""
    with _AT_ONCE:
        return (hasher or default_hasher()).hash(password)


def verify_password(stored: str | None, password: str, hasher: PasswordHasher | None = None) -> bool:
    """Whether `password` matches the hash `stored`; None (an unknown name) takes the same time and gives False."""
    from argon2.exceptions import InvalidHashError, VerificationError

    used = hasher or default_hasher()
    against = stored if stored is not None else _of_nobody(used)
    if len(password) > LONGEST or any("\ud800" <= character <= "\udfff" for character in password):
        password, stored = "", None
    with _AT_ONCE:
        fits: bool
        try:
            fits = used.verify(against, password)
        except (VerificationError, InvalidHashError):
            fits = False
    return fits and stored is not None


@cache
def default_hasher() -> PasswordHasher:
    """The low-memory profile of RFC 9106: 64 MiB, 3 passes, 4 lanes."""
    from argon2 import PasswordHasher
    from argon2.profiles import RFC_9106_LOW_MEMORY

    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@cache
def _of_nobody(hasher: PasswordHasher) -> str:
    return hasher.hash("a password that nobody has")
