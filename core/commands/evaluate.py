"""`evaluate`: how well do these weights tell people apart, on photographs with known names?"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from core.commands.common import DeviceOption, JsonOption, TtaOption, UsageMistake, example, user_path
from core.commands.evaluate_options import (
    BootstrapOption,
    DatasetOption,
    DegradationOption,
    DetachOption,
    ModeOption,
    OutOption,
    PeerBgrOption,
    PeerOption,
    PhotographsOption,
    SeedOption,
    SizesOption,
    SplitOption,
    UpscalerListOption,
    WeightsListOption,
    degradations_of,
    evaluate_and_tell,
    folds_of,
    modes_of,
    sizes_of,
    systems_of,
)
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
    weights: WeightsListOption = None,
    upscaler: UpscalerListOption = None,
    peer: PeerOption = None,
    peer_bgr: PeerBgrOption = False,
    use_tta: TtaOption = False,
    device: DeviceOption = "auto",
    out: OutOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Verification on pairs: EER, AUC, accuracy over folds and TAR at FAR with intervals, at full and small sizes."""
    from core.evaluation.pairs import photos_of, read_pairs, require_photos

    chosen, listed_sizes = folds_of(folds), sizes_of(sizes)
    root, listed = user_path(images), user_path(pairs_file)
    require_photos(photos_of(read_pairs(listed, chosen)), root)
    config = {
        "task": "pairs",
        "images": str(root.resolve()),
        "pairs": str(listed.resolve()),
        "folds": chosen,
        "all_pairs": all_pairs,
        "systems": systems_of(weights, upscaler, peer, use_tta=use_tta, device=device, peer_bgr=peer_bgr),
        "plan": {
            "sizes": listed_sizes, "modes": modes_of(mode), "degradations": degradations_of(degradation),
            "bootstrap": bootstrap, "seed": seed,
        },
    }  # fmt: skip
    evaluate_and_tell(
        config, f"pairs-{listed.stem}", ("verification",), out=out, detach=detach, as_json=as_json
    )  # fmt: skip


@group.command(
    "dataset",
    epilog=example(
        "evaluate dataset --dataset-root lfw --split test --use-tta",
        "evaluate dataset --dataset-root lfw --sizes curve --upscaler bicubic --upscaler dsr.safetensors",
        "evaluate dataset --dataset-root lfw --photographs lfw/images --mode both",
        "evaluate dataset --dataset-root my-people --by sex --by age_band",
    ),
)
def dataset(
    dataset_root: DatasetOption = None,
    split: SplitOption = None,
    photographs: PhotographsOption = None,
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
    weights: WeightsListOption = None,
    upscaler: UpscalerListOption = None,
    peer: PeerOption = None,
    peer_bgr: PeerBgrOption = False,
    use_tta: TtaOption = False,
    device: DeviceOption = "auto",
    out: OutOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Everything on a data set: verification, identification, strangers, person by person, by resolution."""
    from core.evaluation.request import require_groups

    root = source_of(dataset_root)
    plan = {
        "sizes": sizes_of(sizes), "modes": modes_of(mode), "degradations": degradations_of(degradation),
        "threshold": threshold, "gallery_sizes": gallery_size, "enrol": enrol, "bootstrap": bootstrap, "seed": seed,
        "sr_images": sr_images, "by": by or [],
    }  # fmt: skip
    require_groups(user_path(root), by or [])
    config = {
        "task": "dataset",
        "dataset": root,
        "split": split,
        "min_images": min_images,
        "photographs": None if photographs is None else str(user_path(photographs).resolve()),
        "systems": systems_of(weights, upscaler, peer, use_tta=use_tta, device=device, peer_bgr=peer_bgr),
        "plan": _checked(plan),
    }
    told = ("verification", "identification", "open_set", "reject", "sr_summary", "head", "groups", "confused")
    evaluate_and_tell(config, f"dataset-{user_path(root).name}", told, out=out, detach=detach, as_json=as_json)


@group.command("sweep", epilog=example("evaluate sweep --dataset-root lfw --sizes 32,16"))
def sweep(
    dataset_root: DatasetOption = None,
    split: SplitOption = None,
    sizes: SizesOption = "HR,32,24,16",
    degradation: DegradationOption = "bicubic",
    gallery_size: Annotated[
        int | None, typer.Option("--gallery-size", min=1, help="People in the gallery that strangers meet.")
    ] = None,
    seed: SeedOption = 0,
    weights: WeightsListOption = None,
    upscaler: UpscalerListOption = None,
    use_tta: TtaOption = False,
    device: DeviceOption = "auto",
    out: OutOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rates at thresholds from 0 to 0.8, as the notes swept them. To choose one, calibrate: it uses other people."""
    root = source_of(dataset_root)
    plan = {
        "sizes": sizes_of(sizes), "degradations": degradations_of(degradation), "bootstrap": 0, "seed": seed,
        "gallery_sizes": None if gallery_size is None else [gallery_size],
        "sections": ["verification", "identification", "open set"],
    }  # fmt: skip
    config = {
        "task": "dataset", "dataset": root, "split": split, "photographs": None,
        "systems": systems_of(weights, upscaler, None, use_tta=use_tta, device=device), "plan": _checked(plan),
    }  # fmt: skip
    evaluate_and_tell(config, f"sweep-{user_path(root).name}", ("sweep",), out=out, detach=detach, as_json=as_json)


@group.command(
    "benchmark",
    epilog=example("evaluate benchmark tinyface tinyface --use-tta", "evaluate benchmark scface SCface_database"),
)
def benchmark(
    name: Annotated[
        Literal["tinyface", "scface", "survface", "lfw", "xqlfw"], typer.Argument(help="Which one.", metavar="NAME")
    ],
    root: Annotated[str, typer.Argument(metavar="FOLDER", help="Your own copy, in the layout it is published in.")],
    bootstrap: BootstrapOption = 1000,
    seed: SeedOption = 0,
    weights: WeightsListOption = None,
    upscaler: UpscalerListOption = None,
    peer: PeerOption = None,
    peer_bgr: PeerBgrOption = False,
    use_tta: TtaOption = False,
    device: DeviceOption = "auto",
    out: OutOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """A benchmark of the field by its published protocol: tinyface, scface, survface, lfw or xqlfw."""
    folder = user_path(root)
    if not folder.is_dir():
        raise UsageMistake(f"There is no folder {folder}.", "Name your own copy of the benchmark.")
    from core.evaluation.benchmarks import require_layout

    require_layout(name, folder)
    config = {
        "task": "benchmark", "benchmark": name, "root": str(folder.resolve()),
        "systems": systems_of(weights, upscaler, peer, use_tta=use_tta, device=device, peer_bgr=peer_bgr),
        "plan": {"bootstrap": bootstrap, "seed": seed},
    }  # fmt: skip
    evaluate_and_tell(config, f"benchmark-{name}", ("benchmark", "published"), out=out, detach=detach, as_json=as_json)


def source_of(text: str | None) -> str:
    """The data set that --dataset-root means: a folder, or a name in data/datasets. Raises UsageMistake."""
    from core.commands.dataset_options import source_path

    if text is None:
        raise UsageMistake("Name the data set.", "Add --dataset-root FOLDER, or the name of one in data/datasets.")
    path = source_path(text)
    if not path.is_dir():
        raise UsageMistake(f"There is no data set at {path}.", "See edgeface-studio dataset list.")
    return str(path.resolve())


def _checked(plan: dict[str, object]) -> dict[str, object]:
    """The plan as it was given, refused here and not in the run when it can't be."""
    from core.evaluation.plan import plan_of

    plan_of(plan)
    return plan
