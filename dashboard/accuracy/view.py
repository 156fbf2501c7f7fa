"""The Accuracy page: measure, calibrate thresholds, compare runs, and look at the results person by person."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from core.errors import CoreError
from core.jobs.run_dir import Run
from dashboard.accuracy.compare import compare_panel
from dashboard.accuracy.data import EvaluationEntry, accuracy_runs, read_entry
from dashboard.accuracy.labels import progress_bar
from dashboard.accuracy.launch import launch_panel
from dashboard.accuracy.run_view import run_view
from dashboard.accuracy.thresholds import thresholds_panel
from dashboard.runs.card import reader_of
from dashboard.runs.list import RunPage
from dashboard.shell.error_display import feedback
from dashboard.shell.session import Permission, allowed
from dashboard.ui.components import choose_one, empty_state, head
from dashboard.ui.markdown import nonbreaking, plain

_SECTIONS = {"measure": "Measure", "thresholds": "Thresholds", "compare": "Compare"}


def view() -> None:
    """Draw the page; `?run=` in its address names the run that is shown."""
    lead = "Measure recognition on your own data: by face size, by threshold and person by person."
    head("Accuracy", lead, wide=True)
    if PAGE.show_selected():
        return
    section = choose_one("Section", _SECTIONS, "accuracy_show", show_label=False, in_address=True)
    runs = accuracy_runs()
    draw: dict[str, Callable[[], None]] = {
        "measure": partial(_measure, runs),
        "thresholds": thresholds_panel,
        "compare": partial(compare_panel, runs),
    }
    with feedback():
        draw[section]()


def _measure(runs: list[Run]) -> None:
    if not runs and not allowed(Permission.RUN):
        empty_state("monitoring", "Nothing measured yet", "Errors by size, threshold and person will be shown here.")
    form = partial(launch_panel, first=not runs)
    PAGE.show_lists(runs, "Measure", form, locked="Measuring, stopping and removing runs")


def _results(entry: EvaluationEntry) -> list[str]:
    """The sentence of its report."""
    try:
        report = entry.run.report
    except CoreError:
        return [":small[:red[The report is damaged.]]"]
    return [f":small[{nonbreaking(plain(report['text']))}]"] if report and report.get("text") else []


def _progress(entry: EvaluationEntry) -> tuple[float, str] | None:
    return progress_bar(reader_of(entry.run).look().progress)


PAGE = RunPage("accuracy", accuracy_runs, read_entry, run_view, _results, _progress, rows=8)
