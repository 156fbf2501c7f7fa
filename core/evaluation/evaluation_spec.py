"""What to measure, as a run's config holds it: sizes, modes, degradations, thresholds, galleries, seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.errors import SettingsInvalid
from core.evaluation.views import Degradation, Mode, Size, View
from core.settings import UNCALIBRATED_THRESHOLD

CURVE_SIZES: tuple[Size, ...] = (None, 48, 40, 32, 24, 20, 16, 12)
"""The sizes of a resolution curve."""

SECTIONS = ("verification", "identification", "open set", "reject", "super-resolution", "head")
"""Parts of an evaluation. Identification brings per-person figures, confused pairs and the sweep along."""


@dataclass(frozen=True)
class Plan:
    """How to evaluate. `sizes` hold None for HR. `threshold` is what per-person acceptance is told at. `gallery_sizes`
    of None: 10, 30, 100, ... up to half of the people; each is drawn `draws` times, and each person enrols `enrol`
    photographs. `bootstrap` resamples of people give intervals (0: none). Without flip TTA how well a face agrees with
    its mirror image costs encoding it twice, so that the curve of rejection is drawn for whole people with together at
    most about `reject_images` pictures; with it, for all."""

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
    """Columns of the data set's table by whose values figures are broken down."""

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise SettingsInvalid(f"A threshold is a cosine from -1 to 1, not {self.threshold}.", "Choose such a one.")
        if unknown := [name for name in self.sections if name not in SECTIONS]:
            raise SettingsInvalid(f"There is no section '{unknown[0]}'.", f"Choose from {', '.join(SECTIONS)}.")
        if not self.sizes or not self.modes or not self.degradations or self.enrol < 1 or self.draws < 1:
            raise SettingsInvalid("Nothing would be measured.", "Choose at least one size, mode and degradation.")

    def views(self) -> list[View]:
        """Every way that pictures are shown, HR first in each mode: it is always there, as gallery and reference."""
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
        return view.size_px is not None or None in self.sizes

    def to_config(self) -> dict[str, Any]:
        return asdict(self)


def plan_of(config: Mapping[str, Any]) -> Plan:
    """A plan from plain values; what is absent keeps its default. Raises SettingsInvalid."""
    known = {f.name for f in fields(Plan)}
    values = {name: _frozen(value) for name, value in config.items() if name in known}
    try:
        return Plan(**values)
    except TypeError as error:
        raise SettingsInvalid(f"This evaluation's settings can't be used: {error}.", "Start it again.") from error


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
