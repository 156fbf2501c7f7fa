"""The results by person: a chart with Wilson intervals, confused pairs, people with too few images, one person."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.evaluation import plots
from core.evaluation.result import Evaluation
from core.evaluation.table_format import screen
from core.system.text import count
from dashboard.accuracy.data import EvaluationEntry
from dashboard.accuracy.filters import BY, choose_rows
from dashboard.accuracy.person import person_view
from dashboard.accuracy.tables import chart, table_download
from dashboard.ui.components import choose_one
from dashboard.ui.markdown import nonbreaking, shorten

MEASURES = {"rank1": "Rank-1", "accepted": "Accepted at the threshold"}
AMOUNTS = (20, 40, 100)
CHOSEN = "accuracy_person"
_PAIRS_SHOWN = 200
_NOT_SHOWN = [*BY, "images", "worst_image", "few"]


def people_part(entry: EvaluationEntry, evaluation: Evaluation) -> None:
    """The chart, the chosen person, and the lists."""
    rows = choose_rows(evaluation.table("per_identity"), "people")
    enough, few = rows[~rows["few"].astype(bool)], rows[rows["few"].astype(bool)]
    plan = evaluation.protocol.get("plan") or {}
    threshold = float(plan.get("threshold", 0.35))
    if enough.empty:
        enough, few = rows, rows.head(0)
    _summary(enough)
    _chart(enough, threshold)
    _choose(enough, few)
    name = st.session_state.get(CHOSEN)
    if name:
        person_view(entry, evaluation, rows, str(name), threshold)
    _lists(entry, evaluation, enough, few)


def worst_first(table: pd.DataFrame, measure: str, most: int) -> pd.DataFrame:
    """The `most` people with the lowest `measure`, then the lowest mean genuine score: the order of the chart."""
    return table.sort_values([measure, "genuine_mean"], kind="stable").head(most)


def _summary(enough: pd.DataFrame) -> None:
    probes = int(enough["probes"].sum())
    missed = int((enough["rank1"] < 1).sum())
    st.markdown(
        f"**{count(len(enough), 'person', 'people')}**, {count(probes, 'probe')}. "
        f"{count(missed, 'person was', 'people were')} mistaken for someone else at least once. Every image is "
        f"searched among all HR images except itself. {nonbreaking('Error bars: 95 % Wilson intervals.')}"
    )


def _chart(enough: pd.DataFrame, threshold: float) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measures = {**MEASURES, "accepted": f"{MEASURES['accepted']} {threshold:.2f}"}
        measure = choose_one("Measure", measures, "accuracy_measure")
        most = AMOUNTS[0]
        if len(enough) > AMOUNTS[0]:
            options = [n for n in AMOUNTS if n < len(enough)] + [min(len(enough), 300)]
            labels = {n: f"all {n}" if n == len(enough) else str(n) for n in options}
            most = choose_one("Lowest", labels, "accuracy_most")
    shown = worst_first(enough, measure, most)
    figure = plots.per_identity_chart(enough, measure, most)
    chart(
        figure,
        "accuracy_people",
        alt=f"{MEASURES[measure]} by person, worst first",
        selection_mode="points",
        on_select=lambda: _take(list(shown["identity"])[::-1]),
    )


def _take(names: list[str]) -> None:
    """Open the person whose bar was clicked."""
    points = st.session_state["accuracy_people"]["selection"]["points"]
    if points and 0 <= points[0]["point_index"] < len(names):
        st.session_state[CHOSEN] = names[points[0]["point_index"]]


def _choose(enough: pd.DataFrame, few: pd.DataFrame) -> None:
    names = [*enough["identity"], *few["identity"]]
    if st.session_state.get(CHOSEN) not in (None, *names):
        st.session_state.pop(CHOSEN)
    st.selectbox(
        "Open a person (or click a bar)",
        names,
        index=None,
        placeholder="Lowest first",
        key=CHOSEN,
        format_func=lambda name: shorten(str(name), 60),
        persist_state="page",
    )


def _lists(entry: EvaluationEntry, evaluation: Evaluation, enough: pd.DataFrame, few: pd.DataFrame) -> None:
    first = enough.iloc[0] if len(enough) else None
    with st.expander(f"Everyone as a table ({len(enough):,})", icon=":material/table_rows:"):
        st.dataframe(
            screen("per_identity", enough.drop(columns=_NOT_SHOWN, errors="ignore")),
            hide_index=True,
            height=min(420, 38 + 35 * len(enough)),
        )
        table_download(enough, f"{entry.run.name}-people", key="accuracy_people_csv")
    confused = evaluation.table("confused")
    if first is not None and not confused.empty:
        same = [confused[column] == first[column] for column in ("system", "mode", "degradation", "probe")]
        confused = confused[same[0] & same[1] & same[2] & same[3]]
    if not confused.empty:
        _confused(entry, confused)
    alone = evaluation.table("too_few")
    total = len(few) + len(alone)
    if total:
        with st.expander(f"Too few images ({count(total, 'person', 'people')})", icon=":material/person_off:"):
            st.caption(
                f"People with one image ({len(alone):,}) have nothing to be compared with, but can still be mistaken "
                f"for others. People with two ({len(few):,}) have no bar, because their interval would span almost the "
                "whole range."
            )
            listed = pd.concat([alone[["identity", "images"]], few[["identity", "images"]]]) if len(alone) else few
            st.dataframe(listed[["identity", "images"]], hide_index=True, height=min(320, 38 + 35 * total))


def _confused(entry: EvaluationEntry, confused: pd.DataFrame) -> None:
    with st.expander(f"Confused pairs ({len(confused):,})", icon=":material/group:", expanded=True):
        columns = ["identity", "taken_for", "probes", "of", "highest", "back"]
        st.dataframe(
            confused[columns].head(_PAIRS_SHOWN),
            hide_index=True,
            height=min(320, 38 + 35 * len(confused)),
            key="accuracy_confused",
            on_select=lambda: _take_row(list(confused["identity"])),
            selection_mode="single-row",
            column_config={
                "identity": "person",
                "taken_for": "mistaken for",
                "probes": "images",
                "of": "of",
                "highest": st.column_config.NumberColumn("highest score", format="%.3f"),
                "back": "vice versa",
            },
        )
        st.caption(
            "The number of a person's images for which someone else had the highest score. Choose a row to see them."
        )
        table_download(confused, f"{entry.run.name}-confused", key="accuracy_confused_csv")


def _take_row(names: list[str]) -> None:
    rows = st.session_state["accuracy_confused"]["selection"]["rows"]
    if rows and rows[0] < len(names):
        st.session_state[CHOSEN] = names[rows[0]]
