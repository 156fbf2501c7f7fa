"""`dataset fetch`: download a public data set with scikit-learn and ingest it."""

from __future__ import annotations

import warnings
from typing import Annotated, Literal

import typer

from core.commands.dataset.options import OutOption, out_path, show_progress
from core.commands.shared.common import JsonOption, example, progress, say, say_json


def add_to(group: typer.Typer) -> None:
    group.command("fetch", epilog=example("dataset fetch lfw", "dataset fetch olivetti --out faces"))(fetch_public)


def fetch_public(
    name: Annotated[Literal["lfw", "olivetti"], typer.Argument(metavar="NAME", help="lfw or olivetti.")],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download a public data set of faces and ingest it; offline, the error says where to put the files."""
    from core.dataset.fetch import fetch
    from core.jobs.context import Hooks
    from core.settings import load_settings

    warnings.filterwarnings("ignore", module="sklearn")  # about its retries; a failure is an error
    downloads = load_settings().data_dir / "downloads"
    try:
        summary = fetch(name, out_path(out, name), downloads=downloads, hooks=Hooks(show_progress))
    finally:
        progress("")
    say_json({"out": str(summary.out), "text": summary.text}) if as_json else say(f"{summary.text} {summary.out}")
