"""`dataset build`, `ingest`, `demo`, `degrade` and `fetch`: what writes data sets and images."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

from core.commands.dataset.options import (
    EngineOptions,
    LayoutOptions,
    OutOption,
    SeedOption,
    SourceArgument,
    megabytes,
    out_path,
    say_counts,
    settings_of,
    show_progress,
    source_path,
)
from core.commands.shared.common import UsageMistake, example, new_path, user_path
from core.commands.shared.option_types import DetachOption, JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.printing import progress_line, say, say_json, say_result
from core.commands.shared.runs import run_to_end
from core.settings import load_settings


def add_to(group: typer.Typer) -> None:
    group.command(
        "build",
        epilog=example(
            "dataset build frontal_only --mode closed-set", "dataset build faces --mode both --only camera=051"
        ),
    )(build_dataset)
    group.command(
        "ingest",
        epilog=example(
            "dataset ingest photographs",
            "dataset ingest crops --align-again --method camera",
            "dataset ingest 'faces-{000..007}.tar' --shards 256MB",
            "dataset ingest photographs --engine ray --address 10.0.0.5:6379",
        ),
    )(ingest_photographs)
    group.command("demo", epilog=example("dataset demo", "dataset demo --identities 10 --images 10"))(demo)
    group.command("degrade", epilog=example("dataset degrade crop.png --size 16 --method camera --out small.png"))(
        degrade_image
    )
    group.command("fetch", epilog=example("dataset fetch lfw", "dataset fetch olivetti --out faces"))(fetch_public)


@takes_options
def build_dataset(
    source: SourceArgument,
    mode: Annotated[
        Literal["closed-set", "identity-disjoint", "both"],
        typer.Option("--mode", help="The same people in train and val, different people, or both data sets."),
    ] = "closed-set",
    out: OutOption = None,
    seed: SeedOption = 0,
    val_share: Annotated[float, typer.Option("--val-share", help="A person's share of images for val.")] = 0.2,
    min_images: Annotated[int, typer.Option("--min-images", min=2, help="Leave out people with fewer images.")] = 5,
    by_session: Annotated[
        bool, typer.Option("--by-session/--by-image", help="Hold out whole sessions where that fits.")
    ] = True,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="COLUMN=VALUE", help="Only rows with this value: camera=051 is frontal."),
    ] = None,
    link: Annotated[
        Literal["auto", "hard", "copy"], typer.Option("--link", help="Hard links, copies, or links where possible.")
    ] = "auto",
    update: Annotated[
        bool, typer.Option("--update", help="Add new images to an earlier build; its images stay in their splits.")
    ] = False,
    reading: LayoutOptions = LayoutOptions(),
    as_json: JsonOption = False,
) -> None:
    """Build a data set with splits: seeded, atomic, no image in two splits. The source isn't changed."""
    from core.dataset.build import build
    from core.dataset.run_config import BuildOptions
    from core.jobs.context import Hooks

    found = reading.scan(source)
    options = BuildOptions(
        mode=mode,
        seed=seed,
        val_share=val_share,
        min_images=min_images,
        by_session=by_session,
        link=link,
        update=update,
        only=settings_of(only, "--only"),
    )
    name = found.root.name if found.layout != "csv" else Path(source).stem
    with progress_line():
        summaries = build(found, out_path(out, f"{name}-{mode}"), options, hooks=Hooks(show_progress))
    if as_json:
        say_json([{**vars(summary), "out": str(summary.out)} for summary in summaries])
        return
    for summary in summaries:
        say(f"{summary.mode}:")
        for line in summary.text.splitlines():
            say(line)


@takes_options
def ingest_photographs(
    source: SourceArgument,
    out: OutOption = None,
    method: Annotated[Literal["bicubic", "camera"], typer.Option("--method", help="How HR becomes VLR.")] = "bicubic",
    align_again: Annotated[
        bool,
        typer.Option(
            "--align-again",
            help="Align crops again, as photographs are aligned here; the HR crops of pairs too. Crops in which "
            "no face is found where it should be are taken as they are.",
        ),
    ] = False,
    seed: SeedOption = 0,
    shards: Annotated[
        str | None,
        typer.Option("--shards", metavar="SIZE", help="Write tar shards (WebDataset) of this size: 256MB, 1GB."),
    ] = None,
    reading: LayoutOptions = LayoutOptions(),
    where: EngineOptions = EngineOptions(),
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make aligned HR crops and VLR images from photographs, in a run that can be stopped and resumed."""
    from core.dataset.run_config import IngestConfig
    from core.dataset.shard_source import shard_files, source_name

    path = source_path(source)
    if not path.exists() and not shard_files(path):
        raise UsageMistake(f"There is no {path}.", "Check the path.")
    target = out_path(out, source_name(path))
    config = IngestConfig(
        source=path.resolve(),
        out=target,
        method=method,
        align_again=align_again,
        seed=seed,
        layout=reading.layout,
        pattern=reading.pattern,
        columns=settings_of(reading.column, "--column") or None,
        shard_mb=megabytes(shards),
        **where.values(),
    )
    run = run_to_end(
        config.kind,
        config.values(),
        target.name,
        lambda event: show_progress(event.kind, **event.data),
        detach=detach,
        as_json=as_json,
        next_step="{show}",
    )
    if run is not None:
        report = run.report or {}
        say_result({"run": run.id, **report}, f"{report.get('text', '')} {report.get('out', '')}", as_json)


def demo(
    out: OutOption = None,
    identities: Annotated[int, typer.Option("--identities", min=1, help="How many people.")] = 24,
    images: Annotated[int, typer.Option("--images", min=2, help="Images of each person.")] = 20,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Draw a synthetic data set: no photographs of people, no download."""
    from core.dataset.synthetic.demo import make_demo
    from core.jobs.context import Hooks
    from core.system.text import count as count_of

    with progress_line():
        made = make_demo(out_path(out, "demo"), identities, images, seed, hooks=Hooks(show_progress))
    if as_json:
        say_json({"out": str(made.root), **made.info.counts})
        return
    of_people = count_of(made.info.counts["identities"], "person", "people")
    say(f"Drawn faces of {of_people} in {made.root}.")
    say_counts(made.info.counts)


def degrade_image(
    image: Annotated[str, typer.Argument(metavar="FILE", help="An aligned, square HR crop.")],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The PNG to write.")],
    size: Annotated[Literal["16", "24", "32"], typer.Option("--size", help="The VLR size in px.")] = "32",
    method: Annotated[Literal["bicubic", "camera"], typer.Option("--method", help="How HR becomes VLR.")] = "bicubic",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Degrade one crop and print the parameters that reproduce it exactly."""
    from core.dataset.degrade import degrade
    from core.images import encode_image, read_image
    from core.system.atomic_file import write_atomically

    target = new_path(out)
    small, values = degrade(read_image(user_path(image)), int(size), method, seed=seed)
    write_atomically(target, encode_image(small, "png"))
    say_json(values) if as_json else say(f"{target}: {', '.join(f'{key} {value}' for key, value in values.items())}")


def fetch_public(
    name: Annotated[Literal["lfw", "olivetti"], typer.Argument(metavar="NAME", help="lfw or olivetti.")],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download a public data set of faces and ingest it; offline, the error says where to put the files."""
    from core.dataset.fetch import fetch
    from core.jobs.context import Hooks

    warnings.filterwarnings("ignore", module="sklearn")  # about its retries; a failure is an error
    downloads = load_settings().data_dir / "downloads"
    with progress_line():
        summary = fetch(name, out_path(out, name), downloads=downloads, hooks=Hooks(show_progress))
    say_json({"out": str(summary.out), "text": summary.text}) if as_json else say(f"{summary.text} {summary.out}")
