"""What to measure: the systems (weights with an upscaler), and the plan of sizes, modes, thresholds and galleries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import model_validator

from core.errors import SettingsInvalid
from core.evaluation.views import Degradation, Mode, Size, View
from core.settings import UNCALIBRATED_THRESHOLD
from core.system.validated import Record, validated

CURVE_SIZES: tuple[Size, ...] = (None, 48, 40, 32, 24, 20, 16, 12)
"""The sizes of a resolution curve; None is HR."""

SECTIONS = ("verification", "identification", "open set", "reject", "similarity", "super-resolution", "head")
"""Parts of an evaluation. Identification includes per-person figures, confused pairs and the sweep; similarity is
that of small faces to their own full-size ones, by group."""

SIMILARITY_SECTIONS = ("similarity",)
"""The part that needs one picture of each person only."""

COMPARING = ("verification", "identification", "open set")
"""The parts that need genuine and impostor pairs."""

SWEEP_SECTIONS = COMPARING
"""The parts that a sweep over thresholds needs."""

BOTH_DEGRADATIONS: tuple[Degradation, ...] = ("bicubic", "camera")
"""What reports of accuracy measure unless told otherwise."""

PEER_SUFFIX = ".onnx"


@dataclass(frozen=True)
class SystemSpec:
    """An encoder with an upscaler, as a run's config names it.

    `weights` is a file or a name, None for the weights in use; a .onnx file is a peer, another recogniser. `upscaler`
    is "bicubic" or a DSR file, None for the one in use. `bgr`: the peer takes its channels in that order.
    `beside`: it was added for comparison (`core.evaluation.direct_feed`).
    """

    weights: str | None = None
    upscaler: str | None = None
    use_tta: bool = False
    device: str = "auto"
    precision: str = "auto"
    bgr: bool = False
    beside: bool = False

    @property
    def is_peer(self) -> bool:
        return self.weights is not None and Path(self.weights).suffix.lower() == PEER_SUFFIX


class Plan(Record):
    """The plan of an evaluation.

    `sizes` in px, None for HR. `threshold`: the cosine at which per-person acceptance is reported. `gallery_sizes` of
    None: 10, 30, 100, ... up to half of the people; each is drawn `draws` times, and each person enrols `enrol`
    photographs. `bootstrap`: resamples of people for the intervals, 0 for none. `sr_images`: images for PSNR, SSIM and
    similarity. `reject_images`: without flip TTA, agreement with the mirror image costs encoding a picture twice, so
    the curve of rejection is drawn for whole people with together at most about so many pictures; with it, for all.
    `by`: columns of the data set's table by whose values figures are broken down.
    """

    sizes: tuple[Size, ...] = (None, 32, 24, 16)
    modes: tuple[Mode, ...] = ("aligned",)
    degradations: tuple[Degradation, ...] = ("bicubic",)
    threshold: float = UNCALIBRATED_THRESHOLD
    gallery_sizes: tuple[int, ...] | None = None
    enrol: int = 1
    draws: int = 5
    bootstrap: int = 1000
    seed: int = 0
    sr_images: int = 300
    reject_images: int = 1000
    sections: tuple[str, ...] = SECTIONS
    by: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _usable(self) -> Plan:
        if not -1 <= self.threshold <= 1:
            raise SettingsInvalid(
                f"A threshold is a cosine from -1 to 1, not {self.threshold}.", "Choose a value in that range."
            )
        if unknown := [name for name in self.sections if name not in SECTIONS]:
            raise SettingsInvalid(f"There is no section '{unknown[0]}'.", f"Choose from {', '.join(SECTIONS)}.")
        if not self.sizes or not self.modes or not self.degradations or self.enrol < 1 or self.draws < 1:
            raise SettingsInvalid("Nothing would be measured.", "Choose at least one size, mode and degradation.")
        return self

    def views(self) -> list[View]:
        """Every view of the pictures, HR first in each mode: it is always needed, as gallery and reference."""
        small = [size for size in dict.fromkeys(self.sizes) if size is not None]
        return [
            view
            for mode in self.modes
            for view in (
                View(mode),
                *(View(mode, size, degradation) for degradation in self.degradations for size in small),
            )
        ]

    def wants(self, view: View) -> bool:
        """Whether the figures of a view are reported: HR only where `sizes` names it."""
        return view.size_px is not None or None in self.sizes

    def to_config(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return self.model_dump(mode="json")


def plan_of(values: Mapping[str, Any]) -> Plan:
    """Return a plan from JSON values; absent ones keep their default. Raises SettingsInvalid."""
    return validated(Plan, values, refused)


def refused(fault: str) -> SettingsInvalid:
    """The error of a configuration that can't be used, from the first fault."""
    return SettingsInvalid(f"This evaluation's settings can't be used: {fault}", "Correct them, and start it again.")
