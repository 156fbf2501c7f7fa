"""The figures of weights, taken from an evaluation's report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.models.errors import FiguresOfOthers
from core.models.measured import BICUBIC, CAMERA, Measured, Rate, Rates, through_bicubic


def figures_of_report(report: Mapping[str, Any], *, mode: str = "aligned", sha256: str = "") -> Measured:
    """Extract the figures of weights from an evaluation's report.json, of listed pairs or of all pairs of a data set.

    They are of one mode, under both degradations, and of the first system with the file of that SHA-256 ("": of the
    first system); with the direct feed of the same encoder, where the report has it. Raises FiguresOfOthers where no
    system has that file; KeyError, TypeError and IndexError for other content.
    """
    facts = report["protocol"]
    systems = facts["systems"]
    own = [one for one in systems if sha256 and sha256 in (one.get("weights_sha256"), one.get("upscaler_id"))]
    if sha256 and not own:
        names = ", ".join(dict.fromkeys(one["label"] for one in systems))
        raise FiguresOfOthers(
            f"The report doesn't measure this file (SHA-256 {sha256[:10]}…): it measures {names}.",
            "Measure the file itself: edgeface-studio evaluate pairs ... --weights FILE --out FOLDER.",
        )
    system = (own or systems)[0]
    aligner = f", aligner {facts['aligner']}" if facts.get("aligner") else ""
    protocol = (
        f"{_data_of(facts)}, {mode}{aligner}, flip TTA {'on' if system['flip_tta'] else 'off'}, encoder "
        f"{system['name']} ({system['weights_sha256'][:12]}), upscaler {system['upscaler']}"
    )
    fed: Measured | None = None
    for other in systems if system["upscaler"] != BICUBIC else []:
        of_both = ("weights_sha256", "flip_tta")
        if other.get("upscaler") == BICUBIC and all(other[name] == system[name] for name in of_both):
            said = through_bicubic(protocol, system["upscaler"])
            fed = _measured(report, other["label"], mode, protocol=said, upscaler=BICUBIC, upscaler_name=BICUBIC)
    upscaler, name = str(system.get("upscaler_id") or ""), str(system["upscaler"])
    return _measured(
        report, system["label"], mode, protocol=protocol, direct_feed=fed, upscaler=upscaler, upscaler_name=name
    )


def _measured(report: Mapping[str, Any], label: str, mode: str, **facts: Any) -> Measured:
    rates = _rates_of(report, label, mode, ("", BICUBIC))
    return Measured(
        eer=rates.eer, eer_vlr_hr=rates.eer_vlr_hr, camera=_rates_of(report, label, mode, (CAMERA,)), **facts
    )


def _data_of(facts: Mapping[str, Any]) -> str:
    """Describe the data of a report."""
    if "pairs_file" in facts:
        folds = ", ".join(map(str, facts["folds"]))
        amounts = f"{facts['pairs']:,} pairs of {facts['people']:,} people"
        return f"{facts['data']}/{facts['pairs_file']}, folds {folds}, {amounts}"
    split = f", {facts['split']}" if facts.get("split") else ""
    return f"{facts['data']}{split}, all pairs of {facts['pictures']:,} pictures of {facts['people']:,} people"


def _rates_of(report: Mapping[str, Any], label: str, mode: str, degradations: tuple[str, ...]) -> Rates:
    """Rates by size of one system and mode, of rows with one of the `degradations` ("" is full size)."""
    same: dict[str, Rate] = {}
    one_small: dict[str, Rate] = {}
    protocol = "pairs file" if "pairs_file" in report["protocol"] else "all pairs"
    for row in report["figures"]["verification"]:
        wanted = (row["system"], row["protocol"], row["mode"]) == (label, protocol, mode)
        if wanted and row.get("degradation", "") in degradations:
            rate = Rate(row["eer"], row["eer_low"], row["eer_high"])
            (one_small if row["pairing"] == "VLR-HR" else same)[row["probe"].removesuffix(" px")] = rate
    return Rates(same, one_small)
