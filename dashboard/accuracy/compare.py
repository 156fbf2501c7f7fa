"""Several evaluations side by side: a figure of all over the probe's size, and their headline figures."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase

import pandas as pd
import streamlit as st

from core.errors import CoreError
from core.evaluation import plots
from core.evaluation.result import resolution_table
from core.jobs.run_dir import Run
from dashboard.accuracy.data import Seen, evaluation_of, seen_runs
from dashboard.accuracy.labels import interval, rate
from dashboard.accuracy.tables import chart, table_download
from dashboard.shell.error_display import show_error
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain

MOST = 6
FIGURES = {"eer": "EER", "tar": "TAR at FAR 0.1 %", "rank1": "Rank-1"}


def compare_panel(runs: list[Run]) -> None:
    """Choose runs; the choice stands in the address (?compare=...), so that it survives a reload."""
    by_id = {
        seen.run.id: seen
        for seen in seen_runs(runs)
        if seen.state.status == "done" and seen.task in ("dataset", "pairs")
    }
    if len(by_id) < 2:
        empty_state(
            "compare_arrows",
            "Nothing to compare yet",
            "Measure twice, with other weights or another upscaler, and see both in one chart here.",
        )
        return
    asked = [each for each in st.query_params.get_all("compare") if each in by_id][:MOST]
    st.session_state.setdefault("accuracy_compare", asked)
    st.session_state["accuracy_compare"] = [each for each in st.session_state["accuracy_compare"] if each in by_id]
    chosen = st.multiselect(
        "Runs",
        list(by_id),
        format_func=labels(by_id).__getitem__,
        max_selections=MOST,
        key="accuracy_compare",
        placeholder="Choose two or more",
        select_all=False,
    )
    if chosen != st.query_params.get_all("compare"):
        st.query_params["compare"] = chosen
    if len(chosen) < 2:
        st.caption("Choose two runs or more. Who gained and who lost is in a run itself, under Before and after.")
        return
    compared(dict(zip(ascii_uppercase, (by_id[each] for each in chosen), strict=False)))


def labels(by_id: Mapping[str, Seen]) -> dict[str, str]:
    """What each run is called in a list of choices; those begun in the same second are numbered."""
    found: dict[str, str] = {}
    for name, seen in by_id.items():
        same = sum(label.startswith(seen.label) for label in found.values())
        found[name] = f"{seen.label} ({same + 1})" if same else seen.label
    return found


def compared(named: Mapping[str, Seen]) -> None:
    """The chart and the table; runs go by letters, in the order they were chosen."""
    table, hashes = together(named)
    st.caption("  \n".join(f"**{letter}**: {plain(seen.label)}" for letter, seen in named.items()))
    if table.empty:
        return
    if len(set(hashes.values())) > 1:
        st.warning(
            "They were measured on different data: a difference may come from the people, not from the weights.",
            icon=":material/warning:",
        )
    there = [name for name in FIGURES if name in table and table[name].notna().any()]
    figure = st.segmented_control(
        "Figure",
        there,
        default=there[0],
        required=True,
        format_func=FIGURES.__getitem__,
        key="accuracy_figure",
        label_visibility="collapsed",
    )
    by = ("run", "system", "mode", "degradation")
    chart(plots.resolution_chart(table, str(figure), by), "accuracy_compared", alt=f"{FIGURES[str(figure)]} by size")
    st.dataframe(side_by_side(table, str(figure)), hide_index=True)
    st.caption("Probes against HR, rates with 95 % intervals where the run has them.")
    table_download(table, "accuracy-compared", key="accuracy_compared_csv")


def together(named: Mapping[str, Seen]) -> tuple[pd.DataFrame, dict[str, str]]:
    """`resolution_table` of every run against HR with its letter in the column `run`, and the hash of each one's data.
    What can't be read is said and left out."""
    tables: list[pd.DataFrame] = []
    hashes: dict[str, str] = {}
    for letter, seen in named.items():
        try:
            evaluation = evaluation_of(seen.run)
        except CoreError as error:
            show_error(error)
            continue
        table = resolution_table(evaluation)
        table.insert(0, "run", letter)
        tables.append(table[table["pairing"] != "VLR-VLR"])
        hashes[letter] = str(evaluation.protocol.get("data_sha256"))
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), hashes


def side_by_side(table: pd.DataFrame, figure: str) -> pd.DataFrame:
    """A line for each probe size and way of showing it, a column for each run and system: the figure as text."""
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
