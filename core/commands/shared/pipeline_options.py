"""Options of the commands that recognise faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.commands.shared.common import build
from core.commands.shared.option_types import (
    AlignedOption,
    DeviceOption,
    FacesOption,
    SkipDsrOption,
    TtaOption,
    UpscalerOption,
    WeightsOption,
)

if TYPE_CHECKING:
    from core.pipeline import Pipeline


@dataclass(frozen=True)
class SystemOptions:
    """The encoder and the upscaler of a data set's or gallery's embeddings."""

    weights: WeightsOption = None
    upscaler: UpscalerOption = None
    use_tta: TtaOption = False
    device: DeviceOption = "auto"


@dataclass(frozen=True)
class EncoderOptions:
    """The encoder and the upscaler."""

    weights: WeightsOption = None
    upscaler: UpscalerOption = None
    skip_dsr: SkipDsrOption = False
    use_tta: TtaOption = False
    device: DeviceOption = "auto"

    def pipeline(self, **further: Any) -> Pipeline:
        """Build the pipeline; `further` are other fields of PipelineConfig. Raises what `build` raises."""
        from core.pipeline import PipelineConfig

        return build(PipelineConfig(**vars(self), **further))


@dataclass(frozen=True)
class _FaceOptions:
    faces: FacesOption = "largest"
    aligned: AlignedOption = None


@dataclass(frozen=True)
class PipelineOptions(EncoderOptions, _FaceOptions):
    """Encoder and upscaler, and which face of a photograph to use."""
