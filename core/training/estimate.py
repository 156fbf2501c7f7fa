"""How long a training will take, from measured speeds. No torch: a page tells it before anything is launched."""

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
"""Seconds an image when embeddings come from the cache: the head's product alone."""
_DEFAULTS = {"embed": 1 / 600, "encoder": 1 / 220, "upscaler": 1 / 60, "both": 1 / 45, "head": 1 / 600}
"""Seconds an image where nothing was measured yet: two cores with AVX-512 BF16, EdgeFace-XXS, DSR of 0.34 M."""


@dataclass(frozen=True)
class Speeds:
    """Seconds an image: `embed` for one look of the encoder, `stages` for a training step of each stage by name."""

    embed: float
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Amounts:
    """What there is to do: images, and how many sizes are validated each epoch."""

    train: int
    val: int
    sizes: int = 3


def stage_seconds(stage: Stage, amounts: Amounts, speeds: Speeds) -> tuple[float, float]:
    """(an epoch's training, an epoch's validation) in seconds."""
    step = speeds.stages.get(stage.name, guessed(stage))
    if stage.cached_views:
        step = HEAD_ALONE_S
    looks = amounts.sizes + 1
    frozen = not {"encoder", "upscaler"} & set(stage.trains)
    return amounts.train * step, 0.0 if frozen else amounts.val * looks * speeds.embed


def estimate_s(recipe: Recipe, amounts: Amounts, speeds: Speeds) -> float:
    """Seconds of the whole run: caches, epochs, validation (before the first epoch too)."""
    total = amounts.val * (amounts.sizes + 1) * speeds.embed
    if any(stage.losses.teacher or stage.losses.identity for stage in recipe.stages):
        total += 2 * amounts.train * speeds.embed
    for stage in recipe.stages:
        epoch, validation = stage_seconds(stage, amounts, speeds)
        total += stage.epochs * (epoch + validation)
        if stage.cached_views and stage.epochs:
            total += stage.cached_views * amounts.train * speeds.embed
    return total


def guessed(stage: Stage) -> float:
    """Seconds an image of a stage that was never measured."""
    if {"encoder", "upscaler"} <= set(stage.trains):
        return _DEFAULTS["both"]
    if "upscaler" in stage.trains:
        return _DEFAULTS["upscaler"]
    if "encoder" in stage.trains:
        return _DEFAULTS["encoder"] * (2 if stage.losses.alignment or stage.teacher_view == "same" else 1)
    return _DEFAULTS["head"]


def known_speeds(settings: Settings, kind: str) -> Speeds:
    """Those that the latest run of this kind measured on this machine, else the defaults."""
    try:
        said = json.loads(_path(settings).read_text(encoding="utf-8"))[kind]
        return Speeds(float(said["embed"]), {str(name): float(value) for name, value in said["stages"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Speeds(_DEFAULTS["embed"])


def keep_speeds(settings: Settings, kind: str, speeds: Speeds) -> None:
    """Remember what was measured. A disk that refuses costs only the next estimate."""
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
