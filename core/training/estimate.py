"""Estimated duration of a training from measured speeds. No torch: pages show it before a launch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import CoreError
from core.settings import Settings
from core.system.atomic_file import write_atomically
from core.training.recipe import Recipe, Stage

HEAD_ALONE_S = 2e-5
"""Seconds per image with cached embeddings: the head alone."""
_DEFAULTS = {"embed": 1 / 600, "encoder": 1 / 220, "upscaler": 1 / 60, "both": 1 / 45, "head": 1 / 600}
"""Seconds per image before any measurement: two cores with AVX-512 BF16, EdgeFace-XXS, DSR of 0.34 M."""


@dataclass(frozen=True)
class Speeds:
    """Seconds per image: `embed` for a forward pass of the encoder, `stages` for a training step by stage name."""

    embed: float
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Amounts:
    """Numbers of train and val images, and of sizes validated each epoch."""

    train: int
    val: int
    sizes: int = 3


def stage_seconds(stage: Stage, amounts: Amounts, speeds: Speeds) -> tuple[float, float]:
    """Return the seconds of an epoch's training and of its validation."""
    step = speeds.stages.get(stage.name, typical_step_s(stage))
    if stage.cached_views:
        step = HEAD_ALONE_S
    passes = amounts.sizes + 1
    frozen = not {"encoder", "upscaler"} & set(stage.trains)
    return amounts.train * step, 0.0 if frozen else amounts.val * passes * speeds.embed


def estimate_s(recipe: Recipe, amounts: Amounts, speeds: Speeds) -> float:
    """Return the seconds of a run: caches, epochs, validation (before the first epoch and of averages too)."""
    averages = len(set(recipe.average) - {1.0})
    total = (1 + averages) * amounts.val * (amounts.sizes + 1) * speeds.embed
    if any(stage.losses.wants_targets for stage in recipe.stages):
        total += 2 * amounts.train * speeds.embed
    for stage in recipe.stages:
        epoch, validation = stage_seconds(stage, amounts, speeds)
        total += stage.epochs * (epoch + validation)
        if stage.cached_views and stage.epochs:
            total += stage.cached_views * amounts.train * speeds.embed
    return total


def typical_step_s(stage: Stage) -> float:
    """Seconds per image of a stage that was never measured."""
    if {"encoder", "upscaler"} <= set(stage.trains):
        return _DEFAULTS["both"]
    if "upscaler" in stage.trains:
        return _DEFAULTS["upscaler"]
    if "encoder" in stage.trains:
        return _DEFAULTS["encoder"] * (2 if stage.losses.alignment or stage.teacher_view == "same" else 1)
    return _DEFAULTS["head"]


def load_speeds(settings: Settings, kind: str) -> Speeds:
    """Load the speeds of this machine's latest run of that kind, else the defaults."""
    try:
        said = json.loads(_path(settings).read_text(encoding="utf-8"))[kind]
        return Speeds(float(said["embed"]), {str(name): float(value) for name, value in said["stages"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Speeds(_DEFAULTS["embed"])


def save_speeds(settings: Settings, kind: str, speeds: Speeds) -> None:
    """Store measured speeds; an unwritable disk is ignored."""
    try:
        known: dict[str, Any] = json.loads(_path(settings).read_text(encoding="utf-8"))
        known = known if isinstance(known, dict) else {}
    except (OSError, ValueError, RecursionError):
        known = {}
    stages = {**dict(known.get(kind, {}).get("stages", {})), **dict(speeds.stages)}
    known[kind] = {"embed": speeds.embed, "stages": stages}
    try:
        write_atomically(_path(settings), json.dumps(known, indent=2).encode("ascii"))
    except CoreError:
        return


def _path(settings: Settings) -> Path:
    return settings.data_dir / "cache" / "speeds.json"
