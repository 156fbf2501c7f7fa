"""`evaluate`: how well do these weights tell people apart, on photographs with known names?"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.commands.common import (
    JsonOption,
    UsageMistake,
    example,
    progress,
    say,
    user_path,
)
from core.commands.pipeline_options import EncoderOptions, with_pipeline

if TYPE_CHECKING:
    from core.evaluation.protocol import Mode, Size

group = typer.Typer(
    help="Measure accuracy on photographs with known names.",
    epilog=example("evaluate pairs lfw/images lfw/pairs.txt --use-tta"),
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
@with_pipeline
def pairs(
    images: Annotated[str, typer.Argument(metavar="FOLDER", help="A folder that holds one for each person.")],
    pairs_file: Annotated[str, typer.Argument(metavar="PAIRS", help="A pairs file in the layout of LFW.")],
    folds: Annotated[
        str | None, typer.Option("--folds", help="Folds to use, such as 1-7 or 1,3; default: all.")
    ] = None,
    sizes: Annotated[str, typer.Option("--sizes", help="Probe sizes in px, and HR for full size.")] = "HR,32,24,16",
    mode: Annotated[
        Literal["both", "aligned", "end-to-end"],
        typer.Option("--mode", help="Shrink the aligned crop, or the whole photograph before detection."),
    ] = "both",
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs/--no-all-pairs", help="Every pair of the photographs besides those listed.")
    ] = True,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", min=0, max=100_000, help="Resamples for the intervals; 0: none.")
    ] = 1000,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FOLDER", help="Write report.json and report.csv there.")
    ] = None,
    options: EncoderOptions = EncoderOptions(),
    as_json: JsonOption = False,
) -> None:
    """Verification on pairs: EER, AUC, accuracy over folds and TAR at FAR with intervals, at full and small sizes."""
    from core.evaluation.pairs import photos_of, read_pairs, require_photos

    chosen_folds, chosen_sizes = _folds(folds), _sizes(sizes)
    modes: tuple[Mode, ...] = ("aligned", "end to end")
    if mode != "both":
        modes = ("aligned",) if mode == "aligned" else ("end to end",)
    root, listed = user_path(images), user_path(pairs_file)
    # Found wanting before anything heavy is loaded.
    require_photos(photos_of(read_pairs(listed, chosen_folds)), root)
    if out is not None and user_path(out).is_file():
        raise UsageMistake(f"--out {out} is a file.", "Name a folder.")

    from core.evaluation.report import evaluate_pairs

    pipeline = options.pipeline(faces="centre", aligned=False)
    try:
        report = evaluate_pairs(
            root,
            listed,
            pipeline=pipeline,
            folds=chosen_folds,
            sizes=chosen_sizes,
            modes=modes,
            all_pairs=all_pairs,
            bootstrap=bootstrap,
            on_event=lambda done, total, what: progress(f"{what}: {done} of {total}"),
        )
    finally:
        progress("")
    if out is not None:
        report.write(user_path(out))
    if as_json:
        typer.echo(json.dumps(json.loads(report.to_json()), indent=2))
    else:
        typer.echo(report.table())
        if out is not None:
            say(f"Written to {out}")


def _folds(text: str | None) -> list[int] | None:
    """'1-3,7' -> [1, 2, 3, 7]; None for all. Raises UsageMistake."""
    if text is None:
        return None
    folds: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,4})(?:-([0-9]{1,4}))?\s*", part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise UsageMistake(f"--folds '{text}' isn't a list of folds.", "Write 1-7, or 1,3,5.")
        folds.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return sorted(folds)


def _sizes(text: str) -> list[Size]:
    """'HR,32,16' -> [None, 32, 16]. Raises UsageMistake."""
    known: dict[str, Size] = {"hr": None, "32": 32, "24": 24, "16": 16}
    parts = [part.strip().lower() for part in text.split(",")]
    if not all(part in known for part in parts):
        raise UsageMistake(f"--sizes '{text}' isn't a list of sizes.", "Choose from HR, 32, 24 and 16, as in HR,16.")
    return [known[part] for part in dict.fromkeys(parts)]
