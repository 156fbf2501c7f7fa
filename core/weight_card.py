"""What a file that this project trained says of itself: parent, data, command, and how well it measured, with protocol.

The texts stand in the safetensors header. `figures` is JSON:

    {"protocol": "LFW view 2, folds 5-7, 1,800 pairs, aligned, flip TTA off, upscaler bicubic",
     "eer": {"HR": 0.006, "32": [0.008, 0.005, 0.012], ...}, "eer_vlr_hr": {"16": ...},
     "bicubic": {"eer": ..., "eer_vlr_hr": ...}}

A rate is a fraction, or [fraction, low, high] with its 95 % interval; "bicubic" holds the same encoder's rates without
the super-resolution network, where both were measured. `figures_of_report` makes it from the report of `evaluate
pairs`. Texts of other forms are left out: a file's own words never stop it from being listed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ENCODER_FORMAT = "edgeface-studio-encoder-1"
DSR_FORMAT = "edgeface-studio-dsr-1"
"""Values of the metadata key `format`."""

SIZES = ("HR", "32", "24", "16")


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


@dataclass(frozen=True)
class Measured:
    """How well weights tell people apart: equal error rates by probe size ("HR", "32", "24", "16" px), and on what.

    `eer`: both images of a pair have that size. `eer_vlr_hr`: one has it, the other is at full size. `bicubic`: the
    same measured through bicubic instead of the super-resolution network.
    """

    protocol: str
    eer: Mapping[str, Rate] = field(default_factory=dict)
    eer_vlr_hr: Mapping[str, Rate] = field(default_factory=dict)
    bicubic: Measured | None = None

    @property
    def rows(self) -> list[tuple[str, Mapping[str, Rate]]]:
        """What a table of it has, each row with its title; rows without a rate are left out."""
        rows = [("both the same size", self.eer), ("one small, one full size", self.eer_vlr_hr)]
        if self.bicubic is not None:
            rows += [(f"{title}, bicubic", rates) for title, rates in self.bicubic.rows]
        return [(title, rates) for title, rates in rows if rates]

    @property
    def line(self) -> str:
        """ "HR 0.76 %, 32 px 1.24 %, ..." without intervals."""
        return ", ".join(f"{size_name(size)} {rate.value * 100:.2f} %" for size, rate in self.eer.items())


def size_name(size: str) -> str:
    """A size as shown: "HR", "16 px"."""
    return size if size == "HR" else f"{size} px"


@dataclass(frozen=True)
class Card:
    """What a file's header says. Every text may be "": unknown. `trained_with_upscaler` is a SHA-256 or "bicubic"."""

    parent_sha256: str = ""
    data_sha256: str = ""
    trained_by: str = ""
    trained_with_upscaler: str = ""
    made_at: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    measured: Measured | None = None


def read_card(metadata: Mapping[str, str]) -> Card:
    """The card of a file by its header's texts. Never raises: what isn't as it should be is left out."""
    config = _object(metadata.get("config"))
    return Card(
        parent_sha256=metadata.get("parent_sha256", ""),
        data_sha256=metadata.get("data_sha256", ""),
        trained_by=metadata.get("trained_by", ""),
        trained_with_upscaler=metadata.get("trained_with_upscaler", ""),
        made_at=metadata.get("made_at", ""),
        config=config,
        measured=read_figures(_object(metadata.get("figures"))),
    )


def read_figures(figures: Mapping[str, Any]) -> Measured | None:
    """Figures as a header holds them; None when they hold no equal error rate."""
    eer, vlr_hr = _rates(figures.get("eer")), _rates(figures.get("eer_vlr_hr"))
    if not eer and not vlr_hr:
        return None
    protocol, bicubic = figures.get("protocol"), figures.get("bicubic")
    said = protocol if isinstance(protocol, str) and protocol else "protocol not recorded"
    without = {"eer": bicubic.get("eer"), "eer_vlr_hr": bicubic.get("eer_vlr_hr")} if isinstance(bicubic, dict) else {}
    return Measured(said, eer, vlr_hr, read_figures({"protocol": said, **without}))


def figures_of_report(report: Mapping[str, Any], *, mode: str = "aligned", sha256: str = "") -> dict[str, Any]:
    """The figures to keep in a header, from a report of `evaluate pairs` (its report.json): listed pairs, one mode, of
    the first system that it measured with the file of that SHA-256, else of the first one; beside it the same encoder
    with bicubic, where the report has it.

    Raises KeyError, TypeError and IndexError for what is no such report.
    """
    told = report["protocol"]
    systems = told["systems"]
    own = [one for one in systems if sha256 and sha256 in (one.get("weights_sha256"), one.get("upscaler_id"))]
    system = (own or systems)[0]
    found = _rates_of(report, system["label"], mode)
    for other in systems if system["upscaler"] != "bicubic" else []:
        of_both = ("weights_sha256", "flip_tta")
        if other.get("upscaler") == "bicubic" and all(other[name] == system[name] for name in of_both):
            found["bicubic"] = _rates_of(report, other["label"], mode)
    folds = ", ".join(map(str, told["folds"]))
    protocol = (
        f"{told['data']}/{told['pairs_file']}, folds {folds}, {told['pairs']:,} pairs of {told['people']:,} people, "
        f"{mode}, flip TTA {'on' if system['flip_tta'] else 'off'}, encoder {system['name']} "
        f"({system['weights_sha256'][:12]}), upscaler {system['upscaler']}"
    )
    return {"protocol": protocol, **{key: rates for key, rates in found.items() if rates}}


def _rates_of(report: Mapping[str, Any], label: str, mode: str) -> dict[str, Any]:
    found: dict[str, dict[str, list[float | None]]] = {"eer": {}, "eer_vlr_hr": {}}
    for row in report["figures"]["verification"]:
        if (row["system"], row["protocol"], row["mode"]) == (label, "pairs file", mode):
            size = row["probe"].removesuffix(" px")
            rate = [row["eer"], row["eer_low"], row["eer_high"]]
            found["eer_vlr_hr" if row["pairing"] == "VLR-HR" else "eer"][size] = rate
    return dict(found)


def is_upscaler(metadata: Mapping[str, str]) -> bool:
    """Whether a header says that its file is a super-resolution network of this project."""
    return metadata.get("format", "").startswith("edgeface-studio-dsr")


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


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
