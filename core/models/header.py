"""The header of a file that this project trained: parent, data, command, and accuracy figures with their protocol.

Its texts are safetensors metadata. `figures` is JSON, written by `Measured.to_dict` and read by `read_figures`:

    {"protocol": "lfw/pairs.txt, folds 5, 6, 7, 1,800 pairs, aligned, flip TTA off, upscaler bicubic",
     "source": "evaluation", "upscaler": "bicubic",
     "eer": {"HR": 0.006, "32": [0.008, 0.005, 0.012], ...}, "eer_vlr_hr": {"16": ...},
     "bicubic": {"eer": ..., "eer_vlr_hr": ...}, "further": {"16": {"rank1": 0.81, "psnr_db": 24.1}}}

A rate is a fraction, or [fraction, low, high] with its 95 % interval; "bicubic" holds the same encoder's rates without
the super-resolution network, where both were measured. `figures_of_report` builds them from an evaluation's report, and
`figures_of_validation` from a training's validation. Texts of other forms are ignored: a header never keeps a file from
being listed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Source = Literal["evaluation", "validation"]

ENCODER_FORMAT = "edgeface-studio-encoder-1"
DSR_FORMAT = "edgeface-studio-dsr-1"
LANDMARKS_FORMAT = "edgeface-studio-landmarks-1"
"""Values of the metadata key `format`."""

BICUBIC = "bicubic"
"""In place of an upscaler's SHA-256 and name."""

BESIDE = "the one in the same checkpoint"
"""In place of the SHA-256 of a network that was trained in the same run and saved in the same checkpoint."""

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

    def to_json(self) -> float | list[float | None]:
        return self.value if self.low is None and self.high is None else [self.value, self.low, self.high]


@dataclass(frozen=True)
class Measured:
    """Accuracy of weights: equal error rates by probe size ("HR", "32", "24", "16" px), with their protocol.

    `eer`: both images of a pair have that size. `eer_vlr_hr`: one has it, the other is at full size. `bicubic`: the
    same measured through bicubic instead of the super-resolution network. `source`: an evaluation, or the validation
    of the training, which is optimistic because it chose these weights. `upscaler`: SHA-256 of what enlarged small
    faces, or "bicubic", "" where unknown; `upscaler_name` its name. `further`: other figures by size
    (rank1, similarity, psnr_db, ssim).
    """

    protocol: str
    eer: Mapping[str, Rate] = field(default_factory=dict)
    eer_vlr_hr: Mapping[str, Rate] = field(default_factory=dict)
    bicubic: Measured | None = None
    source: Source = "evaluation"
    upscaler: str = ""
    further: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    upscaler_name: str = ""

    @property
    def rows(self) -> list[tuple[str, Mapping[str, Rate]]]:
        """Rows of a table with their titles; rows without a rate are left out."""
        rows = [("both the same size", self.eer), ("one small, one full size", self.eer_vlr_hr)]
        if self.bicubic is not None:
            rows += [(f"{title}, bicubic", rates) for title, rates in self.bicubic.rows]
        return [(title, rates) for title, rates in rows if rates]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, the input of `read_figures`; empty ones are left out."""
        rates = {
            name: {size: rate.to_json() for size, rate in found.items()}
            for name, found in (("eer", self.eer), ("eer_vlr_hr", self.eer_vlr_hr))
            if found
        }
        without = {} if self.bicubic is None else self.bicubic.to_dict()
        further = {size: dict(values) for size, values in self.further.items()}
        values: dict[str, Any] = {
            "protocol": self.protocol,
            "source": self.source,
            "upscaler": self.upscaler,
            "upscaler_name": self.upscaler_name,
            **rates,
            "bicubic": {name: without[name] for name in ("eer", "eer_vlr_hr") if name in without},
            "further": further,
        }
        return {name: value for name, value in values.items() if value}

    @property
    def line(self) -> str:
        """ "HR 0.76 %, 32 px 1.24 %, ..." without intervals."""
        return ", ".join(f"{size_name(size)} {rate.value * 100:.2f} %" for size, rate in self.eer.items())

    @property
    def with_intervals(self) -> str:
        """The same with intervals: "HR 0.76 % [0.43, 1.15], ..."."""
        return ", ".join(f"{size_name(size)} {rate.text}" for size, rate in self.eer.items())


def size_name(size: str) -> str:
    """A size as shown: "HR", "16 px"."""
    return size if size == "HR" else f"{size} px"


@dataclass(frozen=True)
class Card:
    """Contents of a file's header. A text is "" where unknown; `trained_with_upscaler` is a SHA-256 or "bicubic"."""

    parent_sha256: str = ""
    data_sha256: str = ""
    trained_by: str = ""
    trained_with_upscaler: str = ""
    made_at: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    measured: Measured | None = None


def read_card(metadata: Mapping[str, str]) -> Card:
    """Parse a header's texts. Never raises: values of another form are left out."""
    config = json_object(metadata.get("config"))
    trained_with = metadata.get("trained_with_upscaler", "")
    measured = read_figures(json_object(metadata.get("figures")))
    if measured is not None and measured.source == "validation" and not measured.upscaler:
        measured = replace(measured, upscaler=trained_with)
    return Card(
        parent_sha256=metadata.get("parent_sha256", ""),
        data_sha256=metadata.get("data_sha256", ""),
        trained_by=metadata.get("trained_by", ""),
        trained_with_upscaler=trained_with,
        made_at=metadata.get("made_at", ""),
        config=config,
        measured=measured,
    )


def read_figures(figures: Mapping[str, Any]) -> Measured | None:
    """Parse a header's figures; None when they hold no equal error rate."""
    if isinstance(figures.get("by_size"), dict):  # a training's, in its earlier form
        return figures_of_validation(figures, protocol="validation of the training that chose these weights by it")
    eer, vlr_hr = _rates(figures.get("eer")), _rates(figures.get("eer_vlr_hr"))
    if not eer and not vlr_hr:
        return None
    said, without = _text(figures.get("protocol")), figures.get("bicubic")
    name = _text(figures.get("upscaler_name")) or said.partition(", upscaler ")[2]
    return Measured(
        said or "protocol not recorded",
        eer,
        vlr_hr,
        _through_bicubic(figures, without) if isinstance(without, dict) else None,
        "validation" if figures.get("source") == "validation" else "evaluation",
        _text(figures.get("upscaler")) or (BICUBIC if name == BICUBIC else ""),
        _further(figures.get("further")),
        name,
    )


def _through_bicubic(figures: Mapping[str, Any], rates: Mapping[str, Any]) -> Measured | None:
    said, name = _text(figures.get("protocol")), _text(figures.get("upscaler_name"))
    kept = {"protocol": through_bicubic(said, name), "source": figures.get("source")}
    found = {name: rates.get(name) for name in ("eer", "eer_vlr_hr")}
    return read_figures({**kept, **found, "upscaler": BICUBIC, "upscaler_name": BICUBIC})


def through_bicubic(protocol: str, upscaler_name: str) -> str:
    """Return the protocol with bicubic in place of that upscaler."""
    name = upscaler_name or protocol.partition(", upscaler ")[2]
    return protocol.replace(f", upscaler {name}", f", upscaler {BICUBIC}") if name else protocol


def figures_of_validation(
    figures: Mapping[str, Any],
    *,
    protocol: str,
    upscaler: tuple[str, str] = ("", ""),
    bicubic: Mapping[str, Any] | None = None,
) -> Measured | None:
    """Convert an epoch's validation figures to those of a header; None where no error rate was measured.

    `by_size` holds, for each size, `eer` of VLR-HR, `eer_vlr_vlr` and others; `upscaler` is its SHA-256 (or "bicubic")
    and name; `bicubic` are the figures without the super-resolution network.
    """
    by_size = figures.get("by_size")
    found = by_size.items() if isinstance(by_size, dict) else ()
    sizes = {str(size): values for size, values in found if isinstance(values, dict)}
    eer = _rates({size: values.get("eer_vlr_vlr") for size, values in sizes.items()})
    vlr_hr = _rates({size: values.get("eer") for size, values in sizes.items()})
    if not eer and not vlr_hr:
        return None
    further = {size: {name: values.get(name) for name in _FURTHER} for size, values in sizes.items()}
    said = through_bicubic(protocol, upscaler[1])
    without = None if not bicubic else figures_of_validation(bicubic, protocol=said, upscaler=(BICUBIC, BICUBIC))
    return Measured(protocol, eer, vlr_hr, without, "validation", upscaler[0], _further(further), upscaler[1])


_FURTHER = ("rank1", "similarity", "psnr_db", "ssim")


def _further(value: Any) -> dict[str, dict[str, float]]:
    """Keep the numbers by size and name; anything else is left out."""
    found: dict[str, dict[str, float]] = {}
    for size, values in value.items() if isinstance(value, dict) else ():
        numbers = {
            str(name): float(number)
            for name, number in (values.items() if isinstance(values, dict) else ())
            if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
        }
        if numbers:
            found[str(size)] = numbers
    return found


def figures_of_report(report: Mapping[str, Any], *, mode: str = "aligned", sha256: str = "") -> Measured:
    """Extract the figures of weights from an evaluation's report.json, of listed pairs or of all pairs of a data set.

    They are of one mode and of the first system with the file of that SHA-256, else of the first system; with bicubic
    for the same encoder, where the report has it. Raises KeyError, TypeError and IndexError for other content.
    """
    facts = report["protocol"]
    systems = facts["systems"]
    own = [one for one in systems if sha256 and sha256 in (one.get("weights_sha256"), one.get("upscaler_id"))]
    system = (own or systems)[0]
    protocol = (
        f"{_data_of(facts)}, {mode}, flip TTA {'on' if system['flip_tta'] else 'off'}, encoder {system['name']} "
        f"({system['weights_sha256'][:12]}), upscaler {system['upscaler']}"
    )
    without: Measured | None = None
    for other in systems if system["upscaler"] != BICUBIC else []:
        of_both = ("weights_sha256", "flip_tta")
        if other.get("upscaler") == BICUBIC and all(other[name] == system[name] for name in of_both):
            rates = _rates_of(report, other["label"], mode)
            said = through_bicubic(protocol, system["upscaler"])
            without = Measured(said, *rates, upscaler=BICUBIC, upscaler_name=BICUBIC)
    rates = _rates_of(report, system["label"], mode)
    upscaler, name = str(system.get("upscaler_id") or ""), str(system["upscaler"])
    return Measured(protocol, *rates, bicubic=without, upscaler=upscaler, upscaler_name=name)


def _data_of(facts: Mapping[str, Any]) -> str:
    """Describe the data of a report."""
    if "pairs_file" in facts:
        folds = ", ".join(map(str, facts["folds"]))
        amounts = f"{facts['pairs']:,} pairs of {facts['people']:,} people"
        return f"{facts['data']}/{facts['pairs_file']}, folds {folds}, {amounts}"
    split = f", {facts['split']}" if facts.get("split") else ""
    return f"{facts['data']}{split}, all pairs of {facts['pictures']:,} pictures of {facts['people']:,} people"


def _rates_of(report: Mapping[str, Any], label: str, mode: str) -> tuple[dict[str, Rate], dict[str, Rate]]:
    """Rates by size, of faces at full size or reduced by bicubic: of equal size, and one at full size."""
    same: dict[str, Rate] = {}
    one_small: dict[str, Rate] = {}
    protocol = "pairs file" if "pairs_file" in report["protocol"] else "all pairs"
    for row in report["figures"]["verification"]:
        wanted = (row["system"], row["protocol"], row["mode"]) == (label, protocol, mode)
        if wanted and row.get("degradation", "") in ("", BICUBIC):
            size = row["probe"].removesuffix(" px")
            rate = Rate(row["eer"], row["eer_low"], row["eer_high"])
            (one_small if row["pairing"] == "VLR-HR" else same)[size] = rate
    return same, one_small


def is_upscaler(metadata: Mapping[str, str]) -> bool:
    """Whether a header marks a super-resolution network of this project."""
    return metadata.get("format", "").startswith("edgeface-studio-dsr")


def is_landmark_network(metadata: Mapping[str, str]) -> bool:
    """Whether metadata marks a landmark network of this project, or its weights in training."""
    return metadata.get("format", "").startswith("edgeface-studio-landmarks")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def json_object(text: str | None) -> dict[str, Any]:
    """Parse a header's text as a JSON object; {} for anything else."""
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
