"""Accuracy figures of weights, as values and JSON: equal error rates by probe size and degradation, with protocol.

A header's `figures` and the files in data/figures are written by `Measured.to_dict` and read by `read_figures`:

    {"protocol": "lfw/pairs.txt, folds 5, 6, 7, 1,800 pairs of 1,284 people, aligned, aligner ...,
                  flip TTA off, upscaler edgeface-dsr",
     "source": "evaluation", "upscaler": "d830...", "upscaler_name": "edgeface-dsr",
     "eer": {"HR": 0.006, "32": [0.008, 0.005, 0.012], ...}, "eer_vlr_hr": {"16": ...},
     "camera": {"eer": {"32": ...}, "eer_vlr_hr": ...},
     "direct_feed": {"eer": ..., "eer_vlr_hr": ..., "camera": ...}, "further": {"16": {"rank1": 0.81, "psnr_db": 24.1}}}

A rate is a fraction, or [fraction, low, high] with its 95 % interval. "direct_feed" holds the rates of the same encoder
fed by bicubic enlargement, where both were measured; files from before say "bicubic" for it and have no "camera".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Source = Literal["evaluation", "validation"]

BICUBIC = "bicubic"
"""In place of an upscaler's SHA-256 and name: faces are fed directly, enlarged by bicubic interpolation."""

CAMERA = "camera"
"""The degradation by blur, noise, gamma and JPEG of `core.dataset.degrade`."""

DIRECT_FEED = "direct feed"
"""What a system without super-resolution and without a specialist is called in tables."""

SIZES = ("HR", "32", "24", "16")

_PAIRINGS = (("eer", "both the same size"), ("eer_vlr_hr", "one small, one full size"))
_UPSCALER = ", upscaler "


@dataclass(frozen=True)
class Rate:
    """A rate as a fraction, with its 95 % interval where it is known."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """In percent: "1.24 %", or "1.24 % [0.76, 1.67]"."""
        bounds = "" if self.low is None or self.high is None else f" [{self.low * 100:.2f}, {self.high * 100:.2f}]"
        return f"{self.value * 100:.2f} %{bounds}"

    def to_json(self) -> float | list[float | None]:
        return self.value if self.low is None and self.high is None else [self.value, self.low, self.high]


@dataclass(frozen=True)
class Rates:
    """Equal error rates of one degradation by size ("HR", "32", "24", "16" px): of pairs whose images both have that
    size, and of pairs of one such image and one at full size."""

    eer: Mapping[str, Rate] = field(default_factory=dict)
    eer_vlr_hr: Mapping[str, Rate] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, the input of `read_rates`; empty ones are left out."""
        found = {name: {size: rate.to_json() for size, rate in getattr(self, name).items()} for name, _ in _PAIRINGS}
        return {name: rates for name, rates in found.items() if rates}


@dataclass(frozen=True)
class Measured:
    """Accuracy of weights: equal error rates by probe size, with their protocol.

    `eer`, `eer_vlr_hr`: of faces shrunk by bicubic interpolation, as in `Rates`; `camera`: of faces degraded as by a
    camera, which have no HR. `direct_feed`: the same measured by feeding the encoder directly, without the
    super-resolution network or specialist. `source`: an evaluation, or the validation of the training, which is
    optimistic because it chose these weights. `upscaler`: SHA-256 of what took the small faces, or "bicubic", "" where
    unknown; `upscaler_name` its name. `further`: other figures by size (rank1, similarity, psnr_db, ssim).
    """

    protocol: str
    eer: Mapping[str, Rate] = field(default_factory=dict)
    eer_vlr_hr: Mapping[str, Rate] = field(default_factory=dict)
    direct_feed: Measured | None = None
    source: Source = "evaluation"
    upscaler: str = ""
    further: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    upscaler_name: str = ""
    camera: Rates = field(default_factory=Rates)

    @property
    def by_degradation(self) -> list[tuple[str, Rates]]:
        """The rates under each degradation that was measured, bicubic first."""
        both = [(BICUBIC, Rates(self.eer, self.eer_vlr_hr)), (CAMERA, self.camera)]
        return [(name, rates) for name, rates in both if rates.eer or rates.eer_vlr_hr]

    @property
    def sizes(self) -> list[str]:
        """The sizes that any of `rows` has a rate of, largest first."""
        found = {size for _, rates in self.rows for size in rates}
        return [size for size in SIZES if size in found]

    @property
    def rows(self) -> list[tuple[str, Mapping[str, Rate]]]:
        """Rows of a table with their titles; rows without a rate are left out."""
        rows = [
            (f"{degradation}, {title}", getattr(rates, name))
            for degradation, rates in self.by_degradation
            for name, title in _PAIRINGS
            if getattr(rates, name)
        ]
        fed = [] if self.direct_feed is None else self.direct_feed.rows
        return rows + [(f"{DIRECT_FEED}, {title}", rates) for title, rates in fed]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, the input of `read_figures`; empty ones are left out."""
        fed = self.direct_feed
        values: dict[str, Any] = {
            "protocol": self.protocol,
            "source": self.source,
            "upscaler": self.upscaler,
            "upscaler_name": self.upscaler_name,
            **self.to_rates(),
            "direct_feed": {} if fed is None else fed.to_rates(),
            "further": {size: dict(values) for size, values in self.further.items()},
        }
        return {name: value for name, value in values.items() if value}

    def to_rates(self) -> dict[str, Any]:
        """The rates alone, as plain values."""
        camera = self.camera.to_dict()
        return {**Rates(self.eer, self.eer_vlr_hr).to_dict(), **({CAMERA: camera} if camera else {})}

    @property
    def line(self) -> str:
        """ "HR 0.76 %, 32 px 1.24 %, ...; camera: 32 px 8.00 %, ..." of pairs of one size, without intervals."""
        parts = [
            f"{'' if degradation == BICUBIC else f'{degradation}: '}"
            f"{', '.join(f'{size_name(size)} {rate.value * 100:.2f} %' for size, rate in rates.eer.items())}"
            for degradation, rates in self.by_degradation
            if rates.eer
        ]
        return "; ".join(parts)


def size_name(size: str) -> str:
    """A size as shown: "HR", "16 px"."""
    return size if size == "HR" else f"{size} px"


def read_figures(figures: Mapping[str, Any]) -> Measured | None:
    """Parse a header's figures; None when they hold no equal error rate."""
    if isinstance(figures.get("by_size"), dict):  # a training's, in its earlier form
        return figures_of_validation(figures, protocol="validation of the training that chose these weights by it")
    rates, camera = read_rates(figures), read_rates(figures.get(CAMERA))
    if rates == camera == Rates():
        return None
    said = _text(figures.get("protocol"))
    fed = figures.get("direct_feed") or figures.get(BICUBIC)
    name = _text(figures.get("upscaler_name")) or said.partition(_UPSCALER)[2]
    return Measured(
        said or "protocol not recorded",
        rates.eer,
        rates.eer_vlr_hr,
        _fed_directly(figures, fed) if isinstance(fed, dict) else None,
        "validation" if figures.get("source") == "validation" else "evaluation",
        _text(figures.get("upscaler")) or (BICUBIC if name == BICUBIC else ""),
        _further(figures.get("further")),
        name,
        camera,
    )


def _fed_directly(figures: Mapping[str, Any], rates: Mapping[str, Any]) -> Measured | None:
    said, name = _text(figures.get("protocol")), _text(figures.get("upscaler_name"))
    kept = {"protocol": through_bicubic(said, name), "source": figures.get("source")}
    found = {name: rates.get(name) for name in ("eer", "eer_vlr_hr", CAMERA)}
    return read_figures({**kept, **found, "upscaler": BICUBIC, "upscaler_name": BICUBIC})


def through_bicubic(protocol: str, upscaler_name: str) -> str:
    """Return the protocol with bicubic in place of that upscaler."""
    name = upscaler_name or protocol.partition(_UPSCALER)[2]
    return protocol.replace(f"{_UPSCALER}{name}", f"{_UPSCALER}{BICUBIC}") if name else protocol


def figures_of_validation(
    figures: Mapping[str, Any],
    *,
    protocol: str,
    upscaler: tuple[str, str] = ("", ""),
    bicubic: Mapping[str, Any] | None = None,
) -> Measured | None:
    """Convert an epoch's validation figures to those of a header; None where no error rate was measured.

    `by_size` holds, for each size, `eer` of VLR-HR, `eer_vlr_vlr` and others, of faces shrunk by bicubic; `camera`, if
    it is there, the same of faces degraded as by a camera. `upscaler` is its SHA-256 (or "bicubic") and name; `bicubic`
    are the figures of feeding the encoder directly.
    """
    sizes = _by_size(figures.get("by_size"))
    rates, camera = _validated(sizes), _validated(_by_size(figures.get(CAMERA)))
    if rates == camera == Rates():
        return None
    further = {size: {name: values.get(name) for name in _FURTHER} for size, values in sizes.items()}
    said = through_bicubic(protocol, upscaler[1])
    fed = None if not bicubic else figures_of_validation(bicubic, protocol=said, upscaler=(BICUBIC, BICUBIC))
    return Measured(
        protocol, rates.eer, rates.eer_vlr_hr, fed, "validation", upscaler[0], _further(further), upscaler[1], camera
    )


_FURTHER = ("rank1", "similarity", "psnr_db", "ssim")


def _by_size(value: Any) -> dict[str, Mapping[str, Any]]:
    found = value.items() if isinstance(value, dict) else ()
    return {str(size): values for size, values in found if isinstance(values, dict)}


def _validated(sizes: Mapping[str, Mapping[str, Any]]) -> Rates:
    same, small = ({size: values.get(name) for size, values in sizes.items()} for name in ("eer_vlr_vlr", "eer"))
    return read_rates({"eer": same, "eer_vlr_hr": small})


def _further(value: Any) -> dict[str, dict[str, float]]:
    """Keep the numbers by size and name; anything else is left out."""
    found: dict[str, dict[str, float]] = {}
    for size, values in _by_size(value).items():
        numbers = {
            str(name): float(number)
            for name, number in values.items()
            if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
        }
        if numbers:
            found[size] = numbers
    return found


def read_rates(value: Any) -> Rates:
    """Parse the rates of one degradation; anything of another form is left out."""
    values = value if isinstance(value, dict) else {}
    return Rates(*(_rates(values.get(name)) for name, _ in _PAIRINGS))


def _rates(value: Any) -> dict[str, Rate]:
    if not isinstance(value, dict):
        return {}
    return {size: rate for size in SIZES if (rate := _rate(value.get(size))) is not None}


def _rate(value: Any) -> Rate | None:
    numbers = value if isinstance(value, list) else [value]
    fractions = [float(n) if isinstance(n, int | float) and not isinstance(n, bool) else None for n in numbers]
    if not fractions or len(fractions) not in (1, 3):
        return None
    if any(n is not None and not (math.isfinite(n) and 0 <= n <= 1) for n in fractions) or fractions[0] is None:
        return None
    return Rate(fractions[0], *fractions[1:])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
