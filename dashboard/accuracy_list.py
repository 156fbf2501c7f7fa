"""The Accuracy page's list of runs: what came of each, and how far it is."""

from __future__ import annotations

from core.errors import CoreError
from dashboard.accuracy_queries import Seen, seen_runs
from dashboard.accuracy_words import progress_words
from dashboard.runs.card import reader_of
from dashboard.runs.list import RunList, failure_line
from dashboard.ui.markdown import plain


def _came_of_it(seen: Seen) -> list[str]:
    """Its error, or the sentence of its report."""
    failed = failure_line(seen.state)
    if failed:
        return [failed]
    try:
        report = seen.run.report
    except CoreError:
        return [":small[:red[Its report is damaged.]]"]
    return [f":small[{plain(report['text'])}]"] if report and report.get("text") else []


def _progress(seen: Seen) -> tuple[float, str] | None:
    return progress_words(reader_of(seen.run).look().progress)


RUNS = RunList("accuracy", seen_runs, _came_of_it, _progress, shown=8)
