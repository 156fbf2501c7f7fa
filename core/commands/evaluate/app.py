"""`evaluate`: how well do these weights tell people apart, on photographs with known names?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from core.commands.evaluate.options import (
    BootstrapOption,
    DatasetOption,
    DegradationOption,
    Ending,
    ModeOption,
    People,
    SeedOption,
    SeveralSystems,
    SizesOption,
    SplitOption,
    degradations_of,
    evaluate_and_tell,
    folds_given,
    modes_of,
    sizes_of,
    source_of,
)
from core.commands.shared.common import UsageMistake, example, user_path
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
    images: Annotated[str, typer.Argument(metavar="FOLDER", help="A folder that holds one for each person.")],
    pairs_file: Annotated[str, typer.Argument(metavar="PAIRS", help="A pairs file in the layout of LFW.")],
    folds: Annotated[
        str | None, typer.Option("--folds", help="Folds to use, such as 1-7 or 1,3; default: all.")
    ] = None,
    sizes: SizesOption = "HR,32,24,16",
    mode: ModeOption = "both",
    degradation: DegradationOption = "bicubic",
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs/--no-all-pairs", help="Every pair of the photographs besides those listed.")
    ] = True,
    bootstrap: BootstrapOption = 1000,
    seed: SeedOption = 0,
    *,
    systems: SeveralSystems,
    ending: Ending,
) -> None:
    """Verification on pairs: EER, AUC, accuracy over folds and TAR at FAR with intervals, at full and small sizes."""
    from core.evaluation.pairs import photos_of, read_pairs, require_photos

    chosen, listed_sizes = folds_given(folds), sizes_of(sizes)
    root, listed = user_path(images), user_path(pairs_file)
    require_photos(photos_of(read_pairs(listed, chosen)), root)
    config = {
        "task": "pairs",
        "images": str(root.resolve()),
        "pairs": str(listed.resolve()),
        "folds": chosen,
        "all_pairs": all_pairs,
        "systems": systems.config(),
        "plan": {
            "sizes": listed_sizes,
            "modes": modes_of(mode),
            "degradations": degradations_of(degradation),
            "bootstrap": bootstrap,
            "seed": seed,
        },
    }
    evaluate_and_tell(config, f"pairs-{listed.stem}", ("verification",), ending)


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
    people: People,
    min_images: Annotated[
        int, typer.Option("--min-images", min=1, help="Only people with at least so many images.")
    ] = 1,
    sizes: SizesOption = "HR,32,24,16",
    mode: ModeOption = "aligned",
    degradation: DegradationOption = "bicubic",
    threshold: Annotated[
        float,
        typer.Option("--threshold", help="Per-person acceptance and the notes' accuracy are told at this cosine."),
    ] = UNCALIBRATED_THRESHOLD,
    gallery_size: Annotated[
        list[int] | None,
        typer.Option("--gallery-size", min=1, help="People in the open-set galleries; may be repeated."),
    ] = None,
    enrol: Annotated[int, typer.Option("--enrol", min=1, help="Photographs that each person enrols there.")] = 1,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="COLUMN", help="Break figures down by a column of its table; may be repeated."),
    ] = None,
    sr_images: Annotated[
        int, typer.Option("--sr-images", min=0, help="Images for PSNR, SSIM and similarity; 0: none.")
    ] = 300,
    bootstrap: BootstrapOption = 1000,
    seed: SeedOption = 0,
    *,
    systems: SeveralSystems,
    ending: Ending,
) -> None:
    """Everything on a data set: verification, identification, strangers, person by person, by resolution."""
    from core.evaluation.run_config import require_groups, require_pairs

    source = people.config()
    plan = {
        "sizes": sizes_of(sizes),
        "modes": modes_of(mode),
        "degradations": degradations_of(degradation),
        "threshold": threshold,
        "gallery_sizes": gallery_size,
        "enrol": enrol,
        "bootstrap": bootstrap,
        "seed": seed,
        "sr_images": sr_images,
        "by": by or [],
    }
    require_groups(user_path(source["dataset"]), by or [])
    require_pairs(user_path(source["dataset"]), source.get("split"), min_images)
    config = {
        "task": "dataset",
        **source,
        "min_images": min_images,
        "systems": systems.config(),
        "plan": _checked(plan),
    }
    told = ("verification", "identification", "open_set", "reject", "sr_summary", "head", "groups", "confused")
    evaluate_and_tell(config, f"dataset-{user_path(source['dataset']).name}", told, ending)


@group.command("sweep", epilog=example("evaluate sweep --dataset-root lfw --sizes 32,16"))
@takes_options
def sweep(
    dataset_root: DatasetOption = None,
    split: SplitOption = None,
    sizes: SizesOption = "HR,32,24,16",
    degradation: DegradationOption = "bicubic",
    gallery_size: Annotated[
        int | None, typer.Option("--gallery-size", min=1, help="People in the gallery that strangers meet.")
    ] = None,
    seed: SeedOption = 0,
    *,
    systems: SeveralSystems,
    ending: Ending,
) -> None:
    """Rates at thresholds from 0 to 0.8, as the notes swept them. To choose one, calibrate: it uses other people."""
    root = source_of(dataset_root)
    plan = {
        "sizes": sizes_of(sizes),
        "degradations": degradations_of(degradation),
        "bootstrap": 0,
        "seed": seed,
        "gallery_sizes": None if gallery_size is None else [gallery_size],
        "sections": ["verification", "identification", "open set"],
    }
    config = {
        "task": "dataset",
        "dataset": root,
        "split": split,
        "photographs": None,
        "systems": systems.config(),
        "plan": _checked(plan),
    }
    evaluate_and_tell(config, f"sweep-{user_path(root).name}", ("sweep",), ending)


@group.command(
    "benchmark",
    epilog=example("evaluate benchmark tinyface tinyface --use-tta", "evaluate benchmark scface SCface_database"),
)
@takes_options
def benchmark(
    name: Annotated[
        Literal["tinyface", "scface", "survface", "lfw", "xqlfw"], typer.Argument(help="Which one.", metavar="NAME")
    ],
    root: Annotated[str, typer.Argument(metavar="FOLDER", help="Your own copy, in the layout it is published in.")],
    bootstrap: BootstrapOption = 1000,
    seed: SeedOption = 0,
    *,
    systems: SeveralSystems,
    ending: Ending,
) -> None:
    """A benchmark of the field by its published protocol: tinyface, scface, survface, lfw or xqlfw."""
    folder = user_path(root)
    if not folder.is_dir():
        raise UsageMistake(f"There is no folder {folder}.", "Name your own copy of the benchmark.")
    from core.evaluation.benchmarks import require_layout

    require_layout(name, folder)
    config = {
        "task": "benchmark",
        "benchmark": name,
        "root": str(folder.resolve()),
        "systems": systems.config(),
        "plan": {"bootstrap": bootstrap, "seed": seed},
    }
    evaluate_and_tell(config, f"benchmark-{name}", ("benchmark", "published"), ending)


def _checked(plan: dict[str, object]) -> dict[str, object]:
    """The plan as it was given, refused here and not in the run when it can't be."""
    from core.evaluation.evaluation_spec import plan_of

    plan_of(plan)
    return plan
