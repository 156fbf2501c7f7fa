"""The comparison of several evaluations: one figure by probe size, as a chart and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase

import pandas as pd
import streamlit as st

from core.errors import CoreError
from core.evaluation import plots
from core.evaluation.compare_runs import aligner_named, differing_aligners
from core.evaluation.result import resolution_table
from core.jobs.run_dir import Run
from dashboard.accuracy.data import EvaluationEntry, evaluation_of, read_entry
from dashboard.accuracy.filters import choose_figure
from dashboard.accuracy.labels import FIGURES, interval, rate
from dashboard.accuracy.tables import chart, table_download
from dashboard.runs.list import choose_runs, readable_entries
from dashboard.shell.error_display import show_error
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import nonbreaking, plain


def compare_panel(runs: list[Run]) -> None:
    """Choose runs and compare their figures by size."""
    by_id = {
        entry.run.id: entry
        for entry in readable_entries(runs, read_entry)
        if entry.state.status == "done" and entry.task in ("dataset", "pairs")
    }
    if len(by_id) < 2:
        empty_state(
            "compare_arrows",
            "Nothing to compare yet",
            "Measure twice, with other weights or another upscaler, and compare both in one chart here.",
        )
        return
    hint = "Choose two or more runs. To see which people gained or lost, open a run and choose Before and after."
    chosen = choose_runs("accuracy", _labels(by_id), hint)
    if chosen:
        _comparison({letter: by_id[run_id] for letter, run_id in zip(ascii_uppercase, chosen, strict=False)})


def _labels(by_id: Mapping[str, EvaluationEntry]) -> dict[str, str]:
    """The label of each run; runs that were started in the same second are numbered."""
    labels: dict[str, str] = {}
    for run_id, entry in by_id.items():
        same = sum(label.startswith(entry.label) for label in labels.values())
        labels[run_id] = f"{entry.label} ({same + 1})" if same else entry.label
    return labels


def _comparison(by_letter: Mapping[str, EvaluationEntry]) -> None:
    table, hashes, aligners = together(by_letter)
    st.caption("  \n".join(f"**{letter}**: {plain(entry.label)}" for letter, entry in by_letter.items()))
    if table.empty:
        return
    if len(set(hashes.values())) > 1:
        st.warning(
            "These runs measured different data, so a difference may come from the people rather than the weights.",
            icon=":material/warning:",
        )
    for warning in differing_aligners(aligners):
        st.warning(plain(warning), icon=":material/warning:")
    figure = choose_figure(table, "accuracy_figure")
    by = ("run", "system", "mode", "degradation")
    chart(plots.resolution_chart(table, figure, by), "accuracy_compared", alt=f"{FIGURES[figure]} by size")
    st.dataframe(side_by_side(table, figure), hide_index=True)
    st.caption(nonbreaking("Probes against HR. Rates with 95 % intervals, where the run has them."))
    table_download(table, "accuracy-compared", key="accuracy_compared_csv")


def together(by_letter: Mapping[str, EvaluationEntry]) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """The `resolution_table` of every run against HR, with its letter in the column `run`; the hash of each run's data,
    and its aligner.

    Runs that can't be read are left out, with their error shown.
    """
    tables: list[pd.DataFrame] = []
    hashes: dict[str, str] = {}
    aligners: dict[str, str] = {}
    for letter, entry in by_letter.items():
        try:
            evaluation = evaluation_of(entry.run)
        except CoreError as error:
            show_error(error)
            continue
        table = resolution_table(evaluation)
        table.insert(0, "run", letter)
        tables.append(table[table["pairing"] != "VLR-VLR"])
        hashes[letter] = str(evaluation.protocol.get("data_sha256"))
        aligners[letter] = aligner_named(evaluation)
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), hashes, aligners


def side_by_side(table: pd.DataFrame, figure: str) -> pd.DataFrame:
    """The figure as text: one row per probe size, mode and degradation, one column per run and system."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    several = table.groupby("run")["system"].nunique().max() > 1
    ordered = table.sort_values("size_px", ascending=False, kind="stable")
    for row in ordered.to_dict("records"):
        key = (str(row["probe"]), str(row["mode"]), str(row["degradation"]))
        line = rows.setdefault(key, {"probe": key[0], "mode": key[1], "degradation": key[2]})
        bounds = interval(row.get(f"{figure}_low"), row.get(f"{figure}_high"))
        name = f"{row['run']}: {row['system']}" if several else str(row["run"])
        line[name] = f"{rate(row[figure])}{f' [{bounds}]' if bounds else ''}"
    shown = pd.DataFrame(list(rows.values())).fillna("")
    return shown.drop(columns=[c for c in ("mode", "degradation") if shown[c].nunique() < 2])
