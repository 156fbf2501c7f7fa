"""What can go wrong with a data set: one class for each thing that a user can act on."""

from __future__ import annotations

from core.errors import CoreError


class DatasetError(CoreError):
    """A data set can't be read or made."""

    help_topic = "datasets"


class DatasetInvalid(DatasetError):
    """A folder is no data set of ours, or its manifest or dataset.json is damaged."""


class SourceInvalid(DatasetError):
    """What was given holds no images in a form that is known, or names nobody."""


class BuildRefused(DatasetError):
    """A data set can't be built from this source, or in this place, without doing harm."""
