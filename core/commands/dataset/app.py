"""`dataset`: scan a source, check, list and show data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.dataset.options import (
    LayoutOptions,
    SourceArgument,
    datasets_dir,
    say_counts,
    say_verdict,
    show_progress,
    source_path,
)
from core.commands.shared.common import example
from core.commands.shared.option_types import JsonOption
from core.commands.shared.options import takes_options
from core.commands.shared.printing import note, progress_line, say, say_json, say_table
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
    from core.commands.dataset import making

    making.add_to(group)
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
