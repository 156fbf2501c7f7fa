"""`weights export`: write weights as float16 safetensors, with a model card in the header and beside the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.shared.common import JsonOption, UsageMistake, example, note, progress, say, say_json, user_path
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.jobs.run_dir import Run
    from core.models.header import Measured


def add_to(group: typer.Typer) -> None:
    group.command(
        "export",
        epilog=example(
            "weights export finetune-20261125T101500 tuned.safetensors",
            "weights export run:starter starter.safetensors --report figures/report.json",
        ),
    )(export)


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|NAME|run:RUN",
            help='Weights, or the best checkpoint of a run: its name, a part of it, or "run:last".',
        ),
    ],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The .safetensors to write; its card gets .md.")],
    report: Annotated[
        str | None,
        typer.Option("--report", metavar="FILE", help="report.json of `evaluate pairs`: the figures in the card."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="The run that trained it: its settings in the card.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write weights as float16 safetensors, half the size, with a model card beside them."""
    from core.models.active import find_model
    from core.system.atomic_file import write_atomically
    from core.training.activate import trained_files

    settings = load_settings()
    trained = _run(settings, run) if run else None
    if source.startswith("run:"):
        if trained is not None:
            raise UsageMistake(f"{source} and --run were both given.", "Leave out --run: the run is known.")
        trained = _run(settings, source.removeprefix("run:"))
        files = trained_files(trained)
        file: Path | None = files.get("encoder") or files.get("upscaler")
    else:
        file = find_model(settings, source).path
    if file is None:
        raise UsageMistake(f"{source} is no file: there is nothing to export.", "Name a file of weights.")
    path = user_path(target)
    if path.suffix.lower() != ".safetensors":
        raise UsageMistake(f"{target} doesn't end in .safetensors.", "Give it that ending.")
    figures = _figures(user_path(report), file) if report else None
    progress("loading and writing ...")
    try:
        from core.training.export import export_float16
        from core.training.model_card import model_card

        export_float16(file, path, figures=figures)
        config, came = (trained.config, trained.report) if trained else ({}, None)
        card = path.with_suffix(".md")
        write_atomically(card, model_card(path, config=config, report=came).encode())
    finally:
        progress("")
    if as_json:
        say_json({"path": path, "card": card, "size_bytes": path.stat().st_size})
    else:
        say(f"Wrote {path} ({path.stat().st_size / 1e6:.2f} MB) and {card}.")


def _figures(path: Path, source: Path) -> Measured:
    from core.models.encoders import hash_file
    from core.models.header import figures_of_report

    try:
        return figures_of_report(json.loads(path.read_bytes()), sha256=hash_file(source).sha256)
    except OSError as error:
        raise UsageMistake(f"{path} can't be read: {error.strerror}.", "Check the path.") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageMistake(
            f"{path} is no report of evaluate pairs.", "Make one: edgeface-studio evaluate pairs ... --out FOLDER."
        ) from error


def _run(settings: Settings, text: str) -> Run:
    from core.jobs.run_dir import runs_root
    from core.training.activate import find_trained

    choice = find_trained(runs_root(settings), text)
    if choice.note:
        note(choice.note)
    return choice.run
