"""`evaluate compare`, `calibrate`, `matched` and `pooling`: compare runs, calibrate thresholds, measure templates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.commands.evaluate.options import (
    DataOptions,
    DatasetOption,
    DegradationOption,
    OneSystem,
    ProbeOptions,
    ResamplingOptions,
    SizesOption,
    SplitOption,
    degradations_of,
    folds_given,
    sizes_of,
    source_of,
)
from core.commands.evaluate.output import OutOption, OutputOptions, print_evaluation, report_folder, run_and_print
from core.commands.shared.common import UsageMistake, example, gallery_place, user_path
from core.commands.shared.option_types import GalleryOption, JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.printing import say, say_json
from core.settings import load_settings
from core.system.server_address import may_be_there

if TYPE_CHECKING:
    from core.evaluation.evaluation_spec import SystemSpec
    from core.gallery.template_mix import TemplateMix


def add_to(group: typer.Typer) -> None:
    group.command("compare", epilog=example("evaluate compare RUN RUN", "evaluate compare 0900Z 1000Z --json"))(compare)
    group.command(
        "calibrate",
        epilog=example(
            "evaluate calibrate --dataset-root lfw --fpir 0.01 --gallery-size 300 --store",
            "evaluate calibrate --dataset-root lfw --fpir 0.01 --gallery-size 300 --templates HR,32,24,16",
            "evaluate calibrate --images lfw/images --pairs lfw/pairs.txt --calibrate-folds 1-4 --report-folds 5-7 "
            "--far 0.001",
        ),
    )(calibrate)
    group.command(
        "matched",
        epilog=example(
            "evaluate matched --dataset-root lfw", "evaluate matched --dataset-root lfw --split test --json"
        ),
    )(matched)
    group.command(
        "pooling",
        epilog=example(
            "evaluate pooling --dataset-root lfw", "evaluate pooling --dataset-root lfw --frames 1,5 --sizes 32,16"
        ),
    )(pooling)


def compare(
    before: Annotated[str, typer.Argument(metavar="RUN", help="The evaluation before, as runs list shows it.")],
    after: Annotated[str, typer.Argument(metavar="RUN", help="The evaluation after, on the same data.")],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two evaluations of the same data: what changed, and who gained or lost."""
    from core.evaluation.compare_runs import compare_evaluations
    from core.evaluation.report_files import write_evaluation
    from core.evaluation.result import read_run
    from core.jobs.run_dir import find_run, runs_root

    root = runs_root(load_settings())
    runs = [find_run(root, text) for text in (before, after)]
    evaluation = compare_evaluations(*(read_run(run) for run in runs), names=(runs[0].id, runs[1].id))
    target = report_folder(out)
    if target is not None:
        write_evaluation(evaluation, target)
    if as_json:
        say_json({**evaluation.report(), "gained_lost": evaluation.table("gained_lost").to_dict("records")})
        return
    print_evaluation(evaluation, ("change", "gained_lost"))
    if out is not None:
        say(f"Written to {out}")


@takes_options
def calibrate(
    dataset_root: DatasetOption = None,
    split: SplitOption = None,
    images: Annotated[
        str | None, typer.Option("--images", metavar="FOLDER", help="With --pairs: the photographs.")
    ] = None,
    pairs: Annotated[
        str | None, typer.Option("--pairs", metavar="FILE", help="A pairs file whose folds divide the people.")
    ] = None,
    calibrate_folds: Annotated[
        str | None, typer.Option("--calibrate-folds", help="Folds to choose the threshold on, such as 1-4.")
    ] = None,
    report_folds: Annotated[
        str | None, typer.Option("--report-folds", help="Folds to test it on, such as 5-7.")
    ] = None,
    fpir: Annotated[
        float | None, typer.Option("--fpir", help="1:N: at most this share of strangers gets a name, such as 0.01.")
    ] = None,
    far: Annotated[
        float | None, typer.Option("--far", help="1:1: at most this share of impostor pairs passes, such as 0.001.")
    ] = None,
    gallery_size: Annotated[
        int | None,
        typer.Option("--gallery-size", min=1, help="For --fpir: people in the gallery; default: the gallery's own."),
    ] = None,
    templates: Annotated[
        str | None,
        typer.Option(
            "--templates",
            metavar="SIZES",
            help="For --fpir: templates of each person, such as HR or HR,32,24,16; default: as in the gallery.",
        ),
    ] = None,
    enrol: Annotated[
        int | None,
        typer.Option("--enrol", min=1, help="Photographs that each person enrols; default: as many as in the gallery."),
    ] = None,
    frames: Annotated[
        int, typer.Option("--frames", min=1, help="For --fpir: images pooled into a probe, as for video.")
    ] = 1,
    confidence: Annotated[
        float,
        typer.Option(
            "--confidence",
            help="Confidence that the rate holds for people outside the data; 0: it holds on the data alone.",
        ),
    ] = 0.9,
    draws: Annotated[int, typer.Option("--draws", min=1, max=1000, help="Galleries drawn for --fpir.")] = 20,
    sizes: SizesOption = "HR,32,24,16",
    mode: Annotated[
        Literal["aligned", "end-to-end"], typer.Option("--mode", help="End to end needs photographs: --images.")
    ] = "aligned",
    degradation: DegradationOption = "bicubic",
    store: Annotated[
        bool, typer.Option("--store", help="Store the thresholds in the gallery: identification then uses them.")
    ] = False,
    gallery_path: GalleryOption = None,
    resampling: ResamplingOptions = ResamplingOptions(),
    *,
    systems: OneSystem,
    output: OutputOptions,
) -> None:
    """Choose a threshold for each probe size on some people, and test it on others."""
    from core.evaluation.goal import Goal
    from core.evaluation.run_config import calibration_config, calibration_folds_config

    if (fpir is None) == (far is None):
        raise UsageMistake(
            "No error rate to calibrate for.", "Add --fpir 0.01 (1:N) or --far 0.001 (1:1), one of them."
        )
    target = fpir if fpir is not None else far
    gallery = gallery_place(load_settings(), gallery_path)
    people = gallery_size if gallery_size is not None else _people_in(gallery) if fpir is not None else 0
    measure: Literal["fpir", "far"] = "fpir" if fpir is not None else "far"
    if pairs is None and not (images is None and calibrate_folds is None and report_folds is None):
        raise UsageMistake("Folds need a pairs file.", "Add --pairs FILE, or name a data set alone.")
    source = None if pairs is None else _folds_source(dataset_root, images, pairs, calibrate_folds, report_folds)
    root = user_path(source_of(dataset_root)) if source is None else Path()
    [system] = systems.config()
    mix = _mix_in(gallery if fpir is not None else None, system)
    goal = Goal(
        measure, target or 0.0, people, enrol or mix.photographs, draws, templates or mix.templates, confidence, frames
    )
    plan = {
        "sizes": sizes_of(sizes),
        "modes": ["aligned" if mode == "aligned" else "end to end"],
        "degradations": degradations_of(degradation)[:1],
        **vars(resampling),
    }
    stored = gallery if store else None
    if source is None:
        config = calibration_config(root, system, plan, goal, split=split, gallery=stored)
    else:
        config = calibration_folds_config(*source, system, plan, goal, gallery=stored)
    evaluation = run_and_print(config, f"calibrate-{measure}", ("thresholds", "calibration"), output)
    if store and evaluation is not None and not output.as_json:
        if evaluation.table("calibration").empty:
            say("No threshold was stored.")
        else:
            say(f"Stored in {gallery}: identification with these weights now uses them.")


@takes_options
def matched(
    data: DataOptions,
    min_images: Annotated[
        int, typer.Option("--min-images", min=1, help="Only people with at least this many images.")
    ] = 1,
    probes: ProbeOptions = ProbeOptions(),
    resampling: ResamplingOptions = ResamplingOptions(),
    *,
    systems: OneSystem,
    output: OutputOptions,
) -> None:
    """Measure whether templates at 32, 24 and 16 px beside full size find more people: rank-1, and DIR at FPIR 1 %."""
    from core.evaluation.run_config import matched_config

    root = data.root()
    config = matched_config(
        root,
        systems.config,
        {**probes.plan(), **vars(resampling)},
        split=data.split,
        photographs=data.folder(),
        min_images=min_images,
    )
    run_and_print(config, f"matched-{root.name}", ("matched",), output)


@takes_options
def pooling(
    data: DataOptions,
    frames: Annotated[str, typer.Option("--frames", help="Frames to pool; people with more images take part.")] = (
        "1,5,15"
    ),
    draws: Annotated[int, typer.Option("--draws", min=1, max=1000, help="Random draws of the enrolled images.")] = 20,
    probes: ProbeOptions = ProbeOptions(sizes="16"),
    resampling: ResamplingOptions = ResamplingOptions(bootstrap=300),
    *,
    systems: OneSystem,
    output: OutputOptions,
) -> None:
    """Compare several frames of a face with one: EER and rank-1 of embeddings pooled by quality, as in video."""
    from core.evaluation.run_config import pooling_config

    root = data.root()
    config = pooling_config(
        root,
        systems.config,
        {**probes.plan(), **vars(resampling)},
        split=data.split,
        photographs=data.folder(),
        pooled={"frames": _frames(frames), "draws": draws},
    )
    run_and_print(config, f"pooling-{root.name}", ("pooling",), output)


def _frames(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 1000 for part in parts):
        raise UsageMistake(f"--frames '{text}' isn't a list of numbers.", "Write it as in 1,5,15.")
    return [int(part) for part in parts]


def _people_in(gallery: Path | str) -> int:
    from core.gallery.store import Gallery

    size = 0
    if may_be_there(gallery):
        with Gallery.open(gallery, create=False) as opened:
            size = opened.size
    if size < 1:
        raise UsageMistake("The gallery is empty, and FPIR belongs to a gallery size.", "Add --gallery-size N.")
    return size


def _mix_in(gallery: Path | str | None, spec: SystemSpec) -> TemplateMix:
    """The templates of the people in a gallery whom this system can find; one full-size template each where there is
    nobody or no gallery.
    Raises GalleryError and what `open_system` raises."""
    from core.evaluation.job import space_for
    from core.evaluation.systems import open_system
    from core.gallery.store import Gallery
    from core.gallery.template_mix import TemplateMix
    from core.models.upscalers import describe
    from core.sr.upscale import BICUBIC

    if gallery is None or not may_be_there(gallery):
        return TemplateMix()
    by = () if spec.upscaler in (None, BICUBIC) else describe(Path(str(spec.upscaler))).bicubic_px
    with Gallery.open(gallery, create=False) as opened:
        return opened.population(replace(space_for(open_system(spec)), bicubic_px=by)).mix or TemplateMix()


def _folds_source(
    dataset_root: str | None, images: str | None, pairs: str, calibrate_folds: str | None, report_folds: str | None
) -> tuple[Path, Path, tuple[list[int], list[int]]]:
    """(photographs, pairs file, folds to choose on and to report on). Raises UsageMistake."""
    if images is None or calibrate_folds is None or report_folds is None or dataset_root is not None:
        raise UsageMistake(
            "--pairs goes with --images, --calibrate-folds and --report-folds.", "Add those, without --dataset-root."
        )
    chosen, reported = folds_given(calibrate_folds, "--calibrate-folds"), folds_given(report_folds, "--report-folds")
    return user_path(images), user_path(pairs), (chosen or [], reported or [])
