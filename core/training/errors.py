"""Errors of a training, one class for each that a user can act on."""

from __future__ import annotations

from core.errors import CoreError

_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class TrainingError(CoreError):
    """A training can't start or continue."""

    help_topic = "training"


class UnfitData(TrainingError):
    """A data set that can't be trained on."""


class LossNotFinite(TrainingError):
    """The loss became infinite or NaN; the last good checkpoint remains."""


class OutOfMemory(TrainingError):
    """A batch didn't fit into memory."""


class CheckpointUnusable(TrainingError):
    """A checkpoint that is missing, damaged, or another run's."""


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python's or torch's says that memory was lacking."""
    return isinstance(error, MemoryError) or any(text in str(error).lower() for text in _MEMORY)
