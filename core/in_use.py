"""What recognises faces and what enlarges them, together: found, taken into use and described by what a file holds.

The one place that knows both registries; nothing here needs torch until a file is taken into use.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.encoder.registry import WeightsFile, active_weights, find_weights, use_weights
from core.errors import CoreError, SettingsInvalid, WeightsMissing
from core.gallery.values import Space
from core.settings import Settings
from core.sr.registry import UpscalerFile, active_upscaler, describe, find_upscaler, use_upscaler
from core.sr.trial import UpscalerUnusable
from core.sr.upscale import BICUBIC
from core.weight_card import is_upscaler, read_card

MEASURED_TOGETHER = frozenset(
    {
        (
            "577d69cd01e3b900d4d1b4061c4f55df35b58ee62aaa19a33f65150ccacbbe20",  # edgeface-xxs-starter
            "d830e0a18f8a146c606b85633482a04afa74f2e47cabbb3df977bf752d463c9b",  # edgeface-dsr
        ),
    }
)
"""Encoder and upscaler (SHA-256) that weren't trained together, and measured as well or better so than with what the
encoder was trained with (DECISIONS.md, "The shipped pair")."""


@dataclass(frozen=True)
class InUse:
    """The encoder weights and the upscaler in use, or why there is none."""

    encoder: WeightsFile | None = None
    encoder_problem: CoreError | None = None
    upscaler: UpscalerFile | None = None
    upscaler_problem: CoreError | None = None

    @property
    def mismatch(self) -> str:
        """A sentence where the encoder was trained with another upscaler than the one in use, unless that was measured
        to do no harm; else ""."""
        if self.encoder is None or self.upscaler is None:
            return ""
        trained_with = read_card(self.encoder.metadata).trained_with_upscaler
        same = {self.upscaler.sha256, self.upscaler.metadata.get("exported_from", "")}
        if not trained_with or trained_with in same:
            return ""
        if (self.encoder.sha256, self.upscaler.sha256) in MEASURED_TOGETHER:
            return ""
        what = (
            BICUBIC if trained_with == BICUBIC else f"another super-resolution network (SHA-256 {trained_with[:10]}…)"
        )
        return (
            f"These weights were trained on faces enlarged by {what}; in use is {self.upscaler.name}. Small faces "
            "may be recognised less well than measured."
        )


def in_use(settings: Settings) -> InUse:
    """What is in use. Never raises a CoreError: what is wrong is told."""
    encoder = upscaler = None
    encoder_problem = upscaler_problem = None
    try:
        encoder = active_weights(settings)
    except CoreError as error:
        encoder_problem = error
    try:
        upscaler = active_upscaler(settings)
    except CoreError as error:
        upscaler_problem = error
    return InUse(encoder, encoder_problem, upscaler, upscaler_problem)


def space_in_use(settings: Settings, weights: WeightsFile) -> Space:
    """Which templates those weights can search with the upscaler in use, without flip; known without loading anything.

    Where the upscaler in use is gone or was changed, only templates of full size: no upscaler took part in them.
    """
    try:
        upscaler = active_upscaler(settings)
    except UpscalerUnusable:
        return Space(weights.name, weights.sha256, "", flip_tta=False)
    return Space(weights.name, weights.sha256, upscaler.sha256, flip_tta=False, bicubic_px=upscaler.bicubic_px)


def find_either(settings: Settings, file_or_name: str | Path) -> WeightsFile | UpscalerFile:
    """The encoder weights or the upscaler that a path or name means, told apart by content.

    Raises WeightsMissing, UpscalerUnusable, StorageFailed.
    """
    if not isinstance(file_or_name, Path) and file_or_name.strip() == BICUBIC:
        return find_upscaler(settings, BICUBIC)
    try:
        file = find_weights(settings, file_or_name)
    except WeightsMissing as missing:
        try:
            return find_upscaler(settings, file_or_name)  # a stored one by its name
        except (UpscalerUnusable, SettingsInvalid):
            raise missing from None
    return describe(file.path) if is_upscaler(file.metadata) else file


def use_either(settings: Settings, file_or_name: str | Path) -> WeightsFile | UpscalerFile:
    """Take weights or an upscaler into use, by what the file holds. Raises what `find_either`, `use_weights` and
    `use_upscaler` raise; nothing changes then."""
    found = find_either(settings, file_or_name)
    if isinstance(found, WeightsFile):
        return use_weights(settings, found.path)
    return use_upscaler(settings, found.path or BICUBIC)
