"""Labels and number formats of evaluations: tasks, modes, rates, intervals and progress."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from core.jobs.reader import Progress
from core.models.measured import BICUBIC, DIRECT_FEED
from dashboard.ui.markdown import duration

TASKS = {
    "dataset": "A data set",
    "pairs": "Photographs and a pairs file",
    "benchmark": "A benchmark",
    "calibrate": "Thresholds",
}
"""The tasks of a run of the kind `evaluate`."""

BENCHMARKS = {"tinyface": "TinyFace", "scface": "SCface", "survface": "QMUL-SurvFace", "lfw": "LFW", "xqlfw": "XQLFW"}

_STEPS = {
    "embed": ("Embedding faces", "images"),
    "measure": ("Measuring", "sizes"),
    "calibrate": ("Calibrating thresholds", "sizes"),
    "super-resolution": ("Comparing enlarged faces", "images"),
    "write": ("Writing tables and report", ""),
}
"""The steps of a run: label, and the unit of its progress."""

FIGURES = {
    "eer": "EER",
    "eer_alike": "EER, people alike",
    "tar": "TAR at FAR 0.1 %",
    "tar_alike": "TAR, people alike",
    "rank1": "Rank-1",
}
"""Columns of `resolution_table` that are drawn by probe size."""

SIZES: tuple[int | None, ...] = (None, 48, 40, 32, 24, 20, 16, 12)
MODES = {"aligned": "Aligned", "end to end": "End to end"}
DEGRADATIONS = {"bicubic": "Bicubic", "camera": "Camera", "stored": "The set's own VLR"}

MODE_HELP = (
    "Aligned: the aligned crop is reduced, as in papers. End to end: the whole photograph is reduced before "
    "detection and alignment, which is what a distant camera sees."
)


def size_name(size_px: int | None) -> str:
    """ "HR", "16 px"."""
    return "HR" if size_px is None else f"{size_px} px"


def sizes_text(sizes: Sequence[int | None]) -> str:
    """ "HR, 32, 24 and 16 px"."""
    names = [size_name(size) for size in sizes if size is None] + [str(size) for size in sizes if size is not None]
    unit = " px" if any(size is not None for size in sizes) else ""
    return f"{' and '.join(filter(None, [', '.join(names[:-1]), *names[-1:]]))}{unit}"


def rate(value: object, digits: int = 2) -> str:
    """A fraction in percent, or "n/a" if it wasn't measured."""
    return "n/a" if missing(value) else f"{float(value) * 100:.{digits}f} %"  # type: ignore[arg-type]


def interval(low: object, high: object, digits: int = 2) -> str:
    """ "1.20 to 2.31": a 95 % interval in percent, or "" if there is none."""
    if missing(low) or missing(high):
        return ""
    return f"{float(low) * 100:.{digits}f} to {float(high) * 100:.{digits}f}"  # type: ignore[arg-type]


def missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def system_name(spec: Mapping[str, Any]) -> str:
    """The label in tables of a system of a run's configuration."""
    weights = PurePath(str(spec["weights"])).stem if spec.get("weights") else "the weights in use"
    upscaler = str(spec.get("upscaler") or "the upscaler in use")
    enlarged = f", {DIRECT_FEED}" if upscaler == BICUBIC else f" + {PurePath(upscaler).stem}"
    return f"{weights}{enlarged}{' + flip' if spec.get('use_tta') else ''}"


def data_name(config: Mapping[str, Any]) -> str:
    """The name of the data that a run's configuration measures on."""
    if config.get("task") == "benchmark":
        return BENCHMARKS.get(str(config.get("benchmark")), str(config.get("benchmark")))
    if config.get("pairs"):
        listed = PurePath(str(config["pairs"]))
        return f"{listed.parent.name}/{listed.name}"
    return PurePath(str(config.get("dataset") or "no data set")).name


def goal_text(goal: Mapping[str, Any]) -> str:
    """ "FPIR 1 % in a gallery of 300"."""
    where = f" in a gallery of {int(goal.get('gallery_size') or 0):,}" if goal.get("measure") == "fpir" else ""
    return f"{str(goal.get('measure', '')).upper()} {float(goal.get('target') or 0) * 100:g} %{where}"


def progress_bar(progress: Progress | None) -> tuple[float, str] | None:
    """The share of the step that is done and its text: "Embedding faces (xxs, direct feed): 30 of 120 images, 41 per
    second, 2 s left". None before the first progress."""
    if progress is None:
        return None
    kind, _, system = progress.step.partition(" ")
    label, unit = _STEPS.get(progress.step) or _STEPS.get(kind) or (progress.step.capitalize(), "")
    parts = [f"{label} ({system})" if system and kind in _STEPS else label]
    if progress.total > 1 or unit:
        parts[0] += f": {progress.done:,} of {progress.total:,}{f' {unit}' if unit else ''}"
    if unit == "images":
        parts += [f"{progress.per_s:,.0f} per second"] if progress.per_s and progress.per_s >= 1 else []
        parts += [f"{duration(progress.left_s)} left"] if progress.left_s and progress.done < progress.total else []
    return progress.share, ", ".join(parts)
