"""`evaluate`: measure accuracy on photographs with known names."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from core.commands.evaluate.options import (
    DataOptions,
    DatasetOption,
    DegradationOption,
    ProbeOptions,
    ResamplingOptions,
    SeedOption,
    SeveralSystems,
    SizesOption,
    SplitOption,
    degradations_of,
    folds_given,
    sizes_of,
    source_of,
)
from core.commands.evaluate.output import OutputOptions, run_and_print
from core.commands.shared.common import example, user_path
from core.commands.shared.options import takes_options
from core.settings import UNCALIBRATED_THRESHOLD

group = typer.Typer(
    help="Measure accuracy on photographs with known names.",
    epilog=example(
        "evaluate dataset --dataset-root lfw --use-tta", "evaluate pairs lfw/images lfw/pairs.txt --use-tta"
    ),
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="evaluate")


@group.callback()
def _evaluate() -> None:
    """Measure accuracy on photographs with known names."""


@group.command(
    "pairs",
    epilog=example(
        "evaluate pairs lfw/images lfw/pairs.txt --folds 1-7 --use-tta", "evaluate pairs images pairs.txt --sizes HR,16"
    ),
)
@takes_options
def pairs(
    images: Annotated[str, typer.Argument(metavar="FOLDER", help="A folder with one folder for each person.")],
    pairs_file: Annotated[str, typer.Argument(metavar="PAIRS", help="A pairs file in the layout of LFW.")],
    folds: Annotated[
        str | None, typer.Option("--folds", help="Folds to use, such as 1-7 or 1,3; default: all.")
    ] = None,
    probes: ProbeOptions = ProbeOptions(mode="both"),
    degradation: DegradationOption = "both",
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs/--no-all-pairs", help="Also evaluate every pair of the photographs.")
    ] = True,
    resampling: ResamplingOptions = ResamplingOptions(),
    *,
    systems: SeveralSystems,
    output: OutputOptions,
) -> None:
    """Verification on pairs: EER, AUC, accuracy over folds and TAR at FAR with intervals, at full and small sizes."""
    from core.evaluation.run_config import pairs_config

    listed = user_path(pairs_file)
    plan = {
        **probes.plan(),
        "degradations": degradations_of(degradation),
        **vars(resampling),
    }
    chosen = folds_given(folds)
    config = pairs_config(user_path(images), listed, systems.config, plan, folds=chosen, all_pairs=all_pairs)
    run_and_print(config, f"pairs-{listed.stem}", ("verification",), output)


@group.command(
    "dataset",
    epilog=example(
        "evaluate dataset --dataset-root lfw --split test --use-tta",
        "evaluate dataset --dataset-root lfw --sizes curve --upscaler bicubic --upscaler dsr.safetensors",
        "evaluate dataset --dataset-root lfw --photographs lfw/images --mode both",
        "evaluate dataset --dataset-root my-people --by sex --by age_band",
    ),
)
@takes_options
def dataset(
    data: DataOptions,
    min_images: Annotated[
        int, typer.Option("--min-images", min=1, help="Only people with at least this many images.")
    ] = 1,
    probes: ProbeOptions = ProbeOptions(),
    degradation: DegradationOption = "both",
    threshold: Annotated[
        float,
        typer.Option("--threshold", help="Cosine at which acceptance for each person and accuracy are reported."),
    ] = UNCALIBRATED_THRESHOLD,
    gallery_size: Annotated[
        list[int] | None,
        typer.Option("--gallery-size", min=1, help="People in the open-set galleries; may be repeated."),
    ] = None,
    enrol: Annotated[int, typer.Option("--enrol", min=1, help="Photographs that each person enrols there.")] = 1,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="COLUMN", help="Break figures down by a column of the data set; may be repeated."),
    ] = None,
    sr_images: Annotated[
        int, typer.Option("--sr-images", min=0, help="Images for PSNR, SSIM and similarity; 0: none.")
    ] = 300,
    resampling: ResamplingOptions = ResamplingOptions(),
    *,
    systems: SeveralSystems,
    output: OutputOptions,
) -> None:
    """All evaluations on a data set: verification, identification, open set, per person and by resolution."""
    from core.evaluation.run_config import dataset_config

    plan = {
        **probes.plan(),
        "degradations": degradations_of(degradation),
        "threshold": threshold,
        "gallery_sizes": gallery_size,
        "enrol": enrol,
        **vars(resampling),
        "sr_images": sr_images,
        "by": by or [],
    }
    root = data.root()
    config = dataset_config(
        root, systems.config, plan, split=data.split, photographs=data.folder(), min_images=min_images
    )
    tables = (
        "verification",
        "identification",
        "open_set",
        "reject",
        "sr_summary",
        "head",
        "groups",
        "similarity",
        "confused",
    )
    run_and_print(config, f"dataset-{root.name}", tables, output)


@group.command(
    "groups",
    epilog=example(
        "evaluate groups --dataset-root my-people --by sex --by age_band",
        "evaluate groups --dataset-root faces/index.csv --by source --sizes 24,16",
    ),
)
@takes_options
def groups(
    data: DataOptions,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="COLUMN", help="A column of the data set, or of the CSV; may be repeated."),
    ] = None,
    probes: ProbeOptions = ProbeOptions(sizes="32,24,16"),
    degradation: DegradationOption = "both",
    resampling: ResamplingOptions = ResamplingOptions(),
    *,
    systems: SeveralSystems,
    output: OutputOptions,
) -> None:
    """Cosine of small faces to their own full-size faces, by group: whether a group pays for the others' gain."""
    from core.evaluation.evaluation_spec import SIMILARITY_SECTIONS
    from core.evaluation.run_config import dataset_config

    root = data.root()
    plan = {
        **probes.plan(),
        "degradations": degradations_of(degradation),
        **vars(resampling),
        "sections": SIMILARITY_SECTIONS,
        "by": by or [],
    }
    config = dataset_config(root, systems.config, plan, split=data.split, photographs=data.folder())
    run_and_print(config, f"groups-{root.stem}", ("similarity",), output)


@group.command("sweep", epilog=example("evaluate sweep --dataset-root lfw --sizes 32,16"))
@takes_options
def sweep(
    dataset_root: DatasetOption = None,
    split: SplitOption = None,
    sizes: SizesOption = "HR,32,24,16",
    degradation: DegradationOption = "bicubic",
    gallery_size: Annotated[
        int | None, typer.Option("--gallery-size", min=1, help="People in the open-set gallery.")
    ] = None,
    seed: SeedOption = 0,
    *,
    systems: SeveralSystems,
    output: OutputOptions,
) -> None:
    """Rates at thresholds from 0 to 0.8. To choose a threshold, use calibrate, which tests it on other people."""
    from core.evaluation.evaluation_spec import SWEEP_SECTIONS
    from core.evaluation.run_config import dataset_config

    root = user_path(source_of(dataset_root))
    plan = {
        "sizes": sizes_of(sizes),
        "degradations": degradations_of(degradation),
        "bootstrap": 0,
        "seed": seed,
        "gallery_sizes": None if gallery_size is None else [gallery_size],
        "sections": SWEEP_SECTIONS,
    }
    config = dataset_config(root, systems.config, plan, split=split)
    run_and_print(config, f"sweep-{root.name}", ("sweep",), output)


@group.command(
    "benchmark",
    epilog=example("evaluate benchmark tinyface tinyface --use-tta", "evaluate benchmark scface SCface_database"),
)
@takes_options
def benchmark(
    name: Annotated[
        Literal["tinyface", "scface", "survface", "lfw", "xqlfw"], typer.Argument(help="The benchmark.", metavar="NAME")
    ],
    root: Annotated[str, typer.Argument(metavar="FOLDER", help="Your copy of the benchmark, in its published layout.")],
    resampling: ResamplingOptions = ResamplingOptions(),
    *,
    systems: SeveralSystems,
    output: OutputOptions,
) -> None:
    """A public benchmark by its published protocol: tinyface, scface, survface, lfw or xqlfw."""
    from core.evaluation.run_config import benchmark_config

    config = benchmark_config(name, user_path(root), systems.config, dict(vars(resampling)))
    run_and_print(config, f"benchmark-{name}", ("benchmark", "published"), output)
