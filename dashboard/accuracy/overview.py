"""The overview of an evaluation: a table by probe size with intervals, and curves over the size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.evaluation import people_alike, plots
from core.evaluation.result import Evaluation, resolution_table
from core.evaluation.table_format import compact
from core.system.text import count
from dashboard.accuracy.data import EvaluationEntry
from dashboard.accuracy.filters import choose_figure, choose_rows
from dashboard.accuracy.labels import FIGURES, interval, missing, rate
from dashboard.accuracy.tables import chart, table_download
from dashboard.runs.form import SYNTHETIC_HINT
from dashboard.ui.figure_cells import Cell, cells_html
from dashboard.ui.markdown import nonbreaking, plain

_COLUMNS = (
    ("eer", "EER", "the error rate where false accepts and false rejects are equal"),
    ("eer_alike", "EER, people alike", "every person and every two people count once, however many their images"),
    ("tar_at_far_0.001", "TAR at FAR 0.1 %", "share of genuine pairs accepted"),
    ("tar_at_far_0.001_alike", "TAR, people alike", "at FAR 0.1 %, every person and every two people counting once"),
    ("rank1", "Rank-1", "share of probes whose own identity has the highest score"),
    ("accuracy", "Accuracy", "mean over folds, each at the best threshold of the other folds"),
    ("failure_to_acquire", "Not acquired", "share of images without a usable face"),
)


def overview_part(entry: EvaluationEntry, evaluation: Evaluation) -> None:
    """The headline table, the data it was measured on, and the curves."""
    if not evaluation.table("benchmark").empty:
        _benchmark(evaluation)
    if evaluation.table("verification").empty:
        return
    every = headline_rows(evaluation)
    rows = choose_rows(every, "overview", sizes=False)
    st.html(headline_html(rows))
    beside = beside_html(every, rows)
    if beside:
        st.markdown("**EER beside direct feed**")
        st.html(beside)
    st.caption(_protocol(evaluation))
    if "eer_alike" in rows and rows["eer_alike"].notna().any():
        st.caption(people_alike.NOTE)
    table_download(rows, f"{entry.run.name}-headline", key="accuracy_headline_csv")
    _curves(evaluation)


def headline_rows(evaluation: Evaluation) -> pd.DataFrame:
    """One row per system, view and source of pairs: EER and TAR against HR, rank-1, failure to acquire."""
    verified = evaluation.table("verification")
    verified = verified[verified["pairing"] != "VLR-VLR"].reset_index(drop=True)
    ranked = evaluation.table("identification")
    if ranked.empty:
        return verified
    by = ["system", "mode", "degradation", "probe"]
    return verified.merge(ranked[[*by, "rank1", "rank1_low", "rank1_high", "probes"]], on=by, how="left")


def headline_html(rows: pd.DataFrame) -> str:
    """An HTML table with one row per degradation and probe size, largest first, each rate above its 95 % interval."""
    columns = [
        (column, name)
        for column, name, _ in _COLUMNS
        if column in rows and (rows[column].notna().any() or column == "tar_at_far_0.001")
    ]
    lines = [
        (_probe(row, rows), {name: _cell(row, column) for column, name in columns})
        for row in _ordered(rows).to_dict("records")
    ]
    return cells_html("Probe", lines, {name: hint for _, name, hint in _COLUMNS})


def beside_html(every: pd.DataFrame, rows: pd.DataFrame) -> str:
    """The EER of every system in the views of `rows`, a column each, that chosen first; "" where there is only one."""
    of_view = [column for column in ("mode", "protocol") if column in rows]
    same = every.merge(rows[of_view].drop_duplicates(), on=of_view)
    if same["system"].nunique() < 2:
        return ""
    chosen = rows["system"].iloc[0]
    systems = [chosen, *(name for name in same["system"].unique() if name != chosen)]
    lines: dict[tuple[str, str], dict[str, Cell]] = {}
    for row in _ordered(same).to_dict("records"):
        lines.setdefault(_probe(row, rows), {})[str(row["system"])] = _cell(row, "eer")
    ordered = [(probe, {name: cells[name] for name in systems if name in cells}) for probe, cells in lines.items()]
    return cells_html("Probe", ordered)


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Full size, then each degradation with its largest size first."""
    return rows.sort_values(["degradation", "size_px"], ascending=[True, False], kind="stable")


def _probe(row: Mapping[Any, Any], rows: pd.DataFrame) -> Cell:
    several = rows.loc[rows["degradation"] != "", "degradation"].nunique() > 1
    return str(row["probe"]), str(row["degradation"]) if several else ""


def _cell(row: Mapping[Any, Any], column: str) -> Cell:
    if missing(row[column]) and column.startswith("tar"):
        return "–", "too few pairs"
    return rate(row[column]), interval(row.get(f"{column}_low"), row.get(f"{column}_high"))


def _protocol(evaluation: Evaluation) -> str:
    protocol = evaluation.protocol
    plan = protocol.get("plan") or {}
    counts = [
        count(protocol[name], *nouns)
        for name, nouns in (("people", ("person", "people")), ("pictures", ("image",)))
        if isinstance(protocol.get(name), int)
    ]
    split = f", {protocol['split']}" if protocol.get("split") else ""
    resamples = f"; 95 % intervals over {plan['bootstrap']:,} resamples of people" if plan.get("bootstrap") else ""
    synthetic = f" {SYNTHETIC_HINT}" if protocol.get("synthetic") else ""
    aligner = f" Aligner: {protocol['aligner']}." if protocol.get("aligner") else ""
    text = f"{protocol.get('data', '')}{split}: {', '.join(counts)}. Probes against HR{resamples}.{aligner}{synthetic}"
    return nonbreaking(plain(text))


def _curves(evaluation: Evaluation) -> None:
    table = resolution_table(evaluation) if "system" in evaluation.table("verification") else pd.DataFrame()
    if table.empty or table["size_px"].nunique() < 2:
        return
    st.subheader("Accuracy against resolution", anchor=False)
    against = table[table["pairing"] != "VLR-VLR"]
    shown = choose_figure(against, "accuracy_curve")
    figure = plots.resolution_chart(against, shown, ("system", "mode", "degradation"))
    chart(figure, "accuracy_resolution", alt=f"{FIGURES[shown]} by probe size")


def _benchmark(evaluation: Evaluation) -> None:
    """The benchmark's figures and those that others published."""
    for name, title in (("benchmark", "By the published protocol"), ("published", "What others published")):
        table = evaluation.table(name)
        if table.empty:
            continue
        st.markdown(f"**{title}**")
        st.dataframe(compact(name, table), hide_index=True)
    if not evaluation.table("published").empty:
        st.caption(
            "Rates in percent. Every probe counts; one without a usable face is an error. The published methods used "
            "larger networks, different training data and their own alignment: figures by different aligners can't be "
            f"compared. Aligner here: {evaluation.protocol.get('aligner') or 'not recorded'}."
        )
