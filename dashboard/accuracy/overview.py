"""The figures of an evaluation at a glance: a table by probe size with intervals, and curves over the size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.evaluation import plots
from core.evaluation.result import Evaluation, resolution_table
from core.evaluation.table_format import compact
from dashboard.accuracy.data import Seen
from dashboard.accuracy.filters import choose_rows
from dashboard.accuracy.labels import interval, missing, rate
from dashboard.accuracy.tables import chart, table_download
from dashboard.ui.figure_cells import Cell, cells_html
from dashboard.ui.markdown import plain

_CURVES = {"eer": "EER against HR", "tar": "TAR at FAR 0.1 %", "rank1": "Rank-1"}
_COLUMNS = (
    ("eer", "EER", "the error where false accepts and false rejects are equal"),
    ("tar_at_far_0.001", "TAR at FAR 0.1 %", "of genuine pairs"),
    ("rank1", "Rank-1", "found first among all"),
    ("accuracy", "Accuracy", "over folds, each with the threshold that is best on the others"),
    ("failure_to_acquire", "Not acquired", "no usable face"),
)


def overview_part(seen: Seen, evaluation: Evaluation) -> None:
    """What came of it, by size, and what was measured on whom."""
    if not evaluation.table("benchmark").empty:
        _benchmark(evaluation)
    if evaluation.table("verification").empty:
        return
    rows = choose_rows(headline_rows(evaluation), "overview", sizes=False)
    st.html(headline_html(rows))
    st.caption(_protocol(evaluation))
    table_download(rows, f"{seen.run.name}-headline", key="accuracy_headline_csv")
    _curves(evaluation)


def headline_rows(evaluation: Evaluation) -> pd.DataFrame:
    """A row for each system, view and source of pairs: EER and TAR against HR, rank-1, failure to acquire."""
    verified = evaluation.table("verification")
    verified = verified[verified["pairing"] != "VLR-VLR"].reset_index(drop=True)
    ranked = evaluation.table("identification")
    if ranked.empty:
        return verified
    by = ["system", "mode", "degradation", "probe"]
    return verified.merge(ranked[[*by, "rank1", "rank1_low", "rank1_high", "probes"]], on=by, how="left")


def headline_html(rows: pd.DataFrame) -> str:
    """A table with a line for each probe size, largest first, each rate with its 95 % interval."""
    columns = [
        (column, name)
        for column, name, _ in _COLUMNS
        if column in rows and (column != "accuracy" or rows[column].notna().any())
    ]
    several = bool(rows.duplicated("probe").any())
    ordered = rows.sort_values(["size_px", "degradation"], ascending=[False, True], kind="stable")
    lines = [
        (
            (str(row["probe"]), str(row["degradation"]) if several else ""),
            {name: _cell(row, column) for column, name in columns},
        )
        for row in ordered.to_dict("records")
    ]
    return cells_html("Probe", lines, {name: hint for _, name, hint in _COLUMNS})


def _cell(row: Mapping[Any, Any], column: str) -> Cell:
    if missing(row[column]) and column.startswith("tar"):
        return "–", "too few pairs"
    return rate(row[column]), interval(row.get(f"{column}_low"), row.get(f"{column}_high"))


def _protocol(evaluation: Evaluation) -> str:
    said = evaluation.protocol
    plan = said.get("plan") or {}
    people = f"{said['people']:,} people, " if isinstance(said.get("people"), int) else ""
    pictures = f"{said['pictures']:,} pictures" if isinstance(said.get("pictures"), int) else ""
    split = f", {said['split']}" if said.get("split") else ""
    resamples = f"; 95 % intervals over {plan['bootstrap']:,} resamples of people" if plan.get("bootstrap") else ""
    drawn = " Drawn faces: the figures say that things work, not how well." if said.get("synthetic") else ""
    return plain(f"{said.get('data', '')}{split}: {people}{pictures}. Probes against HR{resamples}.{drawn}")


def _curves(evaluation: Evaluation) -> None:
    table = resolution_table(evaluation) if "system" in evaluation.table("verification") else pd.DataFrame()
    if table.empty or table["size_px"].nunique() < 2:
        return
    st.subheader("Accuracy against resolution", anchor=False)
    against = table[table["pairing"] != "VLR-VLR"]
    there = [name for name in _CURVES if name in against and against[name].notna().any()]
    shown = st.segmented_control(
        "Measure",
        there,
        default=there[0],
        required=True,
        format_func=_CURVES.__getitem__,
        key="accuracy_curve",
        label_visibility="collapsed",
        persist_state="page",
    )
    figure = plots.resolution_chart(against, str(shown), ("system", "mode", "degradation"))
    chart(figure, "accuracy_resolution", alt=f"{_CURVES[str(shown)]} by probe size")


def _benchmark(evaluation: Evaluation) -> None:
    """The benchmark's own figures, with those that others published beside them."""
    for name, title in (("benchmark", "By the published protocol"), ("published", "What others published")):
        table = evaluation.table(name)
        if table.empty:
            continue
        st.markdown(f"**{title}**")
        st.dataframe(compact(name, table), hide_index=True)
    if not evaluation.table("published").empty:
        st.caption(
            "Rates in percent. Every probe counts, one without a usable face as an error. "
            "Others used larger networks, other training data and their own alignment: neighbours, "
            "not rivals under equal conditions."
        )
