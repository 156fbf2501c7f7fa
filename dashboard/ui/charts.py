"""Figures for the pages: values in, a plotly figure out. Names are shown as typed, never as plotly's markup."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from dashboard.ui.markdown import markup, shorten

ACCEPTED = "#2A9187"
BELOW = "#9AA3A5"
THRESHOLD = "#C2711B"
"""Readable on the light and on the dark background alike."""

_ROW_PX = 34
_NAME_CHARS = 22
_TEXT_WIDTH = 0.15  # of a score's text, in units of the axis, on the narrowest screen


def score_bars(names: Sequence[str], scores: Sequence[float], threshold: float, *, calibrated: bool) -> go.Figure:
    """Cosine scores as horizontal bars, the best on top, with a line at the threshold.

    `scores` are in [-1, 1]; a bar is coloured as accepted where score >= threshold. The axis runs from 0, or from the
    lowest score where that is negative, to 1. Equal names stay apart.
    """
    if len(names) != len(scores):
        raise ValueError(f"Expected one score a name, got {len(names)} names and {len(scores)} scores.")
    rows = list(range(len(names)))
    figure = go.Figure(
        go.Bar(
            x=list(scores),
            y=rows,
            orientation="h",
            marker_color=[ACCEPTED if score >= threshold else BELOW for score in scores],
            width=0.6,
            customdata=[markup(name) for name in names],
            hovertemplate="%{customdata}: cosine %{x:.3f}<extra></extra>",
        )
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
    says = f"threshold {threshold:.2f}{'' if calibrated else ', uncalibrated'}"
    figure.add_vline(x=threshold, line_color=THRESHOLD, line_width=2, line_dash="dot")
    figure.add_annotation(
        x=threshold,
        y=1,
        yref="paper",
        text=says,
        showarrow=False,
        yanchor="bottom",
        font={"color": THRESHOLD, "size": 12},
    )
    lowest = min([0.0, threshold, *scores])
    figure.update_layout(
        height=_ROW_PX * max(1, len(rows)) + 66,
        margin={"l": 8, "r": 30, "t": 26, "b": 34},
        showlegend=False,
        xaxis={"range": [lowest, 1.0], "title": {"text": "cosine score", "font": {"size": 12}}, "fixedrange": True},
        yaxis={
            "tickvals": rows,
            "ticktext": [markup(shorten(name, _NAME_CHARS)) for name in names],
            "autorange": "reversed",
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
        },
    )
    return figure


def _text_at(score: float, threshold: float) -> float:
    """Where a score's text begins: at the bar's end, or behind the threshold's line where it would lie under it."""
    end = max(score, 0.0)
    return threshold if threshold - _TEXT_WIDTH < end < threshold else end
