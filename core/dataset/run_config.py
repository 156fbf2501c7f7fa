"""Configurations of the jobs that make and check data sets, shared by pages, commands and the library's functions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from core.errors import SettingsInvalid
from core.faces.quality import Limits
from core.settings import VLR_SIZES_PX
from core.system.validated import Config, validated

DISJOINT_SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
MIN_IMAGES = 5
VAL_SHARE = 0.2

BUILD_MODES = ("closed-set", "identity-disjoint", "both")
MAX_IDENTITIES, MAX_IMAGES = 999, 100

EngineName = Literal["threads", "ray"]

FromText = Annotated[Path, Field(strict=False)]
"""A path; JSON has it as text."""


def _limits(value: Any) -> Any:
    try:
        return Limits(**value) if isinstance(value, dict) else value
    except TypeError as error:
        raise ValueError(f"these aren't limits of a face's quality ({error})") from error


class SourceOptions(Config):
    """How a source is read, see `core.dataset.scan.scan`. None: as recognised."""

    layout: str | None = None
    pattern: str | None = None
    columns: dict[str, str] | None = None


class BuildOptions(Config):
    """How to split. `only` keeps rows whose columns have these values ({"camera": "051"}: frontal only)."""

    mode: Literal["closed-set", "identity-disjoint", "both"] = "closed-set"
    seed: int = Field(default=0, ge=0)
    val_share: float = VAL_SHARE
    min_images: int = MIN_IMAGES
    shares: dict[str, float] | None = None
    by_session: bool = True
    link: Literal["auto", "hard", "copy"] = "auto"
    update: bool = False
    only: dict[str, str] | None = None


class IngestOptions(SourceOptions):
    """How photographs become a data set. `workers` (default: the number of processors) changes the speed only;
    `aligned`: the images are aligned crops (None: as recognised); `align_again`: aligned crops are aligned again, see
    `core.dataset.photograph.Recipe`; `name` of None: that of the folder; `shard_mb`: the images go to tar shards of
    at most so many megabytes (None: to a file each); `engine` and `address`: see `core.dataset.engine.Engine`."""

    sizes: Annotated[tuple[int, ...], Field(strict=False)] = VLR_SIZES_PX
    method: str = "bicubic"
    seed: int = 0
    limits: Annotated[Limits, BeforeValidator(_limits)] = Limits()
    aligned: bool | None = None
    align_again: bool = False
    name: str | None = None
    workers: int | None = Field(default=None, ge=1)
    shard_mb: int | None = Field(default=None, ge=1, le=1_000_000)
    engine: EngineName = "threads"
    address: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _address_of_ray(self) -> Self:
        if self.address is not None and self.engine != "ray":
            raise ValueError("an address belongs to the engine ray")
        return self


class DatasetRunConfig(Config, ABC):
    """Base of the configurations of runs: the kind of the run, and the folder that it makes or checks."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def place(self) -> Path: ...

    def values(self) -> dict[str, Any]:
        """The configuration as JSON values for config.json."""
        return self.model_dump(mode="json")


class _Output(DatasetRunConfig):
    out: FromText

    @property
    def place(self) -> Path:
        return self.out


class IngestConfig(IngestOptions, _Output):
    """Photographs to a data set; with `check` it is checked too."""

    kind: ClassVar[str] = "ingest"
    source: FromText
    check: bool = False


class BuildConfig(SourceOptions, BuildOptions, _Output):
    """A split data set from a scanned source, checked."""

    kind: ClassVar[str] = "build"
    source: FromText


class DemoConfig(_Output):
    """Drawn people, checked."""

    kind: ClassVar[str] = "demo"
    identities: int = Field(default=24, ge=1, le=MAX_IDENTITIES)
    images: int = Field(default=20, ge=2, le=MAX_IMAGES)
    seed: int = 0
    method: str = "bicubic"


class FetchConfig(_Output):
    """A public data set, downloaded to `downloads` and ingested; with `check` it is checked too."""

    kind: ClassVar[str] = "fetch"
    name: str
    downloads: FromText
    check: bool = False


class CheckConfig(DatasetRunConfig):
    """The check of one data set."""

    kind: ClassVar[str] = "check"
    root: FromText

    @property
    def place(self) -> Path:
        return self.root


_AnyConfig = TypeVar("_AnyConfig", bound=Config)


def configured(model: type[_AnyConfig], values: dict[str, Any]) -> _AnyConfig:
    """Return `values` as a configuration. Raises SettingsInvalid."""
    return validated(model, values, lambda fault: SettingsInvalid(f"This can't be started: {fault}", "Correct it."))
