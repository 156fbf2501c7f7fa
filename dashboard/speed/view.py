"""Parts of the Speed page: the table, the chart of growth, earlier runs, and the run that measures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.access.roles import Permission
from core.bench.row import Curve, Outcome, Row
from core.evaluation.chart_style import PALETTE, log_axis, new_figure
from core.jobs.errors import RunNotFound
from core.jobs.launch import launch
from core.jobs.run_dir import Run, list_runs, runs_root
from dashboard.runs.card import RunCard, show_run_card
from dashboard.shell.error_display import feedback
from dashboard.shell.resources import settings
from dashboard.shell.session import allowed
from dashboard.ui.markdown import plain

KIND = "bench"
_ENGINE = "engine-"

STEPS = {
    "embed": "Embedding",
    "one-crop": "One small crop",
    "search": "Search",
    "enrolment": "Enrolment",
    "ingest": "Ingest",
    "growth": "How cost grows",
}
"""Labels of the measured parts."""


def measure_panel() -> bool:
    """Show the latest measuring run unless it is done. Returns whether it is shown."""
    runs = list_runs(runs_root(settings()), KIND)
    if not runs:
        return False
    with suppress(RunNotFound):  # removed since it was listed
        if runs[0].state().status != "done":
            show_run_card(runs[0], RunCard("Measuring this machine", unit="parts", steps=STEPS))
            return True
    return False


def measure_button(*, primary: bool) -> None:
    """The button that starts a run, for roles that may."""
    if not allowed(Permission.RUN):
        return
    kind: Any = "primary" if primary else "secondary"
    label = "Measure this machine" if primary else "Measure again"
    if st.button(label, type=kind, icon=":material/speed:", key="speed_measure"):
        with feedback() as attempt:
            _begin()
        if attempt.ok:
            st.rerun()


def _begin() -> Run:
    return launch(settings(), KIND, {"only": [], "quick": False, "large": False}, slug="speed")


def show_table(outcome: Outcome) -> None:
    """The measured rows, with engines, which have no targets, in a section of their own."""
    rows = [row for row in outcome.rows if not row.name.startswith(_ENGINE)]
    judged = [row for row in rows if row.met is not None]
    if judged:
        met = sum(bool(row.met) for row in judged)
        st.markdown(f"**{met} of {len(judged)} targets met.**")
    _frame(rows, "speed_table")
    engines = [row for row in outcome.rows if row.name.startswith(_ENGINE)]
    if engines:
        with st.expander("Engines for the encoder", icon=":material/memory:"):
            _frame(engines, "speed_engines")
    with st.expander("Baselines and notes", icon=":material/notes:"):
        for row in rows:
            if row.command or row.note or row.skipped:
                st.markdown(f"**{plain(row.what)}**  \n{plain(row.skipped or row.note)}")
                if row.command:
                    st.code(row.command, language=None, wrap_lines=True)


def _frame(rows: Sequence[Row], key: str) -> None:
    columns = {"What": st.column_config.TextColumn(width=270), "Result": st.column_config.TextColumn(width=70)}
    for name, width in (("Here", 112), ("Baseline", 112), ("Ratio", 64)):
        columns[name] = st.column_config.TextColumn(width=width, alignment="right")
    st.dataframe(table(rows), hide_index=True, width="stretch", key=key, column_config=columns)


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """One line for each row, numbers as text with their unit; comparisons have the columns of a baseline too."""
    lines = []
    for row in rows:
        met = "" if row.met is None else "met" if row.met else "missed"
        lines.append(
            {
                "What": row.what,
                "Here": "not measured" if row.ours is None else f"{row.ours:,.4g} {row.unit}",
                "Baseline": "" if row.baseline is None else f"{row.baseline:,.4g} {row.unit}",
                "Ratio": "" if row.ratio is None else f"{row.ratio:,.2f}",
                "Result": met,
                "Target": row.target,
            }
        )
    compared = any(row.baseline is not None or row.target for row in rows)
    columns = ["What", "Here", "Baseline", "Ratio", "Result", "Target"] if compared else ["What", "Here"]
    return pd.DataFrame(lines, columns=columns)


def growth_figure(curves: Sequence[Curve]) -> go.Figure:
    """Seconds over size, both axes logarithmic."""
    figure = new_figure("how many", "seconds", height=400, legend="below", zoom=False)
    for number, curve in enumerate(curves):
        seconds = [value / 1e3 if curve.unit == "ms" else value for value in curve.y]
        held = [f", {mb:,.0f} MB" for mb in curve.memory_mb] or [""] * len(seconds)
        figure.add_scatter(
            x=list(curve.x),
            y=seconds,
            mode="lines+markers",
            name=f"{curve.name} ({curve.x_title})",
            customdata=held,
            line_color=PALETTE[number % len(PALETTE)],
            hovertemplate="%{x:,}: %{y:.3g} s%{customdata}<extra></extra>",
        )
    figure.update_xaxes(**log_axis())
    figure.update_yaxes(**log_axis(exponentformat="power"))
    return figure


def history(found: Sequence[Outcome]) -> pd.DataFrame:
    """The figures of every whole measurement, newest first; empty when there is only one."""
    lines = [
        {"Measured": when(each), "What": row.what, "Here": f"{row.ours:,.4g} {row.unit}", "Ratio": row.ratio}
        for each in found
        for row in each.rows
        if row.ours is not None and not each.quick and not row.name.startswith(_ENGINE)
    ]
    return pd.DataFrame(lines if len({line["Measured"] for line in lines}) > 1 else [])


def when(outcome: Outcome) -> str:
    """ "2026-11-25 17:07 UTC", and whether it was quick."""
    return f"{outcome.at[:16].replace('T', ' ')} UTC{' (quick)' if outcome.quick else ''}"
