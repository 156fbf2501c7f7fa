"""Genuine and impostor scores with a movable threshold, and the ROC, DET and CMC curves."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.evaluation import plots
from core.evaluation.result import Evaluation
from core.system.text import count
from dashboard.accuracy.data import EvaluationEntry
from dashboard.accuracy.filters import choose_rows
from dashboard.accuracy.labels import rate
from dashboard.accuracy.tables import chart, table_download
from dashboard.ui.components import choose_one

STEP = 0.005
"""The width of a histogram bin; FAR and FRR are exact at its edges."""

_BY = ("system", "mode", "degradation", "probe", "pairing")


def scores_part(entry: EvaluationEntry, evaluation: Evaluation) -> None:
    """The histogram with its threshold slider, and the curves of all systems and views."""
    bins = choose_rows(evaluation.table("histograms"), "scores", pairings=True)
    st.fragment(threshold_panel)(bins, _start(evaluation))
    table_download(bins, f"{entry.run.name}-histogram", key="accuracy_histogram_csv", label="Histogram as CSV")
    st.subheader("Curves", anchor=False)
    points = evaluation.table("curves")
    chosen = bins.iloc[0] if len(bins) else None
    shown = points
    if chosen is not None and len(points[list(_BY)].drop_duplicates()) > 8:
        shown = points[(points["pairing"] != "VLR-VLR") & (points["mode"] == chosen["mode"])]
    ranks = evaluation.table("cmc")
    kinds = {name: name for name in ("ROC", "DET", *([] if ranks.empty else ["CMC"]))}
    kind = choose_one("Curve", kinds, "accuracy_curves", show_label=False)
    if kind == "CMC":
        chart(
            plots.cmc_chart(ranks, _BY[:4]),
            "accuracy_cmc",
            alt="CMC: share of probes whose person is among the first k",
        )
        st.caption("The share of probes whose own person is among the first k, searched among all people.")
        table_download(ranks, f"{entry.run.name}-cmc", key="accuracy_cmc_csv", label="CMC as CSV")
        return
    figure = plots.roc_chart(shown, _BY) if kind == "ROC" else plots.det_chart(shown, _BY)
    chart(figure, f"accuracy_{kind.lower()}", alt=f"{kind} of genuine and impostor pairs")
    if len(shown) < len(points):
        st.caption("Probes against HR. Pairs of two small faces are in the CSV and in the report.")
    table_download(points, f"{entry.run.name}-roc", key="accuracy_roc_csv", label="Points as CSV")


def threshold_panel(bins: pd.DataFrame, start: float) -> None:
    """The slider, the rates at its threshold, and the histogram. All are sums over bins."""
    from core.evaluation.curves import rates_at

    threshold = st.slider(
        "Threshold: accept a pair if its cosine score ≥ threshold",
        -0.2,
        1.0,
        start,
        STEP,
        format="%.3f",
        key="accuracy_threshold",
    )
    far, frr = rates_at(bins, threshold)
    genuine, impostor = int(bins["genuine"].sum()), int(bins["impostor"].sum())
    columns = st.columns(3)
    columns[0].metric("FAR: impostor pairs accepted", rate(far, 3), help=f"Of {count(impostor, 'impostor pair')}.")
    columns[1].metric("FRR: genuine pairs rejected", rate(frr, 2), help=f"Of {count(genuine, 'genuine pair')}.")
    columns[2].metric("TAR: genuine pairs accepted", rate(1 - frr, 2))
    figure = plots.histogram_chart(bins, threshold)
    chart(figure, "accuracy_histogram", alt=f"Shares of genuine and impostor scores, threshold {threshold:.3f}")
    few = "" if impostor * far >= 10 else " Fewer than 10 impostor pairs reach the threshold, so the FAR is imprecise."
    st.caption(
        f"{count(genuine, 'genuine pair')}, {count(impostor, 'impostor pair')}.{few} To choose a threshold, "
        "calibrate it under Thresholds, where it is measured on other people than it was chosen on."
    )


def _start(evaluation: Evaluation) -> float:
    plan: dict[str, Any] = evaluation.protocol.get("plan") or {}
    return round(float(plan.get("threshold", 0.35)) / STEP) * STEP
