"""An evaluation in words: what kinds there are, what is measured, and rates as they are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from core.jobs.reader import Progress
from dashboard.ui.markdown import duration

TASKS = {
    "dataset": "A data set",
    "pairs": "Photographs and a pairs file",
    "benchmark": "A benchmark",
    "calibrate": "Thresholds",
}
"""What a run of the kind `evaluate` may do."""

BENCHMARKS = {"tinyface": "TinyFace", "scface": "SCface", "survface": "QMUL-SurvFace", "lfw": "LFW", "xqlfw": "XQLFW"}

_STEPS = {
    "embed": ("Embedding faces", "images"),
    "measure": ("Measuring", "sizes"),
    "calibrate": ("Choosing thresholds", "sizes"),
    "super-resolution": ("Comparing enlarged faces", "images"),
    "write": ("Writing tables and report", ""),
}
"""What a run does at the moment, and what its progress counts then."""

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


def progress_words(progress: Progress | None) -> tuple[float, str] | None:
    """The share of the step that is done, and where the run is in words: "Embedding faces (xxs + bicubic): 30 of 120
    images, 41 a second, 2 s left". None before it said anything."""
    if progress is None:
        return None
    kind, _, whose = progress.step.partition(" ")
    word, unit = _STEPS.get(progress.step) or _STEPS.get(kind) or (progress.step.capitalize(), "")
    told = [f"{word} ({whose})" if whose and kind in _STEPS else word]
    if progress.total > 1 or unit:
        told[0] += f": {progress.done:,} of {progress.total:,}{f' {unit}' if unit else ''}"
    if progress.per_s and progress.per_s >= 1 and unit == "images":
        told.append(f"{progress.per_s:,.0f} a second")
    if progress.left_s is not None and progress.done < progress.total and unit == "images":
        told.append(f"{duration(progress.left_s)} left")
    return progress.share, ", ".join(told)
