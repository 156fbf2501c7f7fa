"""Models of the configurations of `evaluate` runs, one for each task, and their reading back from config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from core.errors import SettingsInvalid
from core.evaluation.evaluation_spec import Plan, SystemSpec, refused
from core.evaluation.goal import Goal
from core.system.validated import Record, validated


class EvaluationConfig(Record):
    """What every task has: systems, plan, and the command line that asks for the same."""

    systems: tuple[SystemSpec, ...] = ()
    plan: Plan = Plan()
    command: str = ""


class PeopleConfig(EvaluationConfig):
    """A task on the people of a data set: of one split or of all, those with at least `min_images` images.
    `photographs` is the folder that the data set was ingested from, for end-to-end figures."""

    dataset: str
    split: str | None = None
    photographs: str | None = None
    min_images: int = 1


class DatasetConfig(PeopleConfig):
    """Every section of the plan, on a data set."""

    task: Literal["dataset"] = "dataset"


class MatchedConfig(PeopleConfig):
    """Resolution-matched templates against full-size ones alone."""

    task: Literal["matched"] = "matched"


class PoolingConfig(PeopleConfig):
    """Embeddings pooled over several pictures of a person."""

    task: Literal["pooling"] = "pooling"
    frames: tuple[int, ...] = (1, 5, 15)
    draws: int = 20


class PairsConfig(EvaluationConfig):
    """Verification on a pairs file."""

    task: Literal["pairs"] = "pairs"
    images: str
    pairs: str
    folds: tuple[int, ...] | None = None
    all_pairs: bool = True


class BenchmarkConfig(EvaluationConfig):
    """A published benchmark, on the user's own copy."""

    task: Literal["benchmark"] = "benchmark"
    benchmark: str
    root: str


class CalibrationConfig(EvaluationConfig):
    """Thresholds from the halves of a data set's people, or from folds of a pairs file. With `gallery` the run puts
    them into that gallery."""

    task: Literal["calibrate"] = "calibrate"
    goal: Goal
    dataset: str | None = None
    split: str | None = None
    photographs: str | None = None
    min_images: int = 1
    images: str | None = None
    pairs: str | None = None
    calibrate_folds: tuple[int, ...] = ()
    report_folds: tuple[int, ...] = ()
    gallery: str | None = None


_MODELS: dict[str, type[EvaluationConfig]] = {
    "dataset": DatasetConfig,
    "pairs": PairsConfig,
    "calibrate": CalibrationConfig,
    "matched": MatchedConfig,
    "pooling": PoolingConfig,
    "benchmark": BenchmarkConfig,
}


def read_config(values: Mapping[str, Any]) -> EvaluationConfig:
    """Return the config of a run as the model of its task. Raises SettingsInvalid."""
    task = str(values.get("task"))
    if task not in _MODELS:
        raise SettingsInvalid(f"There is no evaluation '{task}'.", f"Choose one of {', '.join(_MODELS)}.")
    return validated(_MODELS[task], dict(values), refused)
