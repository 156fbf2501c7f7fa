"""Sign-in with a password, rate-limited per name and in all, across visitors and restarts.

Neither the answer nor its duration shows whether a name exists.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.access.access_db import keyed_hash, write_transaction
from core.access.errors import SignInRefused, TooManyAttempts
from core.access.passwords import verify_password
from core.access.trail import write_trail
from core.access.users import User, find_user, user_key
from core.settings import Settings
from core.system.logs import logger

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_log = logger(__name__)

FREE_FAILURES = 3
"""Failures per name without a delay; each further one doubles the delay."""
LONGEST_WAIT_S = 300.0
REMEMBERED_S = 3600.0
"""Older failures don't count."""
FREE_IN_ALL, LONGEST_WAIT_IN_ALL_S = 30, 15.0
"""Failures of all names within the hour before every sign-in is delayed: against one password tried on many names."""


def sign_in(
    settings: Settings,
    name: str,
    password: str,
    *,
    clock: Callable[[], float] = time.time,
    hasher: PasswordHasher | None = None,
) -> User:
    """Return the user if name and password match. The attempt is recorded before the password is checked, so that
    parallel attempts gain nothing.

    Raises SignInRefused, TooManyAttempts, AccessError for a damaged users file, StorageFailed.
    """
    now = clock()
    with write_transaction(settings) as connection:
        account = keyed_hash(settings, user_key(name))
        connection.execute("DELETE FROM attempt WHERE at < ? OR at > ?", (now - REMEMBERED_S, now + REMEMBERED_S))
        wait = max(_of_account(connection, account, now), _in_all(connection, now))
        if wait > 0:
            _log.warning("sign-in delayed by %.0f s", wait)
            raise TooManyAttempts(wait)
        connection.execute("INSERT INTO attempt(account, at) VALUES (?, ?)", (account, now))
        attempts = int(connection.execute("SELECT count(*) FROM attempt").fetchone()[0])
    user = find_user(settings, name)
    if not verify_password(None if user is None else user.password_hash, password, hasher) or user is None:
        write_trail(settings, "sign-in refused", user.name if user is not None else "unknown name", actor="nobody")
        _log.warning("sign-in refused: %d failures within %.0f s, all names together", attempts, REMEMBERED_S)
        raise SignInRefused("Name and password don't fit together.", "Try again, or ask an admin for a new password.")
    with write_transaction(settings) as connection:
        connection.execute("DELETE FROM attempt WHERE account = ?", (account,))
    write_trail(settings, f"signed in as {user.role}", actor=user.name)
    return user


def _of_account(connection: sqlite3.Connection, account: str, now: float) -> float:
    failures, last = connection.execute(
        "SELECT count(*), max(at) FROM attempt WHERE account = ?", (account,)
    ).fetchone()
    if failures < FREE_FAILURES:
        return 0.0
    result: float = float(last) + min(LONGEST_WAIT_S, 2.0 ** min(30, failures - FREE_FAILURES)) - now
    return result


def _in_all(connection: sqlite3.Connection, now: float) -> float:
    failures, last = connection.execute("SELECT count(*), max(at) FROM attempt").fetchone()
    if failures < FREE_IN_ALL:
        return 0.0
    result: float = float(last) + min(LONGEST_WAIT_IN_ALL_S, 2.0 ** ((failures - FREE_IN_ALL) // 10)) - now
    return result
