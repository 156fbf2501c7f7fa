"""The equivalent command line of an evaluation's config, for display; it is never run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from core.evaluation.config_models import (
    BenchmarkConfig,
    CalibrationConfig,
    DatasetConfig,
    EvaluationConfig,
    PairsConfig,
    PeopleConfig,
    PoolingConfig,
)
from core.evaluation.direct_feed import lacks_direct_feed
from core.evaluation.evaluation_spec import SIMILARITY_SECTIONS, SWEEP_SECTIONS, Plan, SystemSpec
from core.evaluation.goal import Goal

_DEFAULTS = Plan()


def command_for(config: EvaluationConfig) -> str:
    """Return the command line of a config."""
    words = ["edgeface-studio", "evaluate", *_task(config)]
    if isinstance(config, PeopleConfig):
        words += _people(config.dataset, config.split, config.photographs, config.min_images)
    if isinstance(config, CalibrationConfig):
        words += _goal(config.goal)
        words += ["--store", "--gallery-path", config.gallery] if config.gallery else []
    several = isinstance(config, DatasetConfig | PairsConfig | BenchmarkConfig)
    return shlex.join(words + _plan(config) + _systems(config.systems, several=several))


def _task(config: EvaluationConfig) -> list[str]:
    match config:
        case PairsConfig():
            folds = ["--folds", _list(config.folds)] if config.folds else []
            return ["pairs", config.images, config.pairs, *folds, *([] if config.all_pairs else ["--no-all-pairs"])]
        case BenchmarkConfig():
            return ["benchmark", config.benchmark, config.root]
        case CalibrationConfig():
            if not config.pairs:
                return ["calibrate", *_people(str(config.dataset), config.split, None, 1)]
            people = ["--images", str(config.images), "--pairs", config.pairs]
            folds = ["--calibrate-folds", _list(config.calibrate_folds), "--report-folds", _list(config.report_folds)]
            return ["calibrate", *people, *folds]
        case PoolingConfig():
            return ["pooling", "--frames", _list(config.frames), "--draws", str(config.draws)]
        case DatasetConfig():
            return [_OF_SECTIONS.get(config.plan.sections, "dataset")]
    return ["matched"]


_OF_SECTIONS = {SWEEP_SECTIONS: "sweep", SIMILARITY_SECTIONS: "groups"}
"""The command that measures these sections of a data set alone."""


def _people(dataset: str, split: str | None, photographs: str | None, min_images: int) -> list[str]:
    words = ["--dataset-root", dataset]
    words += ["--split", split] if split else []
    words += ["--photographs", photographs] if photographs else []
    return words + (["--min-images", str(min_images)] if min_images > 1 else [])


def _goal(goal: Goal) -> list[str]:
    words = [f"--{goal.measure}", f"{goal.target:g}"]
    if goal.measure == "fpir":
        words += ["--gallery-size", str(goal.gallery_size), "--templates", goal.templates, "--enrol", str(goal.enrol)]
        words += ["--frames", str(goal.frames)] if goal.frames > 1 else []
        words += ["--draws", str(goal.draws)] if goal.draws != Goal.draws else []
    return [*words, "--confidence", f"{goal.confidence:g}"]


def _plan(config: EvaluationConfig) -> list[str]:
    plan, command = config.plan, _task(config)[0]
    words: list[str] = []
    if not isinstance(config, BenchmarkConfig):
        words += ["--sizes", ",".join("HR" if size is None else str(size) for size in plan.sizes)]
        if command != "sweep":
            words += ["--mode", "both" if len(plan.modes) > 1 else plan.modes[0].replace(" ", "-")]
        if isinstance(config, DatasetConfig | PairsConfig | CalibrationConfig):
            words += ["--degradation", "both" if len(plan.degradations) > 1 else plan.degradations[0]]
    if isinstance(config, DatasetConfig) and command != "groups":
        words += [word for size in plan.gallery_sizes or () for word in ("--gallery-size", str(size))]
        if command != "sweep":
            words += ["--threshold", f"{plan.threshold:g}"]
            words += ["--enrol", str(plan.enrol)] if plan.enrol != _DEFAULTS.enrol else []
            words += ["--sr-images", str(plan.sr_images)] if plan.sr_images != _DEFAULTS.sr_images else []
    words += [] if command == "sweep" else ["--bootstrap", str(plan.bootstrap)]
    words += ["--seed", str(plan.seed)]
    return words + [word for column in plan.by for word in ("--by", column)]


def _systems(specs: Sequence[SystemSpec], *, several: bool) -> list[str]:
    asked = [spec for spec in specs if not spec.beside]
    # A peer goes with the weights, by the ending of its file, unless its channels have another order.
    named = dict.fromkeys(("--peer" if spec.bgr else "--weights", spec.weights) for spec in asked if spec.weights)
    words = [str(word) for option in named for word in option]
    for name in dict.fromkeys(spec.upscaler for spec in asked if spec.upscaler):
        words += ["--upscaler", name]
    words += ["--no-direct-feed"] if several and lacks_direct_feed(specs) else []
    words += ["--peer-bgr"] if any(spec.bgr for spec in specs) else []
    words += ["--use-tta"] if any(spec.use_tta for spec in specs) else []
    devices = {spec.device for spec in specs} - {"auto"}
    return words + (["--device", min(devices)] if devices else [])


def _list(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
