"""Several runs side by side: a figure of all in one chart, their best epochs, and the settings in which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase

import pandas as pd
import streamlit as st

from core.jobs.run_dir import Run
from dashboard.shell.error_display import feedback
from dashboard.training.charts import compare_chart
from dashboard.training.data import Seen, best_figures, seen_runs
from dashboard.training.labels import FIGURES, figure_text
from dashboard.training.run_view import flat_settings
from dashboard.ui.markdown import plain

MOST = 6
_SETTINGS_OPEN = 12
_SETTINGS_SHOWN = 40


def compare_panel(runs: list[Run]) -> None:
    """Choose runs; the choice stands in the address (?compare=...), so that it survives a reload."""
    by_id = {run.id: run for run in runs}
    asked = [each for each in st.query_params.get_all("compare") if each in by_id][:MOST]
    st.session_state.setdefault("training_compare", asked)
    st.session_state["training_compare"] = [each for each in st.session_state["training_compare"] if each in by_id]
    chosen = st.multiselect(
        "Runs",
        list(by_id),
        format_func=lambda each: _label(by_id[each]),
        max_selections=MOST,
        key="training_compare",
        placeholder="Choose two or more",
        select_all=False,
    )
    if chosen != st.query_params.get_all("compare"):
        st.query_params["compare"] = chosen
    if len(chosen) < 2:
        st.caption("Choose two runs or more to see their curves in one chart.")
        return
    with feedback():
        compared(seen_runs([by_id[each] for each in chosen]))


def compared(seen: list[Seen]) -> None:
    """The chart, the best figures and the differences; runs go by letters, in the order they were chosen."""
    named = dict(zip(ascii_uppercase, seen, strict=False))
    tables = {letter: each.history.epochs() for letter, each in named.items()}
    measured = [c for c in FIGURES if any(c in t.columns and t[c].notna().any() for t in tables.values())]
    if not measured:
        st.info("None of them has finished an epoch yet.", icon=":material/hourglass_top:")
        return
    column = st.selectbox(
        "Figure", measured, format_func=lambda each: FIGURES[each][0], key="training_compare_figure", width=260
    )
    st.caption("  \n".join(f"**{letter}**: {plain(each.label)}" for letter, each in named.items()))
    name, scale, _, unit = FIGURES[column]
    figure = compare_chart(tables, column, f"{name}{',' + unit if unit else ''}", scale)
    if figure is not None:
        st.plotly_chart(figure, key="training_compare_chart", config={"displayModeBar": False}, alt=f"{name} by epoch")
    missing = [letter for letter, table in tables.items() if column not in table.columns or table[column].isna().all()]
    if missing:
        st.caption(f"Not measured in {' and '.join(missing)}.")
    st.markdown("**Best epochs**")
    st.table(best_table(named, measured), border="horizontal")
    differences = settings_that_differ(named)
    if len(differences):
        shown = differences.head(_SETTINGS_SHOWN)
        with st.expander(f"Settings that differ ({len(differences)})", expanded=len(shown) <= _SETTINGS_OPEN):
            st.table(shown, border="horizontal")
    else:
        st.caption("Their settings are the same.")


def best_table(seen: Mapping[str, Seen], columns: list[str]) -> pd.DataFrame:
    """Figures as rows, runs as columns: their best epochs as text."""
    table: dict[str, list[str]] = {}
    for letter, each in seen.items():
        figures = best_figures(each.history.epochs(), tuple(columns))
        table[letter] = [figure_text(column, figures.get(column)) for column in columns]
    return pd.DataFrame(table, index=[FIGURES[column][0] for column in columns])


def settings_that_differ(seen: Mapping[str, Seen]) -> pd.DataFrame:
    """Settings as rows, runs as columns, only where they aren't the same."""
    flat = {letter: flat_settings(each.config) for letter, each in seen.items()}
    names = dict.fromkeys(name for settings in flat.values() for name in settings if name != "command")
    rows = {name: [plain(settings.get(name, "not set")) for settings in flat.values()] for name in names}
    differing = {plain(name): values for name, values in rows.items() if len(set(values)) > 1}
    return pd.DataFrame.from_dict(differing, orient="index", columns=list(flat))


def _label(run: Run) -> str:
    found = seen_runs([run])
    return found[0].label if found else run.id
