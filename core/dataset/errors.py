"""Errors of data sets."""

from __future__ import annotations

from core.errors import CoreError


class DatasetError(CoreError):
    """A data set can't be read or made."""

    help_topic = "datasets"


class DatasetInvalid(DatasetError):
    """A folder isn't a data set, or its manifest or dataset.json is damaged."""


class SourceInvalid(DatasetError):
    """A source holds no images in a known layout, or no identities."""


class BuildRefused(DatasetError):
    """A data set can't be built from this source, or in this folder."""


class CameraUnclear(DatasetError):
    """A camera can't be estimated from these pictures: no faces, too few, or none that is small."""

    help_topic = "train"
