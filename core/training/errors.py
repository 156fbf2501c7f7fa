"""Errors of a training, one class for each that a user can act on."""

from __future__ import annotations

from core.errors import CoreError


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
