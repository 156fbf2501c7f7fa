"""Base of all errors that a user can cause: what happened, and the next step."""

from __future__ import annotations


class CoreError(Exception):
    """An error with the thing, what was expected, what was found, and the next step.

    `what` is one sentence for the screen, `next_step` one that says how to continue. `help_topic` names a section of
    the Help page, or is "".
    """

    help_topic: str = ""

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what, next_step)
        self.what = what
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what} {self.next_step}".strip()


class SettingsInvalid(CoreError):
    """A setting or a command's argument has a value that can't be used."""


class StorageFailed(CoreError):
    """The disk refused a read or a write (full, read-only, no permission)."""

    help_topic = "storage"


class WeightsMissing(CoreError):
    """There is no weights file where one was expected, or none is in use."""

    help_topic = "weights"


class WeightsUnsafe(CoreError):
    """A file that can't be read as weights without executing it, is damaged, or holds none."""

    help_topic = "weights"
