"""Accuracy: measure, watch, look at people one by one, calibrate, compare. `?run=` names the run that is shown."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.jobs.run_dir import Run
from dashboard.accuracy.calibrate import thresholds_panel
from dashboard.accuracy.compare import compare_panel
from dashboard.accuracy.data import Seen, accuracy_runs, run_of, seen_runs
from dashboard.accuracy.labels import progress_words
from dashboard.accuracy.launch import launch_panel
from dashboard.accuracy.run_view import run_view
from dashboard.runs.card import reader_of
from dashboard.runs.list import RunList, failure_line
from dashboard.shell.error_display import feedback
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import empty_state, head
from dashboard.ui.markdown import plain

_SECTIONS = {
    "measure": "Measure",
    "thresholds": "Thresholds",
    "compare": "Compare",
}


def view() -> None:
    """The page."""
    asked = st.query_params.get("run", "")
    head(
        "Accuracy",
        "How well faces are recognised: by size, by threshold, person by person. Measured on your own data.",
        wide=True,
    )
    if asked:
        _back()
        with feedback() as attempt:
            run_view(run_of(asked))
        if attempt.ok:
            return
    section = st.segmented_control(
        "What to do",
        list(_SECTIONS),
        default="measure",
        required=True,
        format_func=_SECTIONS.__getitem__,
        key="accuracy_show",
        label_visibility="collapsed",
        bind="query-params",
        persist_state="page",
    )
    runs = accuracy_runs()
    with feedback():
        if section == "thresholds":
            thresholds_panel()
        elif section == "compare":
            compare_panel(runs)
        else:
            _measure(runs)


def _measure(runs: list[Run]) -> None:
    live = [run for run in runs if run.state().live]
    if live:
        st.subheader("At work", anchor=False)
        RUNS.show(live, key="live")
    if allowed(Permission.RUN):
        st.subheader("Measure", anchor=False)
        with feedback():
            launch_panel(first=not runs)
    else:
        if not runs:
            empty_state("monitoring", "Nothing measured yet", "Errors by size, threshold and person will be here.")
        not_yours("Measuring, stopping and removing runs")
    earlier = [run for run in runs if run not in live]
    if earlier:
        st.subheader("Earlier runs", anchor=False)
        RUNS.show(earlier, key="earlier")


def _back() -> None:
    if st.button("All runs", icon=":material/arrow_back:", type="tertiary", key="accuracy_back"):
        st.query_params.pop("run", None)
        st.rerun()


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
