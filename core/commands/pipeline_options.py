"""The options of every command that recognises faces: written down once, given to a command as one value.

Typer reads options from a function's signature. `with_pipeline` writes them there in place of a parameter that is
EncoderOptions or PipelineOptions, and hands the command what was said as that value.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

from core.commands.common import (
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


def with_pipeline(command: Callable[..., None]) -> Callable[..., None]:
    """`command` as Typer is to see it: its parameter of EncoderOptions or PipelineOptions as the options in it."""
    hints = get_type_hints(command, include_extras=True)
    kept = inspect.signature(command).parameters
    [(name, options)] = [(n, hint) for n, hint in hints.items() if hint in (EncoderOptions, PipelineOptions)]
    inside = get_type_hints(options, include_extras=True)
    spread = [
        inspect.Parameter(
            field.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=field.default, annotation=inside[field.name]
        )
        for field in fields(options)
    ]
    parameters: list[inspect.Parameter] = []
    for parameter in kept.values():
        parameters += spread if parameter.name == name else [parameter.replace(annotation=hints[parameter.name])]

    @wraps(command)
    def given(**values: Any) -> None:
        said = {parameter.name: values.pop(parameter.name) for parameter in spread if parameter.name in values}
        command(**values, **{name: options(**said)})

    given.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    given.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return given
