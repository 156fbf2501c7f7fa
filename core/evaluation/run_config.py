"""Builders of `evaluate` configurations, one for each task, shared by the pages and the commands.

A builder checks what it can before the run starts, and returns the values of config.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import SettingsInvalid
from core.evaluation.command_line import command_for
from core.evaluation.config_models import (
    BenchmarkConfig,
    CalibrationConfig,
    DatasetConfig,
    EvaluationConfig,
    MatchedConfig,
    PairsConfig,
    PoolingConfig,
)
from core.evaluation.evaluation_spec import BOTH_DEGRADATIONS, COMPARING, Plan, SystemSpec, plan_of, refused
from core.evaluation.goal import Goal
from core.system.server_address import resolved_place
from core.system.validated import validated

Config = dict[str, Any]
Systems = Sequence[SystemSpec] | Callable[[], Sequence[SystemSpec]]
"""Systems, or a function that finds their files, which is called once the other settings are checked."""


def dataset_config(
    root: Path,
    systems: Systems,
    plan: Mapping[str, Any],
    *,
    split: str | None = None,
    photographs: Path | None = None,
    min_images: int = 1,
) -> Config:
    """Configure every section of `plan` on a data set, under both degradations unless it names them.

    Raises SettingsInvalid for a plan that can't be used, end-to-end figures without the photographs, groups by a column
    that isn't there, or a split without two people to compare; what `dataset_at` raises then.
    """
    people = _people(root, split, photographs, min_images)
    plan = {"degradations": BOTH_DEGRADATIONS, **plan}
    checked = plan_of(plan)
    _require_groups(root, checked.by)
    if not set(checked.sections).isdisjoint(COMPARING):
        _require_pairs(root, split, min_images)
    _require_photographs(checked, root, photographs)
    return _checked(DatasetConfig, systems, plan, people)


def matched_config(
    root: Path,
    systems: Systems,
    plan: Mapping[str, Any],
    *,
    split: str | None = None,
    photographs: Path | None = None,
    min_images: int = 1,
) -> Config:
    """Configure the comparison of matched templates with full-size ones. Raises SettingsInvalid."""
    people = _people(root, split, photographs, min_images)
    _require_photographs(plan_of(plan), root, photographs)
    return _checked(MatchedConfig, systems, plan, people)


def pooling_config(
    root: Path,
    systems: Systems,
    plan: Mapping[str, Any],
    *,
    split: str | None = None,
    photographs: Path | None = None,
    pooled: Mapping[str, Any],
) -> Config:
    """Configure the pooling of several frames; `pooled` holds `frames` and `draws`. Raises SettingsInvalid."""
    people = _people(root, split, photographs, 1)
    _require_photographs(plan_of(plan), root, photographs)
    return _checked(PoolingConfig, systems, plan, {**people, **pooled})


def pairs_config(
    images: Path,
    pairs: Path,
    systems: Systems,
    plan: Mapping[str, Any],
    *,
    folds: Sequence[int] | None = None,
    all_pairs: bool = True,
) -> Config:
    """Configure verification on a pairs file, under both degradations unless `plan` names them. Raises SettingsInvalid,
    PairsInvalid where it or a photograph is missing."""
    plan = {"degradations": BOTH_DEGRADATIONS, **plan}
    plan_of(plan)
    root, listed = _folder(images), pairs.expanduser().resolve()
    _require_pairs_file(root, listed, folds)
    values: Config = {"images": str(root), "pairs": str(listed), "folds": folds, "all_pairs": all_pairs}
    return _checked(PairsConfig, systems, plan, values)


def benchmark_config(name: str, root: Path, systems: Systems, plan: Mapping[str, Any]) -> Config:
    """Configure a benchmark on the user's own copy. Raises SettingsInvalid, BenchmarkMissing for another layout."""
    from core.evaluation.benchmarks import require_layout

    folder = _folder(root)
    require_layout(name, folder)
    return _checked(BenchmarkConfig, systems, plan, {"benchmark": name, "root": str(folder)})


def calibration_config(
    root: Path,
    system: SystemSpec,
    plan: Mapping[str, Any],
    goal: Goal | Mapping[str, Any],
    *,
    split: str | None = None,
    gallery: Path | str | None = None,
) -> Config:
    """Configure thresholds from the people of a data set, halved. Without `gallery` nothing is stored; a page stores
    them afterwards by `thresholds.store_thresholds`. Raises SettingsInvalid."""
    return _calibration({"dataset": str(root.resolve()), "split": split}, system, plan, goal, gallery)


def calibration_folds_config(
    images: Path,
    pairs: Path,
    folds: tuple[Sequence[int], Sequence[int]],
    system: SystemSpec,
    plan: Mapping[str, Any],
    goal: Goal | Mapping[str, Any],
    *,
    gallery: Path | str | None = None,
) -> Config:
    """Configure thresholds from photographs of a pairs file: `folds` to choose on, and to report on.

    Raises SettingsInvalid where there are no folds or one is in both, PairsInvalid where the file or a photograph is
    missing.
    """
    chosen, reported = folds
    if not chosen or not reported:
        raise SettingsInvalid("Folds are needed to choose by, and others to report on.", "Write 1-4 and 5-7.")
    if both := sorted(set(chosen) & set(reported)):
        raise SettingsInvalid(f"Fold {both[0]} would choose and be reported on.", "Name different folds.")
    root = _folder(images)
    _require_pairs_file(root, pairs, [*chosen, *reported])
    source = {
        "images": str(root),
        "pairs": str(pairs.resolve()),
        "calibrate_folds": list(chosen),
        "report_folds": list(reported),
    }
    return _calibration(source, system, plan, goal, gallery)


def _calibration(
    source: Mapping[str, Any],
    system: SystemSpec,
    plan: Mapping[str, Any],
    goal: Goal | Mapping[str, Any],
    gallery: Path | str | None,
) -> Config:
    stored = None if gallery is None else str(resolved_place(gallery))
    values = {**source, "systems": [system], "plan": plan, "goal": goal, "gallery": stored}
    return _values(validated(CalibrationConfig, values, refused))


def _checked(
    model: type[EvaluationConfig], systems: Systems, plan: Mapping[str, Any], values: Mapping[str, Any]
) -> Config:
    return _values(validated(model, {**values, "systems": _found(systems), "plan": plan}, refused))


def _values(config: EvaluationConfig) -> Config:
    return {**config.model_dump(mode="json"), "command": command_for(config)}


def _people(root: Path, split: str | None, photographs: Path | None, min_images: int) -> Config:
    return {
        "dataset": str(root.resolve()),
        "split": split,
        "photographs": None if photographs is None else str(_folder(photographs)),
        "min_images": min_images,
    }


def _found(systems: Systems) -> Sequence[SystemSpec]:
    return systems() if callable(systems) else systems


def _require_photographs(plan: Plan, root: Path, photographs: Path | None) -> None:
    from core.evaluation.pictures import dataset_at

    if "end to end" in plan.modes and photographs is None and dataset_at(root).crops:
        raise SettingsInvalid(
            "End-to-end figures need photographs; a data set holds crops that are aligned already.",
            "Name the folder of photographs that the data set was made from, or measure aligned ones.",
        )


def _require_pairs(root: Path, split: str | None, min_images: int) -> None:
    """Other folders than data sets of this program are checked when they are measured."""
    from core.dataset.layout import HR
    from core.dataset.manifest import is_dataset, read_dataset
    from core.evaluation.pictures import require_comparable

    if not is_dataset(root):
        return
    dataset = read_dataset(root)
    frame = dataset.frame[dataset.frame["kind"] == HR]
    people = frame["identity"] if split is None else frame.loc[frame["split"] == split, "identity"]
    enough = people[people.groupby(people).transform("size") >= min_images]
    if len(enough):  # an empty selection is reported by the run
        require_comparable(enough, f"The split {split} of {dataset.info.name}" if split else dataset.info.name)


def _require_groups(root: Path, by: Sequence[str]) -> None:
    if by:
        from core.evaluation.pictures import dataset_at, require_columns

        require_columns(dataset_at(root), by)


def _require_pairs_file(images: Path, pairs: Path, folds: Sequence[int] | None) -> None:
    from core.evaluation.pairs import photos_of, read_pairs, require_photos

    require_photos(photos_of(read_pairs(pairs, folds)), images)


def _folder(path: Path) -> Path:
    place = path.expanduser()
    if not place.is_dir():
        raise SettingsInvalid(f"There is no folder {place}.", "Check the path.")
    return place.resolve()
