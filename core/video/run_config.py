"""The configuration of a video run, built by the page and the command and read by the job."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from core.settings import TIE_MARGIN
from core.system.validated import Config


class VideoConfig(Config):
    """A video to look at, and the pipeline to recognise with.

    `source` is as `core.video.stream_credentials.store_address` returns it; with `uploaded` it is a file in the run's
    folder, deleted after the run. `seconds` of None: the whole file, or an hour of a camera. `threshold` of None: the
    default one. `weights`, `upscaler` and `gallery` of None: those in use.
    """

    source: str
    title: str = ""
    uploaded: bool = False
    seconds: float | None = None
    looks_per_s: float = Field(default=10.0, gt=0, le=60)
    reduce_to_px: int | None = None
    small_faces: bool = False
    annotate: bool = True
    keep_faces: bool = False
    log_sightings: bool = False
    gallery: str | None = None
    weights: str | None = None
    upscaler: str | None = None
    skip_dsr: bool = False
    use_tta: bool = False
    device: str = "auto"
    threshold: float | None = None
    tie_margin: float = TIE_MARGIN

    def values(self) -> dict[str, Any]:
        """The configuration as JSON values for config.json."""
        return self.model_dump(mode="json")
