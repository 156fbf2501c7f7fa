"""Errors of accounts, sign-in and permissions."""

from __future__ import annotations

from core.errors import CoreError


class AccessError(CoreError):
    """The users file, a name, a password or a role can't be used."""

    help_topic = "access"


class NotAllowed(AccessError):
    """The actor's role doesn't include the permission."""


class SignInRefused(AccessError):
    """Wrong name or password. The message doesn't say which."""


class TooManyAttempts(AccessError):
    """Too many failed sign-ins: the next attempt is accepted after `wait_s` seconds."""

    def __init__(self, wait_s: float) -> None:
        seconds = max(1, round(wait_s + 0.5))
        super().__init__("Too many sign-ins have failed.", f"Wait {seconds} s, then try again.")
        self.wait_s = wait_s
