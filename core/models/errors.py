"""What can go wrong between a weights file and a working encoder."""

from __future__ import annotations

from core.errors import CoreError, WeightsMissing, WeightsUnsafe

__all__ = [
    "DownloadFailed",
    "WeightsMismatch",
    "WeightsMissing",
    "WeightsUnhealthy",
    "WeightsUnsafe",
]


class WeightsMismatch(CoreError):
    """Weights whose keys or shapes don't fit the variant completely."""

    help_topic = "weights"


class WeightsUnhealthy(CoreError):
    """Weights that load completely but don't tell people apart."""

    help_topic = "weights"


class DownloadFailed(CoreError):
    """A weights file couldn't be fetched, or what came wasn't the published file."""

    help_topic = "weights"
