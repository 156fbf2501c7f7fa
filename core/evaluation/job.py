"""The job of the kind `evaluate`: from a run's config (`config_models`) to its tables, report.html and report.json."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from core.access.actor import require
from core.access.roles import Permission
from core.dataset.manifest import Dataset
from core.errors import SettingsInvalid
from core.evaluation.calibrate import CalibrationSets, calibrate, halves, points_json
from core.evaluation.config_models import (
    BenchmarkConfig,
    CalibrationConfig,
    EvaluationConfig,
    MatchedConfig,
    PairsConfig,
    PeopleConfig,
    PoolingConfig,
    read_config,
)
from core.evaluation.evaluate import evaluate_pictures
from core.evaluation.evaluation_spec import SystemSpec
from core.evaluation.face_memory import FaceMemory
from core.evaluation.hooks import RunHooks
from core.evaluation.lineage import trained_people
from core.evaluation.listed_pairs import PairsSource
from core.evaluation.pairs import people_by_fold, photos_of, read_pairs, require_photos
from core.evaluation.pairs_evaluation import evaluate_listed
from core.evaluation.pictures import (
    Picture,
    dataset_at,
    only_people,
    pictures_of_dataset,
    pictures_of_photos,
    with_images,
)
from core.evaluation.report_files import write_tables
from core.evaluation.result import Evaluation
from core.evaluation.systems import System, open_system
from core.evaluation.vector_cache import default_embedding_cache
from core.gallery.operating_points import OperatingPoint, save_operating_point
from core.gallery.records import Space
from core.images import ImageUnreadable
from core.jobs.context import JobContext, OnEvent
from core.models.figures import keep_figures
from core.models.measured import Measured
from core.models.report_figures import figures_of_report
from core.settings import Settings, load_settings
from core.system.atomic_file import write_atomically

KIND = "evaluate"
_MEASURING = frozenset({"dataset", "pairs"})


def run(context: JobContext) -> Mapping[str, Any]:
    """Measure what the run's config asks for, and return its report. Embeddings are cached as they are made, so that a
    run that was killed loses little. Raises SettingsInvalid and what the parts raise."""
    settings = load_settings()
    config = read_config(context.config)
    if isinstance(config, CalibrationConfig) and config.gallery:  # before the work, which takes minutes
        require(Permission.WEIGHTS)
    started = time.monotonic()
    hooks = RunHooks(_throttled(context), context.should_stop, default_embedding_cache(settings))
    specs = config.systems or (SystemSpec(),)
    memory = FaceMemory() if len(specs) > 1 else None
    systems = [open_system(spec, settings, memory) for spec in specs]
    if isinstance(config, CalibrationConfig):
        evaluation, people = _calibrated(context, config, systems[0], hooks, settings), set[str]()
    else:
        evaluation, people = _measured(config, systems, hooks)
    evaluation = with_people_known(evaluation, systems, people, settings)
    evaluation = replace(evaluation, protocol={**evaluation.protocol, "run": context.run.id})
    context.check_stop()
    context.on_event("progress", step="write", done=0, total=1)
    write_tables(evaluation, context.run.path)
    report = evaluation.report()
    keep_weights_figures(report, settings)
    return {**report, "seconds": round(time.monotonic() - started, 1)}


def _measured(config: EvaluationConfig, systems: Sequence[System], hooks: RunHooks) -> tuple[Evaluation, set[str]]:
    """The evaluation, and the people on the pictures: figures are optimistic where they took part in training."""
    plan = config.plan
    if isinstance(config, PairsConfig):
        source = PairsSource(Path(config.images), Path(config.pairs), config.folds, config.all_pairs)
        people = {photo.name for photo in photos_of(read_pairs(source.pairs_file, source.folds))}
        return evaluate_listed(source, systems, plan, hooks=hooks), people
    if isinstance(config, BenchmarkConfig):
        from core.evaluation.benchmarks import named_people, run_benchmark

        root = Path(config.root)
        evaluation = run_benchmark(config.benchmark, root, systems, plan, hooks=hooks)
        return evaluation, named_people(config.benchmark, root)
    if not isinstance(config, PeopleConfig):
        raise SettingsInvalid("This evaluation names no people.", "Start it again.")
    pictures, data = pictures_of_config(config.dataset, config)
    people = {picture.identity for picture in pictures}
    if isinstance(config, MatchedConfig):
        from core.evaluation.matched import evaluate_matched

        return evaluate_matched(systems[0], pictures, plan, data=data, hooks=hooks), people
    if isinstance(config, PoolingConfig):
        from core.evaluation.pooling import evaluate_pooling

        evaluation = evaluate_pooling(
            systems[0], pictures, plan, data=data, frames=config.frames, draws=config.draws, hooks=hooks
        )
        return evaluation, people
    return evaluate_pictures(systems, pictures, plan, data=data, hooks=hooks), people


def with_people_known(
    evaluation: Evaluation, systems: Sequence[System], everybody: Collection[str], settings: Settings
) -> Evaluation:
    """Add the people who took part in training or choosing a system, by its label: figures on them are optimistic.

    Systems of which that is unknown, or that no person of `everybody` took part in, are left out.
    """
    known = {system.label: trained_people(everybody, system.files, settings) or set() for system in systems}
    counts = {label: len(people) for label, people in known.items() if people}
    if not counts:
        return evaluation
    rows = [{"system": label, "identity": name} for label, people in known.items() for name in sorted(people)]
    return replace(
        evaluation,
        protocol={**evaluation.protocol, "people_known": counts},
        tables={**evaluation.tables, "took_part": pd.DataFrame(rows)},
    )


def pictures_of_config(folder: str, config: PeopleConfig | CalibrationConfig) -> tuple[list[Picture], dict[str, Any]]:
    """The pictures that a config names, and the facts of them for the protocol.

    `folder` is a data set of this program, or a folder in any layout that `scan` knows. Raises SettingsInvalid,
    SourceInvalid, DatasetInvalid, ImageUnreadable.
    """
    root = Path(folder)
    dataset = dataset_at(root)
    dataset = _with_hashes(dataset) if not dataset.key else dataset
    photographs = Path(config.photographs) if config.photographs else None
    pictures = pictures_of_dataset(dataset, config.split, photographs=photographs, by=config.plan.by)
    return with_images(pictures, config.min_images), {
        "data": dataset.info.name,
        "split": config.split or "",
        "root": root.name,
        "min_images": config.min_images,
        "manifest_sha256": dataset.key,
        "synthetic": dataset.info.synthetic,
    }


def _with_hashes(dataset: Dataset) -> Dataset:
    """A scanned folder or CSV with the sizes and hashes of its files, which its table lacks. Raises ImageUnreadable for
    one that can't be read: figures without it would be of other pictures than those named."""
    from core.dataset.file_stats import measure

    frame, amiss = measure(dataset.root, dataset.frame)
    broken = amiss[amiss["width"] == 0]
    if len(broken):
        raise ImageUnreadable(
            f"{len(broken):,} of {len(frame):,} pictures of {dataset.info.name} can't be read, first "
            f"{broken.iloc[0]['path']}: {broken.iloc[0]['problem']}",
            "Repair them or take them out.",
        )
    return replace(dataset, frame=frame)


def _calibrated(
    context: JobContext, config: CalibrationConfig, system: System, hooks: RunHooks, settings: Settings
) -> Evaluation:
    chosen, reported, data = calibration_pictures(config)
    everybody = {picture.identity for picture in [*chosen, *reported]}
    known = trained_people(everybody, system.files, settings)
    for half in (chosen, reported):
        left = {picture.identity for picture in half} - (known or set())
        if known and len(left) < 2:
            raise SettingsInvalid(
                f"Of {len(everybody):,} people {len(known):,} took part in training or choosing {system.label}: "
                f"{len(left)} would be left to calibrate on.",
                "Calibrate on people who took no part, or use bicubic or other weights.",
            )
    sets = CalibrationSets(chosen, reported, known or set())
    evaluation, points = calibrate(system, sets, config.goal, config.plan, run=context.run.id, data=data, hooks=hooks)
    said = "official weights, or their data set isn't here: not known" if known is None else "left out"
    evaluation = replace(evaluation, protocol={**evaluation.protocol, "people_the_weights_know": said})
    write_atomically(context.run.path / "operating_points.json", points_json(points).encode())
    if config.gallery:
        store_points(config.gallery, system, points)
    return evaluation


def store_points(gallery: Path | str, system: System, points: list[OperatingPoint]) -> None:
    """Store thresholds in a gallery, for the system that measured them. Raises GalleryError, StorageFailed."""
    from core.gallery.store import Gallery

    with Gallery.open(gallery) as opened:
        for point in points:
            save_operating_point(opened, space_for(system), point)


def space_for(system: System) -> Space:
    """The space of a system's templates; `bicubic_px`, which thresholds don't depend on, is left out."""
    return Space(
        str(system.loader.facts.get("encoder", system.name)), system.encoder_sha256, system.upscaler_id, system.flip_tta
    )


def calibration_pictures(config: CalibrationConfig) -> tuple[list[Picture], list[Picture], dict[str, Any]]:
    """Pictures to choose on and to report on: folds of a pairs file, or the two halves of a data set's people."""
    if not config.pairs:
        pictures, data = pictures_of_config(str(config.dataset), config)
        first, second = halves({picture.identity for picture in pictures}, config.plan.seed)
        return only_people(pictures, first), only_people(pictures, second), data
    images, listed = Path(str(config.images)), Path(config.pairs)
    folds = [list(config.calibrate_folds), list(config.report_folds)]
    pairs = [read_pairs(listed, some) for some in folds]
    people = [set().union(*people_by_fold(some).values()) for some in pairs]
    photos = [photos_of(some) for some in pairs]
    for some in photos:
        require_photos(some, images)
    both = people[0] & people[1]
    chosen = pictures_of_photos([photo for photo in photos[0] if photo.name not in both], images)
    data = {
        "data": listed.resolve().parent.name,
        "calibrate_folds": folds[0],
        "report_folds": folds[1],
        "people_in_both_left_out_of_choosing": len(both),
    }
    return chosen, pictures_of_photos(photos[1], images), data


def fitting_figures(report: Mapping[str, Any]) -> list[tuple[str, Measured]]:
    """(SHA-256 of the weights, their figures) for each system of a report with the protocol of a file's figures:
    aligned photographs reduced by bicubic, in pairs, of people who took part neither in training nor in choosing it.
    Drawn faces, benchmarks, calibrations and other recognisers don't fit."""
    protocol = report.get("protocol") or {}
    if report.get("kind") not in _MEASURING or protocol.get("synthetic") or "verification" not in report["figures"]:
        return []
    found = []
    for system in protocol.get("systems") or ():
        if system.get("label") in (protocol.get("people_known") or {}) or system.get("kind") == "onnx":
            continue
        # The other systems with the same weights stay: bicubic is listed besides the super-resolution network.
        own = [system, *(other for other in protocol["systems"] if other is not system)]
        figures = figures_of_report({**report, "protocol": {**protocol, "systems": own}})
        if figures.eer or figures.eer_vlr_hr:
            found.append((str(system["weights_sha256"]), figures))
    return found


def keep_weights_figures(report: Mapping[str, Any], settings: Settings) -> None:
    """Record the figures of a report for its weights, where its protocol fits. Raises StorageFailed."""
    for sha256, figures in fitting_figures(report):
        keep_figures(settings, sha256, figures)


def _throttled(context: JobContext) -> OnEvent:
    """Pass on at most two progress events a second, and the last one of each step."""
    last = 0.0

    def on_event(kind: str, /, **data: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if data.get("done") == data.get("total") or now - last >= 0.5:
            last = now
            context.on_event(kind, **data)

    return on_event
