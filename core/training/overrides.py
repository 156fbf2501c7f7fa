"""Changes to a recipe by name, as `--set stage2.patience=4` and the page's fields give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from core.errors import SettingsInvalid
from core.training.recipe import Recipe, Stage, check_recipe

NOTES_NAMES = {
    "stage1_epochs": "1.epochs",
    "stage2_epochs": "2.epochs",
    "head_lr": "1.rates.head",
    "head_lr_stage1": "1.rates.head",
    "head_lr_stage2": "2.rates.head",
    "backbone_lr": "2.rates.encoder",
    "arcface_scale": "head.scale",
    "arcface_margin": "head.margin",
    "label_smoothing": "head.label_smoothing",
    "early_stop_patience": "2.patience",
    "contrastive_weight": "2.losses.alignment",
}
"""The notes' names for settings; "1." and "2." mean a recipe's first and second stage, whatever they are called."""


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Every setting by its full name ("stage2.rates.encoder"), in order: what `change` can change."""
    found: dict[str, Any] = {}
    for each in fields(recipe):
        value = getattr(recipe, each.name)
        if each.name == "stages":
            for stage in value:
                found |= _flat(stage, f"{stage.name}.")
        elif each.name not in ("name", "title", "text"):
            found |= _flat(value, f"{each.name}.") if is_dataclass(value) else {each.name: value}
    return {name: value for name, value in found.items() if name.rpartition(".")[2] not in ("name", "title")}


def change(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with settings changed. Names are full ("stage2.patience"), the notes' ("backbone_lr"), or a stage's
    own without the stage ("patience"), which changes every stage. Values are of the right type or text.

    Raises SettingsInvalid for a name or value that can't be.
    """
    for name, value in changes.items():
        recipe = _changed(recipe, NOTES_NAMES.get(name, name), name, value)
    check_recipe(recipe)
    return recipe


def parse_changes(items: list[str] | tuple[str, ...] | None) -> dict[str, str]:
    """ "NAME=VALUE" texts as a dict. Raises SettingsInvalid."""
    found: dict[str, str] = {}
    for item in items or ():
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise SettingsInvalid(f"'{item}' says no NAME=VALUE.", "Write it like stage2.patience=4.")
        found[name.strip()] = value.strip()
    return found


def _flat(value: Any, prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in fields(value):
        inner = getattr(value, each.name)
        found |= _flat(inner, f"{prefix}{each.name}.") if is_dataclass(inner) else {prefix + each.name: inner}
    return found


def _changed(recipe: Recipe, path: str, asked: str, value: Any) -> Recipe:
    known = settings_of(recipe)
    first, _, rest = path.partition(".")
    if first.isdigit():
        number = int(first) - 1
        if number >= len(recipe.stages):
            raise SettingsInvalid(
                f"{asked}: the recipe '{recipe.name}' has {len(recipe.stages)} stage(s).", "Leave it out."
            )
        path = f"{recipe.stages[number].name}.{rest}"
    if path in known:
        stages = tuple(
            _put(stage, path.partition(".")[2].split("."), asked, value) if path.startswith(f"{stage.name}.") else stage
            for stage in recipe.stages
        )
        if stages != recipe.stages or any(path.startswith(f"{stage.name}.") for stage in recipe.stages):
            return replace(recipe, stages=stages)
        changed: Recipe = _put(recipe, path.split("."), asked, value)
        return changed
    everywhere = [stage for stage in recipe.stages if f"{stage.name}.{path}" in known]
    if everywhere:
        return replace(recipe, stages=tuple(_put(stage, path.split("."), asked, value) for stage in recipe.stages))
    near = [name for name in known if name.rpartition(".")[2] == path.rpartition(".")[2]]
    hint = f"Did you mean {near[0]}?" if near else "`edgeface-studio train presets` lists them."
    raise SettingsInvalid(f"There is no setting '{asked}' in the recipe '{recipe.name}'.", hint)


def _put(owner: Any, path: list[str], asked: str, value: Any) -> Any:
    name, *rest = path
    old = getattr(owner, name)
    return replace(owner, **{name: _put(old, rest, asked, value) if rest else parsed(asked, value, old, name)})


def parsed(asked: str, value: Any, like: Any, name: str = "") -> Any:
    """`value` as the type of `like`; texts are read. Raises SettingsInvalid."""
    try:
        if isinstance(like, bool):
            return _truth(value)
        if isinstance(like, int):
            number = float(value)
            if number != int(number):
                raise ValueError("a whole number is needed")
            return int(number)
        if isinstance(like, float):
            return float(value)
        if isinstance(like, tuple):
            parts = [part for part in value.split(",") if part.strip()] if isinstance(value, str) else list(value)
            return tuple(part.strip() if name == "trains" else int(part) for part in parts)
        return str(value)
    except (TypeError, ValueError, OverflowError) as error:
        kind = "yes or no" if isinstance(like, bool) else f"a value like {like!r}"
        raise SettingsInvalid(f"{asked} is {value!r}, expected {kind}.", "Correct it.") from error


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}
    return words[str(value).lower()] if str(value).lower() in words else _refuse(value)


def _refuse(value: Any) -> bool:
    raise ValueError(value)


def stage_named(recipe: Recipe, name: str) -> Stage:
    """The stage of that name. Raises KeyError."""
    return {stage.name: stage for stage in recipe.stages}[name]
