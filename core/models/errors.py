"""Errors between a weights file and a working encoder."""

from __future__ import annotations

from core.errors import CoreError, WeightsMissing, WeightsUnsafe

__all__ = [
    "DownloadFailed",
    "DownloadRunning",
    "FiguresOfOthers",
    "SpecialistRefused",
    "UpscalerUnusable",
    "WeightsMismatch",
    "WeightsMissing",
    "WeightsUnhealthy",
    "WeightsUnsafe",
]


class WeightsMismatch(CoreError):
    """Weights whose keys or shapes don't fit the variant completely."""

    help_topic = "weights"


class WeightsUnhealthy(CoreError):
    """Weights that load completely but can't distinguish people."""

    help_topic = "weights"


class FiguresOfOthers(CoreError):
    """A report that measures other weights than those whose figures are asked for."""

    help_topic = "weights"


class UpscalerUnusable(CoreError):
    """A DSR file that is missing, damaged, of another kind, or worse than repeated pixels."""

    help_topic = "weights"


class SpecialistRefused(UpscalerUnusable):
    """A specialist beside weights whose space it doesn't share."""


class DownloadFailed(CoreError):
    """A weights file couldn't be downloaded, or the download isn't the published file."""

    help_topic = "weights"


class DownloadRunning(DownloadFailed):
    """Another download of the same file is running."""
