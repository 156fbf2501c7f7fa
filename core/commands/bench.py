"""`bench`: measure the speed of this machine in about a minute."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.shared.common import example
from core.commands.shared.option_types import JsonOption, WeightsOption
from core.commands.shared.printing import note, progress, say, say_json, say_table
from core.settings import load_settings

if TYPE_CHECKING:
    from core.bench.row import Outcome, Row


def add_to(app: typer.Typer) -> None:
    app.command("bench", epilog=example("bench", "bench --only embed --only search", "bench --quick"))(bench)


def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="A part: embed, one-crop, search, enrolment, ingest or growth; may be repeated.",
        ),
    ] = None,
    large: Annotated[bool, typer.Option("--large", help="Also search among a million templates (about 8 GB).")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes, which only show that everything works.")] = False,
    weights: WeightsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the speed of this machine in about a minute.

    Results are stored in data/bench and shown on the Speed page. Run nothing else meanwhile. EDGEFACE_SHARED may name
    a folder that holds data/lfw/images; otherwise faces are drawn. EDGEFACE_BFLOAT16=off measures without bfloat16,
    EDGEFACE_ENGINE chooses the engine for single crops. `make bench` compares each figure with other libraries, in some
    ten minutes.
    """
    from core.bench.run import BenchHooks, run_bench

    outcome = run_bench(
        load_settings(),
        only=only or (),
        large=large,
        quick=quick,
        weights=weights,
        hooks=BenchHooks(on_step=lambda text: progress(f"{text} ...")),
    )
    progress("")
    if as_json:
        say_json({**asdict(outcome), "path": None})
    else:
        show_outcome(outcome)


def show_outcome(outcome: Outcome) -> None:
    """Print a measurement: the table, the baselines if there are any, the notes and the machine."""
    if all(row.baseline is None for row in outcome.rows):
        say_table(("what", "result", "unit"), [(*_cells(row)[:2], row.unit) for row in outcome.rows])
    else:
        _show_baselines(outcome)
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
    if outcome.quick:
        note("A quick run only shows that everything works; its figures mean nothing.")


def _show_baselines(outcome: Outcome) -> None:
    say_table(("what", "ours", "baseline", "unit", "times", "target", "met"), [_cells(row) for row in outcome.rows])
    say()
    say("Baselines:")
    for command in dict.fromkeys(row.command for row in outcome.rows if row.command):
        say(f"  {command}")


def _cells(row: Row) -> tuple[object, ...]:
    if row.skipped:
        return (row.what, "skipped", "", "", "", row.target, "")
    met = "" if row.met is None else "yes" if row.met else "NO"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
    base = "" if row.baseline is None else f"{row.baseline:,.4g}"
    return (row.what, f"{row.ours:,.4g}", base, row.unit, ratio, row.target, met)
