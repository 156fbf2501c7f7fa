"""`bench`: how fast this machine is, every figure beside what people would use instead."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.shared.common import JsonOption, WeightsOption, example, note, progress, say, say_json, say_table
from core.settings import load_settings

if TYPE_CHECKING:
    from core.bench.row import Row


def add_to(app: typer.Typer) -> None:
    app.command("bench", epilog=example("bench", "bench --only embed --only search", "bench --quick"))(bench)


def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="A part: embed, one-crop, search, enrolment, ingest, epochs, browser, accuracy, engines or growth; "
            "repeat it.",
        ),
    ] = None,
    large: Annotated[bool, typer.Option("--large", help="Also search among a million templates (about 8 GB).")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Tiny sizes: shows that all works, its figures mean nothing.")
    ] = False,
    weights: WeightsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure speed beside baselines, in turns in one run; written to data/bench and shown on the Speed page.

    Leave the machine alone meanwhile. EDGEFACE_SHARED may name a folder that holds data/lfw (images, pairs.txt); else
    faces are drawn. EDGEFACE_BFLOAT16=off measures without bfloat16, EDGEFACE_ENGINE names the engine for one crop.
    """
    from core.bench.run import run_bench

    outcome = run_bench(
        load_settings(),
        only=only or (),
        large=large,
        quick=quick,
        weights=weights,
        tell=lambda text: progress(f"{text} ..."),
    )
    progress("")
    if as_json:
        say_json({**asdict(outcome), "path": None})
        return
    say_table(("what", "ours", "baseline", "unit", "times", "target", "met"), [_cells(row) for row in outcome.rows])
    say()
    say("Baselines:")
    for command in dict.fromkeys(row.command for row in outcome.rows if row.command):
        say(f"  {command}")
    say()
    for row in outcome.rows:
        if row.note or row.skipped:
            say(f"  {row.name}: {row.skipped or row.note}")
    facts = outcome.machine
    say(
        f"{outcome.seconds:.0f} s on {facts['cpu']}, {facts['threads']} threads, {facts['encoder']}; load before: "
        f"{facts['load_before']}."
    )
    for text in facts["notes"]:
        note(text)
    if quick:
        note("A quick run shows that all works; its figures mean nothing.")


def _cells(row: Row) -> tuple[object, ...]:
    if row.skipped:
        return (row.what, "skipped", "", "", "", row.target, "")
    met = "" if row.met is None else "yes" if row.met else "NO"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
    base = "" if row.baseline is None else f"{row.baseline:,.4g}"
    return (row.what, f"{row.ours:,.4g}", base, row.unit, ratio, row.target, met)
