"""What stands between somebody and what they asked for."""

from __future__ import annotations

from core.errors import CoreError


class AccessError(CoreError):
    """The users' file, a name, a password or a role can't be used."""

    help_topic = "access"


class NotAllowed(AccessError):
    """The role of who asks doesn't include this."""


class SignInRefused(AccessError):
    """Name and password don't fit together. Which of them is wrong isn't told."""


class TooManyAttempts(AccessError):
    """Sign-ins failed too often: the next is heard after `wait_s` seconds."""

    def __init__(self, wait_s: float) -> None:
        seconds = max(1, round(wait_s + 0.5))
        super().__init__("Too many sign-ins have failed.", f"Wait {seconds} s, then try again.")
        self.wait_s = wait_s
