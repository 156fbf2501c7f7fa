"""`weights average`: write the weighted mean of several weights of one variant."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.commands.shared.common import UsageMistake, example, new_path
from core.commands.shared.option_types import JsonOption
from core.commands.shared.printing import progress_line, say_result
from core.commands.shared.runs import trained_run
from core.settings import Settings, load_settings


def add_to(group: typer.Typer) -> None:
    group.command(
        "average",
        epilog=example(
            "weights average edgeface_xxs run:specialist --shares .5,.5 --out averaged.safetensors",
            "weights average first.safetensors second.safetensors --out soup.safetensors",
        ),
    )(average)


def average(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|NAME|run:RUN...", help='Encoders or specialists of one variant, or runs: "run:last".'
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The .safetensors to write.")],
    shares: Annotated[
        str | None,
        typer.Option("--shares", metavar="SHARE,SHARE...", help="Share of each, summing to 1; default: equal shares."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the average of weights that were fine-tuned from the same weights, or of those and their start.

    It takes no more time to recognise with than one of them. The header names every file with its SHA-256 and share,
    and the terms of their data. Measure it before relying on it: figures belong to the files that were measured.
    """
    settings, target = load_settings(), new_path(out)
    if target.suffix.lower() != ".safetensors":
        raise UsageMistake(f"{out} doesn't end in .safetensors.", "Give it that ending.")
    parts = [1 / len(sources)] * len(sources) if shares is None else _shares(shares)
    paths = [_encoder_path(settings, source) for source in sources]
    with progress_line("loading and checking ..."):
        from core.training.average import average_files

        average_files(paths, parts, target, settings, command=shlex.join(["edgeface-studio", *sys.argv[1:]]))
    said = ", ".join(f"{path.stem} {share:.3g}" for path, share in zip(paths, parts, strict=True))
    say_result(
        {"path": target, "parents": [str(path) for path in paths], "shares": parts},
        f"Wrote {target}, the average of {said}. It isn't measured yet: edgeface-studio evaluate --help.",
        as_json,
    )


def _shares(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageMistake(f"--shares is '{text}'.", "Write numbers with commas, like .25,.75.") from error


def _encoder_path(settings: Settings, source: str) -> Path:
    """The path of an encoder or a specialist by path, name or run. Raises UsageMistake for any other model."""
    from core.models.active import find_model
    from core.models.encoders import WeightsFile
    from core.models.upscalers import UpscalerFile
    from core.training.activate import trained_files

    if source.startswith("run:"):
        run = trained_run(source.removeprefix("run:"))
        files = trained_files(run)
        for part in ("encoder", "specialist"):
            if part in files:
                return files[part]
        raise UsageMistake(f"{run.id} trained no encoder.", "Name a fine-tuning or starter run.")
    file = find_model(settings, source)
    if isinstance(file, WeightsFile) or (isinstance(file, UpscalerFile) and file.specialist is not None):
        assert file.path is not None
        return file.path
    raise UsageMistake(f"{source} is no encoder: only encoders and specialists can be averaged.", "Name one.")
