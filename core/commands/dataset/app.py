"""`dataset`: scan folders, ingest photographs, build splits and check them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.commands.dataset.options import (
    LayoutOptions,
    OutOption,
    SeedOption,
    SourceArgument,
    datasets_dir,
    megabytes,
    out_path,
    say_counts,
    say_verdict,
    settings_of,
    show_progress,
    source_path,
)
from core.commands.shared.common import UsageMistake, example, new_path, user_path
from core.commands.shared.option_types import DetachOption, JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.printing import note, progress_line, say, say_json, say_result, say_table
from core.commands.shared.runs import run_to_end
from core.settings import load_settings

if TYPE_CHECKING:
    from core.dataset.findings import Verdict
    from core.dataset.manifest import Dataset

group = typer.Typer(
    help="Data sets: scan, ingest photographs, build splits, check, demo.",
    epilog=example("dataset scan photographs", "dataset build frontal_only --mode closed-set"),
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="dataset")


@group.command("scan", epilog=example("dataset scan frontal_only", "dataset scan people.csv --column identity=who"))
@takes_options
def scan_source(
    source: SourceArgument,
    reading: LayoutOptions = LayoutOptions(),
    as_json: JsonOption = False,
) -> None:
    """Show what a folder, CSV or tar shards hold and how its layout was recognised; nothing is written."""
    from core.dataset.manifest import count

    found = reading.scan(source)
    counts = count(found.frame)
    if as_json:
        say_json({"source": str(found.root), "layout": found.layout, "why": found.why, "counts": counts})
        return
    say(f"Recognised as {found.layout}: {found.why}.")
    say_counts(counts)


@group.command(
    "build",
    epilog=example("dataset build frontal_only --mode closed-set", "dataset build faces --mode both --only camera=051"),
)
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


@group.command("check", epilog=example("dataset check faces-closed-set --strict", "dataset check frontal_only"))
@takes_options
def check_dataset(
    source: SourceArgument,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings too.")] = False,
    reading: LayoutOptions = LayoutOptions(),
    as_json: JsonOption = False,
) -> None:
    """Look for leaks, duplicates, wrong pairs and broken files before training. Exits with 1 for an error."""
    from core.dataset.check import check
    from core.jobs.context import Hooks

    dataset = _to_check(source, reading)
    with progress_line():
        verdict = check(dataset, hooks=Hooks(show_progress))
    say_verdict(dataset, verdict, as_json)
    _store_verdict(dataset, verdict)
    if not verdict.ok or (strict and not verdict.clean):
        raise typer.Exit(1)


@group.command("list", epilog=example("dataset list", "dataset list --json"))
def list_datasets(as_json: JsonOption = False) -> None:
    """List the data sets in data/datasets."""
    from core.dataset.library import list_datasets as listed

    rows: list[dict[str, Any]] = []
    for found in listed(datasets_dir()):
        info = found.info
        if info is None:
            note(str(found.problem))
            continue
        counts = {key: info.counts.get(key, 0) for key in ("identities", "pairs")}
        rows.append(
            {"name": found.name, "mode": info.mode, **counts, "made_by": info.made_by, "synthetic": info.synthetic}
        )
    if as_json:
        say_json(rows)
        return
    if not rows:
        say(f"No data set in {datasets_dir()} yet. Make one: edgeface-studio dataset demo, ingest or build.")
        return
    cells = [[*list(row.values())[:-1], "yes" if row["synthetic"] else "no"] for row in rows]
    say_table(("name", "mode", "people", "pairs", "made by", "drawn"), cells)


@group.command("show", epilog=example("dataset show demo"))
def show(source: SourceArgument, as_json: JsonOption = False) -> None:
    """Show the description of a data set."""
    from core.dataset.manifest import read_dataset

    dataset = read_dataset(source_path(source))
    if as_json:
        say_json({**vars(dataset.info), "root": str(dataset.root), "manifest_sha256": dataset.key})
        return
    info = dataset.info
    seed = "" if info.seed is None else f", seed {info.seed}"
    say(f"{info.name}: {info.mode}, made by {info.made_by}{seed}")
    if info.synthetic:
        say("Synthetic: drawn faces, no photographs. Figures on it say nothing about real people.")
    say_counts(info.counts)


@group.command(
    "ingest",
    epilog=example(
        "dataset ingest photographs",
        "dataset ingest crops --align-again --method camera",
        "dataset ingest 'faces-{000..007}.tar' --shards 256MB",
    ),
)
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


@group.command("demo", epilog=example("dataset demo", "dataset demo --identities 10 --images 10"))
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


@group.command("degrade", epilog=example("dataset degrade crop.png --size 16 --method camera --out small.png"))
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


@group.command("fetch", epilog=example("dataset fetch lfw", "dataset fetch olivetti --out faces"))
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


def _to_check(source: str, reading: LayoutOptions) -> Dataset:
    from core.dataset.check import dataset_of
    from core.dataset.manifest import is_dataset, read_dataset

    path = source_path(source)
    if reading.layout is None and is_dataset(path):
        return read_dataset(path)
    return dataset_of(reading.scan(source))


def _store_verdict(dataset: Dataset, verdict: Verdict) -> None:
    """Store the verdict, so that the dashboard needn't check the data set again."""
    from core.dataset.check_cache import store_verdict
    from core.errors import StorageFailed

    if dataset.key and dataset.root.resolve().is_relative_to(datasets_dir().resolve()):
        try:
            store_verdict(load_settings(), dataset, verdict)
        except StorageFailed as error:
            note(str(error))
