"""Overrides of a recipe's settings by name, such as `--set stage2.patience=4`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from core.errors import SettingsInvalid
from core.training.recipe import Recipe, recipe_from_dict

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
"""The notes' names for settings; "1." and "2." mean a recipe's first and second stage, by any name."""


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Return every setting that `change` accepts by its full name ("stage2.rates.encoder"), in order."""
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
    """Return the recipe with settings changed.

    Names are full ("stage2.patience"), the notes' ("backbone_lr"), or a stage's own without the stage ("patience"),
    which changes every stage. Values have the setting's type or are text. Raises SettingsInvalid for an unknown name or
    an invalid value.
    """
    known, values = settings_of(recipe), asdict(recipe)
    stages = {stage["name"]: stage for stage in values["stages"]}
    for asked, value in changes.items():
        for full_name in _full_names(recipe, known, asked):
            first, *rest = full_name.split(".")
            owner, path = (stages[first], rest) if first in stages else (values, [first, *rest])
            for part in path[:-1]:
                owner = owner[part]
            owner[path[-1]] = parsed(asked, value, known[full_name])
    return recipe_from_dict(values)


def parse_changes(items: list[str] | tuple[str, ...] | None) -> dict[str, str]:
    """Parse "NAME=VALUE" texts. Raises SettingsInvalid."""
    found: dict[str, str] = {}
    for item in items or ():
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise SettingsInvalid(f"'{item}' isn't of the form NAME=VALUE.", "Write it like stage2.patience=4.")
        found[name.strip()] = value.strip()
    return found


def _flat(value: Any, prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in fields(value):
        inner = getattr(value, each.name)
        found |= _flat(inner, f"{prefix}{each.name}.") if is_dataclass(inner) else {prefix + each.name: inner}
    return found


def _full_names(recipe: Recipe, known: Mapping[str, Any], asked: str) -> list[str]:
    """Resolve a name to the full names of the settings that it means. Raises SettingsInvalid."""
    path = NOTES_NAMES.get(asked, asked)
    first, _, rest = path.partition(".")
    if first.isdigit():
        number = int(first) - 1
        if number >= len(recipe.stages):
            count = len(recipe.stages)
            raise SettingsInvalid(
                f"{asked}: the recipe '{recipe.name}' has {count} stage{'' if count == 1 else 's'}.", "Leave it out."
            )
        path = f"{recipe.stages[number].name}.{rest}"
    found = [path] if path in known else [f"{stage.name}.{path}" for stage in recipe.stages]
    if found := [name for name in found if name in known]:
        return found
    near = [name for name in known if name.rpartition(".")[2] == path.rpartition(".")[2]]
    hint = f"Did you mean {near[0]}?" if near else "`edgeface-studio train presets` lists them."
    raise SettingsInvalid(f"There is no setting '{asked}' in the recipe '{recipe.name}'.", hint)


def parsed(asked: str, value: Any, like: Any) -> Any:
    """Convert a value or a text to the type of `like`, the setting's current value. Raises SettingsInvalid."""
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
            element = type(like[0]) if like else _number
            return tuple(part.strip() if element is str else element(part) for part in parts)
        return str(value)
    except (TypeError, ValueError, OverflowError) as error:
        kind = "yes or no" if isinstance(like, bool) else f"a value like {like!r}"
        raise SettingsInvalid(f"{asked} is {value!r}, expected {kind}.", "Correct it.") from error


_WORDS = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}


def _number(value: Any) -> float:
    """A whole number where the value is one."""
    number = float(value)
    return int(number) if number == int(number) else number


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() not in _WORDS:
        raise ValueError(value)
    return _WORDS[str(value).lower()]
