"""What one training run was asked for: resolved once, kept in its config.json, never edited. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from core.errors import SettingsInvalid
from core.training.overrides import change
from core.training.presets import PRESETS, find_preset
from core.training.recipe import Recipe, recipe_from_dict, recipe_to_dict

Kind = Literal["finetune", "dsr", "starter"]
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
MOST_PROCESSES = 64


NEW = "new"
"""In the place of a DSR file: a network that begins from nothing."""


@dataclass(frozen=True)
class TrainingConfig:
    """Everything a run needs, with absolute paths. `batch_size` is the effective one over all processes; a batch of
    memory is that divided by `processes` and by `accumulate`."""

    kind: str
    recipe: Recipe
    dataset: str | None = None
    train_dir: str | None = None
    val_dir: str | None = None
    edgeface: str | None = None
    """Starting weights (starter: the teacher's when no `teacher` is named); None: those in use."""
    teacher: str | None = None
    """Weights of the frozen teacher; None: the starting weights."""
    upscaler: str | None = None
    """A DSR file to start from or to go through, "bicubic", NEW for a new network where one is trained, or None: a new
    one where it alone is trained, else the one in use."""
    device: str = "auto"
    precision: str = "auto"
    seed: int = 0
    num_workers: int = 0
    accumulate: int = 1
    processes: int = 1
    variant: str = "edgeface_xxs"
    """Which EdgeFace a starter becomes; otherwise the starting weights say."""
    dsr_channels: int = 48
    dsr_blocks: int = 8
    val_sizes_px: tuple[int, ...] = ()
    """Sizes that are validated; (): those of the data set's VLR files, else 16, 24 and 32 px."""
    val_limit: int = 3000
    """At most so many HR images of val are validated, by whole people; 0: all."""
    full_check: bool = False
    """Read every image and check it before training; else the table alone is checked."""
    force: bool = False
    """Train although the check found errors that don't make it impossible."""
    out_name: str = ""
    command: str = ""
    """The command line that starts the same run."""

    @property
    def preset(self) -> str:
        return self.recipe.name


def make_config(
    kind: str, preset: str | None = None, changes: Mapping[str, Any] | None = None, **given: Any
) -> TrainingConfig:
    """A checked configuration of a run. `changes` go to the recipe (see `overrides`), the rest are TrainingConfig's
    fields. Raises SettingsInvalid."""
    recipe = change(find_preset(kind, preset), changes or {})
    known = {field.name for field in fields(TrainingConfig)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise SettingsInvalid(f"There is no setting '{unknown[0]}'.", f"Known: {', '.join(sorted(known))}.")
    config = TrainingConfig(kind=kind, recipe=recipe, **given)
    check_config(config)
    return config


def check_config(config: TrainingConfig) -> None:
    """Raises SettingsInvalid for values that can't be, or that don't go together."""
    if config.kind not in PRESETS:
        raise SettingsInvalid(f"There is no training of the kind '{config.kind}'.", f"Known: {', '.join(PRESETS)}.")
    if config.dataset is None and config.train_dir is None:
        raise SettingsInvalid("No data set was named.", "Name one (--dataset), or --train-dir and --val-dir.")
    if config.dataset is not None and (config.train_dir is not None or config.val_dir is not None):
        raise SettingsInvalid("A data set and folders were named.", "Give --dataset, or --train-dir and --val-dir.")
    if config.precision not in PRECISIONS:
        raise SettingsInvalid(f"precision is {config.precision!r}.", f"Choose one of {', '.join(PRECISIONS)}.")
    limits = {
        "seed": (0, 2**32 - 1),
        "num_workers": (0, 64),
        "accumulate": (1, 1024),
        "processes": (1, MOST_PROCESSES),
        "dsr_channels": (4, 256),
        "dsr_blocks": (1, 64),
        "val_limit": (0, 10**9),
    }
    for name, (low, high) in limits.items():
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise SettingsInvalid(f"{name} is {value!r}, expected a whole number from {low} to {high}.", "Correct it.")
    parts = config.processes * config.accumulate
    if config.recipe.batch_size % parts:
        raise SettingsInvalid(
            f"A batch of {config.recipe.batch_size} can't be divided among {config.processes} processes in "
            f"{config.accumulate} parts.",
            "Choose a batch size that both divide.",
        )
    for size in config.val_sizes_px:
        if not 8 <= size < 112:
            raise SettingsInvalid(f"val_sizes_px has {size}, expected 8 to 111.", "Correct it.")
    if config.upscaler == NEW and "upscaler" not in config.recipe.trains:
        raise SettingsInvalid(
            f"The recipe '{config.recipe.name}' trains no super-resolution network, so none can be new.",
            "Name a DSR file, or bicubic.",
        )
    if config.kind == "dsr" and config.recipe.trains != ("upscaler",):
        raise SettingsInvalid("A DSR run trains the upscaler alone.", "Use finetune to train both.")


def config_to_dict(config: TrainingConfig) -> dict[str, Any]:
    """What config.json keeps; "preset", "batch_size" and "stages" are the recipe's."""
    recipe = recipe_to_dict(config.recipe)
    rest = {key: value for key, value in asdict(config).items() if key != "recipe"}
    return {
        **rest,
        "preset": recipe["name"],
        "batch_size": recipe["batch_size"],
        "stages": recipe["stages"],
        "recipe": {key: value for key, value in recipe.items() if key not in ("stages", "batch_size")},
    }


def config_from_dict(values: Mapping[str, Any]) -> TrainingConfig:
    """The configuration that `config_to_dict` gave. Raises SettingsInvalid."""
    wrong = SettingsInvalid("The run's settings can't be read.", "Start a new run.")
    if not isinstance(values.get("recipe"), Mapping) or not isinstance(values.get("stages"), list):
        raise wrong
    recipe = recipe_from_dict(
        {**values["recipe"], "stages": values["stages"], "batch_size": values.get("batch_size", 0)}
    )
    known = {field.name for field in fields(TrainingConfig)} - {"recipe"}
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in known
    }
    if "kind" not in given:
        raise wrong
    config = TrainingConfig(recipe=recipe, **given)
    check_config(config)
    return config


def absolute(text: str | None) -> str | None:
    """A path as the run's own process will find it; None stays None."""
    return None if text is None else str(Path(text).expanduser().absolute())
