"""One evaluation: its card, its downloads, and its results in parts."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.evaluation.result import Evaluation, training_overlap
from core.jobs.reader import Snapshot
from core.jobs.run_dir import Run
from dashboard.accuracy.before_after import before_after_part
from dashboard.accuracy.data import EvaluationEntry, evaluation_of, read_entry
from dashboard.accuracy.labels import progress_bar
from dashboard.accuracy.overview import overview_part
from dashboard.accuracy.people import people_part
from dashboard.accuracy.scores import scores_part
from dashboard.accuracy.tables import protocol_part, report_downloads, tables_part
from dashboard.accuracy.thresholds import calibration_part
from dashboard.runs.card import RunCard, show_run_card
from dashboard.runs.list import show_list
from dashboard.shell.error_display import feedback
from dashboard.ui.components import choose_one
from dashboard.ui.markdown import plain

Part = Callable[[EvaluationEntry, Evaluation], None]

_PARTS: dict[str, tuple[str, Part]] = {
    "thresholds": ("Thresholds", calibration_part),
    "overview": ("Overview", overview_part),
    "scores": ("Scores", scores_part),
    "people": ("People", people_part),
    "before_after": ("Before and after", before_after_part),
    "tables": ("All tables", tables_part),
    "protocol": ("Protocol", protocol_part),
}


def run_view(run: Run) -> None:
    """Draw one evaluation. Its card refreshes automatically while it is queued or running."""
    entry = read_entry(run)
    done = entry.state.status == "done"
    show_run_card(
        run,
        RunCard(
            entry.title,
            body=_settings,
            bar=lambda snapshot: progress_bar(snapshot.progress),
            on_remove=show_list,
            resume="primary",
            details=not done,
            removal="This deletes the run's folder with its tables and report. Thresholds in a gallery are kept.",
        ),
    )
    if not done:
        return
    evaluation = evaluation_of(run)
    report_downloads(run)
    for warning in training_overlap(evaluation.protocol):
        st.warning(plain(warning), icon=":material/warning:")
    if len(known := evaluation.table("took_part")):
        with st.expander(f"People in the training data ({len(known):,})", icon=":material/group:"):
            st.dataframe(known, hide_index=True, height=min(320, 38 + 35 * len(known)))
    parts = parts_of(evaluation)
    if st.session_state.get("accuracy_part") not in (None, *parts):
        st.session_state.pop("accuracy_part")  # was chosen in a run that has this part
    titles = {name: _PARTS[name][0] for name in parts}
    part = choose_one("Part", titles, "accuracy_part", show_label=False, in_address=True)
    with feedback():
        _PARTS[part][1](entry, evaluation)


def parts_of(evaluation: Evaluation) -> list[str]:
    """The parts that this evaluation has tables for."""
    there = {
        "thresholds": not evaluation.table("thresholds").empty,
        "overview": not evaluation.table("verification").empty or not evaluation.table("benchmark").empty,
        "scores": not evaluation.table("histograms").empty,
        "people": not evaluation.table("per_identity").empty,
        "before_after": not evaluation.table("per_identity").empty,
        "tables": True,
        "protocol": True,
    }
    return [name for name in _PARTS if there[name]]


def _settings(snapshot: Snapshot) -> None:
    st.caption(plain(read_entry(snapshot.run).settings_line))
