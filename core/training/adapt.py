"""Adapt a recipe to a camera: its degradation and the sizes of its faces, as changes to the recipe's settings."""

from __future__ import annotations

from dataclasses import asdict

from core.dataset.camera.estimate import CameraEstimate
from core.errors import SettingsInvalid
from core.settings import CROP_PX
from core.training.recipe import MIN_PX, Recipe


def adaptation(recipe: Recipe, estimate: CameraEstimate) -> dict[str, str]:
    """Changes, by full name and as text, that make a recipe train with a camera (see `overrides.change`).

    Every stage that makes faces small by the camera chain draws its values from the estimate's ranges, and its small
    sizes are those of the camera's faces, in as many parts as before; sizes of 112 px keep their share. Raises
    SettingsInvalid for a recipe without such a stage.
    """
    changes: dict[str, str] = {}
    for stage in recipe.stages:
        if not stage.camera:
            continue
        for name, value in asdict(estimate.ranges).items():
            values = value if isinstance(value, tuple) else (value,)
            changes[f"{stage.name}.camera_ranges.{name}"] = ",".join(map(str, values))
        if stage.sizes_px and set(stage.sizes_px) == {CROP_PX}:
            continue  # no face is small here
        small = [min(max(round(size), MIN_PX), CROP_PX) for size in estimate.sizes_px]
        large = [size for size in stage.sizes_px if size == CROP_PX]
        share = len(large) / max(1, len(stage.sizes_px))
        sizes = [*small, *[CROP_PX] * round(len(small) * share / (1 - share))]
        changes[f"{stage.name}.sizes_px"] = ",".join(map(str, sizes))
    if not changes:
        raise SettingsInvalid(
            f"The recipe '{recipe.name}' makes no faces small as a camera does, so it can't be adapted to one.",
            "Choose the preset specialist or recommended.",
        )
    return changes
