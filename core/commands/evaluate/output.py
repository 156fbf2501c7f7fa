"""Output of the evaluate commands: their runs are started, followed and printed, and their reports copied."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.shared.common import UsageMistake, user_path
from core.commands.shared.option_types import DetachOption, JsonOption
from core.commands.shared.printing import plain, progress, say, say_json
from core.commands.shared.runs import run_to_end

if TYPE_CHECKING:
    from core.evaluation.result import Evaluation
    from core.jobs.events import Event

OutOption = Annotated[
    str | None,
    typer.Option("--out", metavar="FOLDER", help="Copy report.json, report.html and the CSV files to this folder."),
]


@dataclass(frozen=True)
class OutputOptions:
    """Output options of a run and its report."""

    out: OutOption = None
    detach: DetachOption = False
    as_json: JsonOption = False


def _show(event: Event) -> None:
    if event.kind == "progress":
        data = event.data
        progress(f"{data.get('step', 'working')}: {data.get('done', 0):,} of {data.get('total', 0):,}")


def report_folder(out: str | None) -> Path | None:
    """The folder that --out names. Raises UsageMistake for a file."""
    target = None if out is None else user_path(out)
    if target is not None and target.is_file():
        raise UsageMistake(f"--out {out} is a file.", "Name a folder.")
    return target


def run_and_print(config: dict[str, Any], slug: str, tables: Sequence[str], output: OutputOptions) -> Evaluation | None:
    """Run an evaluation, print `tables` of it or JSON, and copy its files to `output.out`. None for a detached run."""
    target = report_folder(output.out)
    run = run_to_end("evaluate", config, slug, _show, detach=output.detach, as_json=output.as_json)
    if run is None:
        return None
    from core.evaluation.result import read_run

    evaluation = read_run(run)
    if target is not None:
        _copy_report(run.path, target)
    if output.as_json:
        say_json({"run": run.id, "folder": str(run.path), **evaluation.report()})
        return evaluation
    print_evaluation(evaluation, tables)
    say(f"{run.id}: report.html, report.json and tables in {run.path if target is None else target}")
    return evaluation


def print_evaluation(evaluation: Evaluation, tables: Sequence[str]) -> None:
    """Print the systems, the summary and the named tables of an evaluation, rates in percent."""
    from core.evaluation.result import TITLES, training_overlap
    from core.evaluation.table_format import compact, is_rate

    systems = [str(system.get("label", "")) for system in evaluation.protocol.get("systems", [])]
    if systems:
        say(f"Measured: {'; '.join(systems)}.")
    say(evaluation.text)
    for warning in training_overlap(evaluation.protocol):
        say(warning)
    for name in tables:
        table = evaluation.table(name)
        if table.empty:
            continue
        by = ""
        if name == "reject" and "measure" in table:  # the other measures are in the report
            by = str(table["measure"].iloc[0])
            table = table[table["measure"] == by]
        unit = "rates in percent, " if any(is_rate(str(column)) for column in table.columns) else ""
        typer.echo(f"\n{plain(TITLES[name])}{by and f', by {by}'} ({unit}95 % intervals)")
        for line in compact(name, table).to_string(index=False).splitlines():
            typer.echo(line.rstrip())
    typer.echo("")


def _copy_report(source: Path, target: Path) -> None:
    """Copy report.json, report.html and the tables of a run to a folder."""
    (target / "tables").mkdir(parents=True, exist_ok=True)
    for name in ("report.json", "report.html", "operating_points.json"):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    for table in sorted((source / "tables").glob("*.csv")):
        shutil.copyfile(table, target / "tables" / table.name)
