"""The comparison of several trainings: one figure in one chart, their best epochs, and the settings that differ."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase

import pandas as pd
import streamlit as st

from core.jobs.run_dir import Run
from core.training.run_events import Plan
from dashboard.runs.list import choose_runs, readable_entries
from dashboard.shell.error_display import feedback
from dashboard.training.charts import compare_chart, has_values
from dashboard.training.data import TrainingEntry, read_entry
from dashboard.training.labels import ERROR_RATES, FIGURES, figure_text
from dashboard.training.run_view import flat_settings
from dashboard.ui.markdown import plain

_SETTINGS_OPEN = 12
_SETTINGS_SHOWN = 40


def compare_panel(runs: list[Run]) -> None:
    """Choose runs and compare their figures, best epochs and settings."""
    by_id = {entry.run.id: entry for entry in readable_entries(runs, read_entry)}
    labels = {run_id: entry.label for run_id, entry in by_id.items()}
    chosen = choose_runs("training", labels, "Choose two or more runs to see their curves in one chart.")
    if chosen:
        with feedback():
            _comparison({letter: by_id[run_id] for letter, run_id in zip(ascii_uppercase, chosen, strict=False)})


def _comparison(by_letter: Mapping[str, TrainingEntry]) -> None:
    tables = {letter: entry.history.epochs() for letter, entry in by_letter.items()}
    measured = [column for column in FIGURES if any(has_values(table, column) for table in tables.values())]
    if not measured:
        st.info("None of these runs has finished an epoch yet.", icon=":material/hourglass_top:")
        return
    column = st.selectbox(
        "Figure", measured, format_func=lambda each: FIGURES[each][0], key="training_compare_figure", width=260
    )
    st.caption("  \n".join(f"**{letter}**: {plain(entry.label)}" for letter, entry in by_letter.items()))
    figure = compare_chart(tables, column)
    if figure is not None:
        alt = f"{FIGURES[column][0]} by epoch"
        st.plotly_chart(figure, key="training_compare_chart", config={"displayModeBar": False}, alt=alt)
    plans = {letter: entry.history.plan for letter, entry in by_letter.items() if has_values(tables[letter], column)}
    if column in ERROR_RATES and (plain_runs := over_all_pairs(plans)):
        st.warning(
            f"The error rates of {' and '.join(plain_runs)} are over all pairs, the others' with people alike: they "
            "can't be compared.",
            icon=":material/warning:",
        )
    missing = [letter for letter, table in tables.items() if not has_values(table, column)]
    if missing:
        st.caption(f"Not measured in {' and '.join(missing)}.")
    st.markdown("**Weights kept: of the best epoch, or averaged with the start**")
    st.table(best_table(by_letter, measured), border="horizontal")
    differences = settings_that_differ(by_letter)
    if len(differences):
        shown = differences.head(_SETTINGS_SHOWN)
        with st.expander(f"Settings that differ ({len(differences)})", expanded=len(shown) <= _SETTINGS_OPEN):
            st.table(shown, border="horizontal")
    else:
        st.caption("Their settings are the same.")


def over_all_pairs(plans: Mapping[str, Plan | None]) -> list[str]:
    """The runs whose error rates are over all pairs, as those of earlier versions are, where others count people
    alike; [] where all measured the same."""
    plain_runs = [letter for letter, plan in plans.items() if plan is None or not plan.alike]
    return plain_runs if len(plain_runs) < len(plans) else []


def best_table(by_letter: Mapping[str, TrainingEntry], columns: list[str]) -> pd.DataFrame:
    """The figures of the weights that each run keeps, as text: figures as rows, runs as columns."""
    table: dict[str, list[str]] = {}
    for letter, entry in by_letter.items():
        figures = entry.best_figures(tuple(columns))
        table[letter] = [figure_text(column, figures.get(column)) for column in columns]
    return pd.DataFrame(table, index=[FIGURES[column][0] for column in columns])


def settings_that_differ(by_letter: Mapping[str, TrainingEntry]) -> pd.DataFrame:
    """The settings that aren't the same in all runs: settings as rows, runs as columns."""
    flat = {letter: flat_settings(entry.config) for letter, entry in by_letter.items()}
    names = dict.fromkeys(name for settings in flat.values() for name in settings if name != "command")
    rows = {name: [plain(settings.get(name, "not set")) for settings in flat.values()] for name in names}
    differing = {plain(name): values for name, values in rows.items() if len(set(values)) > 1}
    return pd.DataFrame.from_dict(differing, orient="index", columns=list(flat))
