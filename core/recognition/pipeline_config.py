"""The configuration of a recognition pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.errors import SettingsInvalid
from core.faces.quality import Limits
from core.settings import TIE_MARGIN, UNCALIBRATED_THRESHOLD

if TYPE_CHECKING:
    from core.encoder.encode import Precision


@dataclass(frozen=True)
class PipelineConfig:
    """The settings that decide a recognition.

    `weights`, `upscaler` and `gallery_path` of None mean the weights in use, the upscaler in use, and a gallery in
    memory; `skip_dsr` means bicubic whatever is in use. `aligned` treats every image as an aligned crop (True) or none
    (False); None recognises square images of at most 64 px in which the face is where alignment puts it. While
    `recognition_threshold` is the default one, the gallery's calibrated threshold for the probe's size is used instead.
    `tie_margin`: when two names' scores differ by no more, nobody is named; at 0 only equal scores tie.
    `check_attacks`: apply the check against presentation attacks where one is in use; data sets don't need it.
    """

    device: str = "auto"
    recognition_threshold: float = UNCALIBRATED_THRESHOLD
    use_tta: bool = False
    skip_dsr: bool = False
    weights: str | Path | None = None
    upscaler: str | Path | None = None
    gallery_path: str | Path | None = None
    faces: Literal["largest", "centre"] = "largest"
    small_faces: bool | None = None
    aligned: bool | None = None
    tie_margin: float = TIE_MARGIN
    top_k: int = 5
    precision: Precision = "auto"
    limits: Limits = field(default_factory=Limits)
    check_attacks: bool = True

    def __post_init__(self) -> None:
        if not -1.0 <= self.recognition_threshold <= 1.0:
            raise SettingsInvalid(
                f"The threshold is a cosine from -1 to 1, not {self.recognition_threshold}.",
                f"Leave it at {UNCALIBRATED_THRESHOLD} or choose one from your own data.",
            )
        if not 0.0 <= self.tie_margin <= 1.0:
            raise SettingsInvalid(
                f"The margin of a tie is a difference of cosines from 0 to 1, not {self.tie_margin}.",
                f"Leave it at {TIE_MARGIN:g}; at 0 only equal scores tie.",
            )
        if self.top_k < 1:
            raise SettingsInvalid(f"top_k is {self.top_k}; at least 1 name is shown.", "Choose 1 or more.")
