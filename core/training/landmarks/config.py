"""The configuration of a landmark network's training: resolved once, stored in its config.json. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.errors import SettingsInvalid
from core.system.validated import Config, validated

KIND = "landmarks"

FromText = Annotated[Path, Field(strict=False)]
Folds = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]


class LandmarksConfig(Config):
    """Configuration of a run, with absolute paths.

    Samples are drawn from the photographs without end, so an epoch is the `epoch_steps` steps between two validations.
    """

    kind: ClassVar[str] = KIND
    photographs: Annotated[tuple[FromText, ...], Field(min_length=1, strict=False)]
    """Folders of pictures with one main face each, in a folder for each person or side by side."""
    pairs: FromText | None = None
    """A pairs file: of the people in it only those of `folds` are trained on."""
    folds: Folds = ()
    val_folds: Folds = ()
    """Folds whose people validate; (): a twentieth of all people, drawn by the seed."""
    steps: int = Field(default=10_000, ge=1, le=100_000_000)
    epoch_steps: int = Field(default=1_000, ge=1)
    batch_size: int = Field(default=128, ge=2, le=8192)
    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    val_faces: int = Field(default=200, ge=1, le=100_000)
    """Maximum number of faces validated in each condition."""
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    num_workers: int = Field(default=2, ge=0, le=64)
    """Processes that draw samples; 0: none of their own. They change the speed only."""
    edgeface: FromText | None = None
    """Weights of the encoder whose embeddings the second stage judges; None: there is no second stage."""
    upscaler: FromText | None = None
    """A DSR file that faces of the second stage pass through; None: bicubic."""
    recognisability_faces: int = Field(default=44_000, ge=2, le=10_000_000)
    recognisability_epochs: int = Field(default=10, ge=1, le=10_000)
    terms: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Sources of the photographs with their terms, for the model card."""
    out_name: str = ""
    command: str = ""
    """The command line that starts the same run."""

    @property
    def epochs(self) -> int:
        return -(-self.steps // self.epoch_steps)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.pairs is None and (self.folds or self.val_folds):
            raise ValueError("folds were named, but no pairs file that says who is in them")
        if self.pairs is not None and not self.folds:
            raise ValueError("a pairs file was named, but none of its folds to train on")
        if both := sorted(set(self.folds) & set(self.val_folds)):
            raise ValueError(f"fold {both[0]} can't train and validate at once")
        return self


def make_landmarks_config(values: dict[str, Any]) -> LandmarksConfig:
    """Return the configuration of a run from its fields, for commands and Python programs, and from a config.json.

    Raises SettingsInvalid.
    """
    return validated(
        LandmarksConfig,
        values,
        lambda fault: SettingsInvalid(f"This training can't be started: {fault}", "Correct it."),
    )
