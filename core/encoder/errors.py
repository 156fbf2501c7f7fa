"""What can go wrong between a weights file and a working encoder."""

from __future__ import annotations

from core.errors import CoreError


class WeightsMissing(CoreError):
    """There is no weights file where one was expected, or none is in use."""

    help_topic = "weights"


class WeightsUnsafe(CoreError):
    """A file that can't be read as weights without executing it, is damaged, or holds none."""

    help_topic = "weights"


class WeightsMismatch(CoreError):
    """Weights whose keys or shapes don't fit the variant completely."""

    help_topic = "weights"


class WeightsUnhealthy(CoreError):
    """Weights that load completely but don't tell people apart."""

    help_topic = "weights"


class DownloadFailed(CoreError):
    """A weights file couldn't be fetched, or what came wasn't the published file."""

    help_topic = "weights"
