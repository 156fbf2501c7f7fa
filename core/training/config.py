"""The configuration of a training run: resolved once, stored in its config.json, never edited. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, Strict, StrictBool, ValidationError
from pydantic.dataclasses import dataclass

from core.errors import SettingsInvalid
from core.settings import CROP_PX
from core.system.validated import first_fault
from core.training.overrides import change
from core.training.presets import find_preset
from core.training.recipe import MIN_PX, VALUES, Recipe, recipe_from_dict, recipe_to_dict

Kind = Literal["finetune", "dsr", "starter"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MOST_PROCESSES = 64

NEW = "new"
"""In place of a DSR file: a new network with random weights."""


@dataclass(frozen=True, config=VALUES)
class TrainingConfig:
    """Configuration of a run, with absolute paths.

    The recipe's `batch_size` is the effective one over all processes; each process holds that divided by `processes`
    and by `accumulate` in memory. Raises SettingsInvalid for settings that can't be combined.
    """

    kind: Kind
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
    one where it alone is trained, else the chosen one, else the shipped one where it is trained, else bicubic."""
    device: str = "auto"
    precision: Precision = "auto"
    seed: Annotated[int, Strict(), Field(ge=0, le=2**32 - 1)] = 0
    num_workers: Annotated[int, Strict(), Field(ge=0, le=64)] = 0
    accumulate: Annotated[int, Strict(), Field(ge=1, le=1024)] = 1
    processes: Annotated[int, Strict(), Field(ge=1, le=MOST_PROCESSES)] = 1
    variant: str = "edgeface_xxs"
    """EdgeFace variant of a starter; other runs take it from the starting weights."""
    dsr_channels: Annotated[int, Strict(), Field(ge=4, le=256)] = 48
    dsr_blocks: Annotated[int, Strict(), Field(ge=1, le=64)] = 8
    val_sizes_px: tuple[Annotated[int, Strict(), Field(ge=MIN_PX, lt=CROP_PX)], ...] = ()
    """Validated sizes; (): those of the data set's VLR files, else 16, 24 and 32 px."""
    val_limit: Annotated[int, Strict(), Field(ge=0, le=10**9)] = 3000
    """Maximum number of val's HR images that are validated, by whole people; 0: all."""
    full_check: StrictBool = False
    """Check every image before training; else only the manifest is checked."""
    force: StrictBool = False
    """Train in spite of errors that the check found, unless they make it impossible."""
    terms: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Sources of the data set with their terms, for the model card."""
    out_name: str = ""
    command: str = ""
    """The command line that starts the same run."""

    @property
    def preset(self) -> str:
        return self.recipe.name

    def __post_init__(self) -> None:
        """Refuse settings that are each valid but can't be combined. Raises SettingsInvalid."""
        recipe = self.recipe
        if self.dataset is None and self.train_dir is None:
            raise SettingsInvalid("No data set was named.", "Name one (--dataset), or --train-dir and --val-dir.")
        if self.dataset is not None and (self.train_dir is not None or self.val_dir is not None):
            raise SettingsInvalid("A data set and folders were named.", "Give --dataset, or --train-dir and --val-dir.")
        if recipe.batch_size % (self.processes * self.accumulate):
            raise SettingsInvalid(
                f"A batch of {recipe.batch_size} can't be divided among {self.processes} processes in "
                f"{self.accumulate} parts.",
                "Choose a batch size that both divide.",
            )
        if self.upscaler == NEW and "upscaler" not in recipe.trains:
            raise SettingsInvalid(
                f"The recipe '{recipe.name}' trains no super-resolution network, so none can be new.",
                "Name a DSR file, or bicubic.",
            )
        if self.kind == "dsr" and recipe.trains != ("upscaler",):
            raise SettingsInvalid("A DSR run trains the upscaler alone.", "Use finetune to train both.")


def make_config(
    kind: str, preset: str | None = None, changes: Mapping[str, Any] | None = None, **given: Any
) -> TrainingConfig:
    """Build the configuration of a run, for pages, commands and Python programs.

    `changes` override the recipe (see `overrides`); the other arguments are fields of TrainingConfig. Raises
    SettingsInvalid.
    """
    recipe = change(find_preset(kind, preset), changes or {})
    known = sorted(field.name for field in fields(TrainingConfig))
    if unknown := sorted(set(given) - set(known)):
        raise SettingsInvalid(f"There is no setting '{unknown[0]}'.", f"Known: {', '.join(known)}.")
    return _validated({"kind": kind, "recipe": recipe, **given})


def _validated(values: dict[str, Any]) -> TrainingConfig:
    try:
        return TrainingConfig(**values)
    except ValidationError as error:
        raise SettingsInvalid(first_fault(error), "Correct it.") from error


def config_to_dict(config: TrainingConfig) -> dict[str, Any]:
    """Return the content of config.json; "preset", "batch_size" and "stages" are the recipe's."""
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
    """Return the configuration that config.json holds; fields of other versions are ignored. Raises SettingsInvalid."""
    recipe, stages = values.get("recipe"), values.get("stages")
    if not isinstance(recipe, Mapping) or not isinstance(stages, list):
        raise SettingsInvalid("The run's settings can't be read.", "Start a new run.")
    whole = recipe_from_dict({**recipe, "stages": stages, "batch_size": values.get("batch_size", 0)})
    known = {field.name for field in fields(TrainingConfig)}
    return _validated({**{name: value for name, value in values.items() if name in known}, "recipe": whole})


def absolute(text: str | None) -> str | None:
    """Return an absolute path, valid in the run's own process; None stays None."""
    return None if text is None else str(Path(text).expanduser().absolute())
