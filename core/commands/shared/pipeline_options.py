"""The options of every command that recognises faces, written down once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.commands.shared.common import (
    AlignedOption,
    DeviceOption,
    FacesOption,
    SkipDsrOption,
    TtaOption,
    UpscalerOption,
    WeightsOption,
    build,
)

if TYPE_CHECKING:
    from core.pipeline import Pipeline


@dataclass(frozen=True)
class EncoderOptions:
    """With what faces become embeddings."""

    weights: WeightsOption = None
    upscaler: UpscalerOption = None
    skip_dsr: SkipDsrOption = False
    use_tta: TtaOption = False
    device: DeviceOption = "auto"

    def pipeline(self, **further: Any) -> Pipeline:
        """The pipeline that was asked for; `further` are other fields of PipelineConfig. Raises what `build` raises."""
        from core.pipeline import PipelineConfig

        return build(PipelineConfig(**vars(self), **further))


@dataclass(frozen=True)
class _FaceOptions:
    faces: FacesOption = "largest"
    aligned: AlignedOption = None


@dataclass(frozen=True)
class PipelineOptions(EncoderOptions, _FaceOptions):
    """Which face of a photograph is meant, and with what it becomes an embedding."""
