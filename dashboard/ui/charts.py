"""The chart of scores that several pages show: cosine scores as bars, with the threshold."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.evaluation.chart_style import ACCEPTED, NEUTRAL, add_vertical, label, name_axis, new_figure

_ROW_PX = 34
_TEXT_WIDTH = 0.15  # of a score's text, in units of the axis, on the narrowest screen


def score_bars(names: Sequence[str], scores: Sequence[float], threshold: float, *, calibrated: bool) -> go.Figure:
    """Cosine scores as horizontal bars, the best on top, with a line at the threshold.

    `scores` are in [-1, 1]; a bar is coloured as accepted where score >= threshold. The axis runs from 0, or from the
    lowest score where that is negative, to 1. Equal names stay apart.
    """
    if len(names) != len(scores):
        raise ValueError(f"Expected one score a name, got {len(names)} names and {len(scores)} scores.")
    rows = list(range(len(names)))
    figure = new_figure("cosine score", height=_ROW_PX * max(1, len(rows)) + 66, legend="none", zoom=False)
    figure.add_bar(
        x=list(scores),
        y=rows,
        orientation="h",
        marker_color=[ACCEPTED if score >= threshold else NEUTRAL for score in scores],
        width=0.6,
        customdata=[label(name, 200) for name in names],
        hovertemplate="%{customdata}: cosine %{x:.3f}<extra></extra>",
    )
    figure.add_scatter(  # beside the bar's right end also where it is negative: to the left stand the names
        x=[_text_at(score, threshold) for score in scores],
        y=rows,
        mode="text",
        text=[f"\u00a0{round(score, 2) + 0.0:.2f}" for score in scores],  # + 0.0: never "-0.00"
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
    )
    add_vertical(figure, threshold, f"threshold {threshold:.2f}{'' if calibrated else ', uncalibrated'}")
    figure.update_layout(margin={"t": 26, "b": 34, "r": 30})
    figure.update_xaxes(range=[min([0.0, threshold, *scores]), 1.0])
    figure.update_yaxes(**name_axis(names), autorange="reversed")
    return figure


def _text_at(score: float, threshold: float) -> float:
    """Where a score's text begins: at the bar's end, or behind the threshold's line where it would lie under it."""
    end = max(score, 0.0)
    return threshold if threshold - _TEXT_WIDTH < end < threshold else end
