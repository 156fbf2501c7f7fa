"""The Speed page's table and chart: values in, a frame or a figure out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from core.bench.row import Curve, Outcome

_COLOURS = ("#2A9187", "#C2711B", "#5B6F8C")


def table(outcome: Outcome) -> pd.DataFrame:
    """One line a row of the outcome, numbers as text with their unit."""
    lines = []
    for row in outcome.rows:
        met = "" if row.met is None else "met" if row.met else "missed"
        lines.append(
            {
                "What": row.what,
                "Ours": "not measured" if row.ours is None else f"{row.ours:,.4g} {row.unit}",
                "Baseline": "" if row.baseline is None else f"{row.baseline:,.4g} {row.unit}",
                "Times better": "" if row.ratio is None else f"{row.ratio:.2f}",
                "Target": row.target,
                "Result": met,
            }
        )
    return pd.DataFrame(lines)


def growth_figure(curves: Sequence[Curve]) -> go.Figure:
    """Cost against size, both axes logarithmic; seconds throughout."""
    figure = go.Figure()
    for number, curve in enumerate(curves):
        seconds = [value / 1e3 if curve.unit == "ms" else value for value in curve.y]
        figure.add_scatter(
            x=list(curve.x), y=seconds, mode="lines+markers", name=f"{curve.name} ({curve.x_title})",
            line_color=_COLOURS[number % len(_COLOURS)], hovertemplate="%{x:,}: %{y:.4g} s<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(type="log", title="how many", fixedrange=True)
    figure.update_yaxes(type="log", title="seconds", fixedrange=True)
    figure.update_layout(height=380, margin={"l": 8, "r": 8, "t": 8, "b": 8}, legend={"orientation": "h", "y": -0.25})
    return figure
