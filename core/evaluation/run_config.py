"""What an `evaluate` run is asked for, as its config holds it: checked before it starts, the same for the page and
whoever else launches one, and the command line that would ask the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import SettingsInvalid
from core.evaluation.evaluation_spec import plan_of

Config = dict[str, Any]


def dataset_config(
    root: Path,
    systems: Sequence[Mapping[str, Any]],
    plan: Mapping[str, Any],
    *,
    split: str | None = None,
    photographs: Path | None = None,
    min_images: int = 1,
) -> Config:
    """Everything on a data set (see `job`). Raises SettingsInvalid for a plan that can't be, end-to-end figures
    without the photographs, groups by a column that isn't there, or nobody to compare; what `dataset_at`
    raises then."""
    checked = plan_of(plan)
    require_groups(root, checked.by)
    require_pairs(root, split, min_images)
    if "end to end" in checked.modes and photographs is None:
        raise SettingsInvalid(
            "End-to-end figures need photographs; a data set holds crops that were aligned before.",
            "Name the folder of photographs that the data set was made from, or measure aligned ones.",
        )
    return _with_command(
        {
            "task": "dataset",
            "dataset": str(root.resolve()),
            "split": split,
            "min_images": min_images,
            "photographs": None if photographs is None else str(_folder(photographs)),
            "systems": list(systems),
            "plan": dict(plan),
        }
    )


def require_pairs(root: Path, split: str | None, min_images: int) -> None:
    """Look whether a data set of ours has anybody to compare; other folders are looked at when they are measured.
    Raises SettingsInvalid and what `read_dataset` raises."""
    from core.dataset.layout import HR
    from core.dataset.manifest import is_dataset, read_dataset
    from core.evaluation.pictures import require_comparable

    if not is_dataset(root):
        return
    dataset = read_dataset(root)
    frame = dataset.frame[dataset.frame["kind"] == HR]
    people = frame["identity"] if split is None else frame.loc[frame["split"] == split, "identity"]
    enough = people[people.groupby(people).transform("size") >= min_images]
    if len(enough):  # nobody at all: the run says why
        require_comparable(enough, f"The split {split} of {dataset.info.name}" if split else dataset.info.name)


def require_groups(root: Path, by: Sequence[str]) -> None:
    """Look, where groups are asked for, whether the data set at `root` has those columns. Raises SettingsInvalid and
    what `dataset_at` raises."""
    if by:
        from core.evaluation.pictures import dataset_at, require_columns

        require_columns(dataset_at(root), by)


def pairs_config(
    images: Path,
    pairs: Path,
    systems: Sequence[Mapping[str, Any]],
    plan: Mapping[str, Any],
    *,
    folds: Sequence[int] | None = None,
    all_pairs: bool = True,
) -> Config:
    """Verification on a pairs file. Raises SettingsInvalid, PairsInvalid when the file or a photograph isn't there."""
    from core.evaluation.pairs import photos_of, read_pairs, require_photos

    plan_of(plan)
    root = _folder(images)
    require_photos(photos_of(read_pairs(pairs, folds)), root)
    return _with_command(
        {
            "task": "pairs",
            "images": str(root),
            "pairs": str(pairs.resolve()),
            "folds": None if folds is None else list(folds),
            "all_pairs": all_pairs,
            "systems": list(systems),
            "plan": dict(plan),
        }
    )


def benchmark_config(name: str, root: Path, systems: Sequence[Mapping[str, Any]], plan: Mapping[str, Any]) -> Config:
    """A benchmark from the user's own copy. Raises SettingsInvalid, BenchmarkMissing for another layout."""
    from core.evaluation.benchmarks import require_layout

    plan_of(plan)
    folder = _folder(root)
    require_layout(name, folder)
    return _with_command(
        {"task": "benchmark", "benchmark": name, "root": str(folder), "systems": list(systems), "plan": dict(plan)}
    )


def calibration_config(
    root: Path,
    system: Mapping[str, Any],
    plan: Mapping[str, Any],
    goal: Mapping[str, Any],
    *,
    split: str | None = None,
) -> Config:
    """Thresholds from the people of a data set, halved. Nothing is stored: `operating.put_to_use` does that after a
    look. Raises SettingsInvalid."""
    from core.evaluation.goal import Goal

    plan_of(plan)
    return _with_command(
        {
            "task": "calibrate",
            "dataset": str(root.resolve()),
            "split": split,
            "photographs": None,
            "systems": [dict(system)],
            "plan": dict(plan),
            "goal": dict(vars(Goal(**goal))),
            "gallery": None,
        }
    )


def calibration_folds_config(
    images: Path,
    pairs: Path,
    folds: tuple[Sequence[int], Sequence[int]],
    system: Mapping[str, Any],
    plan: Mapping[str, Any],
    goal: Mapping[str, Any],
) -> Config:
    """Thresholds from photographs that a pairs file names: `folds` to choose by, and to try them on. Nothing is stored.

    Raises SettingsInvalid (no folds, or one in both), PairsInvalid when the file or a photograph isn't there.
    """
    from core.evaluation.goal import Goal

    plan_of(plan)
    return _with_command(
        {
            "task": "calibrate",
            **folds_source(images, pairs, *folds),
            "systems": [dict(system)],
            "plan": dict(plan),
            "goal": dict(vars(Goal(**goal))),
            "gallery": None,
        }
    )


def folds_source(images: Path, pairs: Path, chosen: Sequence[int], tried: Sequence[int]) -> Config:
    """The people of a calibration by folds, as its config holds them. Raises SettingsInvalid, PairsInvalid."""
    from core.evaluation.pairs import photos_of, read_pairs, require_photos

    if not chosen or not tried:
        raise SettingsInvalid("Folds are needed to choose by, and others to try on.", "Write 1-4 and 5-7.")
    if both := sorted(set(chosen) & set(tried)):
        raise SettingsInvalid(f"Fold {both[0]} would choose and be reported on.", "Name different folds.")
    root = _folder(images)
    require_photos(photos_of(read_pairs(pairs, [*chosen, *tried])), root)
    return {
        "images": str(root),
        "pairs": str(pairs.resolve()),
        "calibrate_folds": list(chosen),
        "report_folds": list(tried),
    }


def command_for(config: Mapping[str, Any]) -> str:
    """The command line that asks for the same: told to the user, never run."""
    plan = config.get("plan") or {}
    words = ["edgeface-studio", "evaluate", str(config["task"])]
    words += {
        "pairs": lambda: [str(config["images"]), str(config["pairs"])],
        "benchmark": lambda: [str(config["benchmark"]), str(config["root"])],
        "calibrate": lambda: _calibrated_on(config),
    }.get(str(config["task"]), lambda: ["--dataset-root", str(config["dataset"])])()
    for name, option in (("split", "--split"), ("photographs", "--photographs")):
        words += [option, str(config[name])] if config.get(name) else []
    if int(config.get("min_images") or 1) > 1:
        words += ["--min-images", str(config["min_images"])]
    if config.get("folds"):
        words += ["--folds", ",".join(map(str, config["folds"]))]
    if goal := config.get("goal"):
        words += [f"--{goal['measure']}", f"{goal['target']:g}"]
        if goal["measure"] == "fpir":
            words += ["--gallery-size", str(goal["gallery_size"]), "--templates", goal["templates"]]
            words += ["--enrol", str(goal["enrol"])]
            words += ["--frames", str(goal["frames"])] if goal["frames"] > 1 else []
        words += ["--confidence", f"{goal['confidence']:g}"]
    words += _of_plan(plan, str(config["task"])) + _of_systems(config.get("systems") or [])
    return shlex.join(words)


def _calibrated_on(config: Mapping[str, Any]) -> list[str]:
    if not config.get("pairs"):
        return ["--dataset-root", str(config["dataset"])]
    folds = {"--calibrate-folds": config["calibrate_folds"], "--report-folds": config["report_folds"]}
    words = ["--images", str(config["images"]), "--pairs", str(config["pairs"])]
    return words + [word for name, some in folds.items() for word in (name, ",".join(map(str, some)))]


def _of_plan(plan: Mapping[str, Any], task: str) -> list[str]:
    words: list[str] = []
    if task != "benchmark" and plan.get("sizes"):
        words += ["--sizes", ",".join("HR" if size is None else str(size) for size in plan["sizes"])]
    if task != "benchmark" and plan.get("modes"):
        several = len(plan["modes"]) > 1
        words += ["--mode", "both" if several else str(plan["modes"][0]).replace(" ", "-")]
    if task != "benchmark" and plan.get("degradations"):
        words += ["--degradation", "both" if len(plan["degradations"]) > 1 else str(plan["degradations"][0])]
    for name in ("threshold", "bootstrap", "seed") if task == "dataset" else ("bootstrap", "seed"):
        words += [f"--{name}", f"{plan[name]:g}"] if name in plan else []
    for column in plan.get("by") or ():
        words += ["--by", str(column)]
    return words


def _of_systems(systems: Sequence[Mapping[str, Any]]) -> list[str]:
    words: list[str] = []
    weights = dict.fromkeys(str(spec["weights"]) for spec in systems if spec.get("weights"))
    for path in weights:
        words += ["--weights", path]  # a peer too: its file's ending tells
    for name in dict.fromkeys(str(spec["upscaler"]) for spec in systems if spec.get("upscaler")):
        words += ["--upscaler", name]
    return words + (["--use-tta"] if any(spec.get("use_tta") for spec in systems) else [])


def _with_command(config: Config) -> Config:
    return {**config, "command": command_for(config)}


def _folder(path: Path) -> Path:
    place = path.expanduser()
    if not place.is_dir():
        raise SettingsInvalid(f"There is no folder {place}.", "Check the path.")
    return place.resolve()
