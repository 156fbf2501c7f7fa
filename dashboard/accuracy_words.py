"""An evaluation in words: what kinds there are, what is measured, and rates as they are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

TASKS = {
    "dataset": "A data set",
    "pairs": "Photographs and a pairs file",
    "benchmark": "A benchmark",
    "calibrate": "Thresholds",
}
"""What a run of the kind `evaluate` may do."""

BENCHMARKS = {"tinyface": "TinyFace", "scface": "SCface", "survface": "QMUL-SurvFace", "lfw": "LFW", "xqlfw": "XQLFW"}

STEPS = {
    "write": "Writing tables and report",
    "calibrate": "Choosing thresholds",
    "super-resolution": "Comparing images",
}
"""What a run does at the moment, beside those steps that name what they measure."""

SIZES: tuple[int | None, ...] = (None, 48, 40, 32, 24, 20, 16, 12)
MODES = {"aligned": "Aligned", "end to end": "End to end"}
DEGRADATIONS = {"bicubic": "Bicubic", "camera": "Camera", "stored": "The set's own VLR"}

MODE_HELP = (
    "Aligned: the aligned crop is shrunk, as papers do. End to end: the whole photograph is shrunk, then the face is "
    "found and aligned: the truth for a far camera."
)


def size_name(size_px: int | None) -> str:
    """ "HR", "16 px"."""
    return "HR" if size_px is None else f"{size_px} px"


def rate(value: object, digits: int = 2) -> str:
    """A fraction in percent, "n/a" where nothing was measured."""
    return "n/a" if missing(value) else f"{float(value) * 100:.{digits}f} %"  # type: ignore[arg-type]


def interval(low: object, high: object, digits: int = 2) -> str:
    """ "1.20 to 2.31": a 95 % interval in percent, "" where there is none."""
    if missing(low) or missing(high):
        return ""
    return f"{float(low) * 100:.{digits}f} to {float(high) * 100:.{digits}f}"  # type: ignore[arg-type]


def missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def system_name(spec: Mapping[str, Any]) -> str:
    """What tables will call a system of a run's config."""
    weights = PurePath(str(spec["weights"])).stem if spec.get("weights") else "the weights in use"
    upscaler = str(spec.get("upscaler") or "the upscaler in use")
    return f"{weights} + {PurePath(upscaler).stem}{' + flip' if spec.get('use_tta') else ''}"


def data_name(config: Mapping[str, Any]) -> str:
    """What a run measures on, as its config says it."""
    if config.get("task") == "benchmark":
        return BENCHMARKS.get(str(config.get("benchmark")), str(config.get("benchmark")))
    if config.get("pairs"):
        listed = PurePath(str(config["pairs"]))
        return f"{listed.parent.name}/{listed.name}"
    return PurePath(str(config.get("dataset") or "no data set")).name


def goal_words(goal: Mapping[str, Any]) -> str:
    """ "FPIR 1 % in a gallery of 300"."""
    where = f" in a gallery of {int(goal.get('gallery_size') or 0):,}" if goal.get("measure") == "fpir" else ""
    return f"{str(goal.get('measure', '')).upper()} {float(goal.get('target') or 0) * 100:g} %{where}"
