"""Charts of the Diagnostics page. Names are shown as typed, never as plotly markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.encoder.health import MIN_STD
from core.evaluation.chart_style import ACCEPTED, NEUTRAL, PALETTE, THRESHOLD, label, name_axis, new_figure

MAP_PX = 560
MOST_COLOURED = len(PALETTE)


@dataclass(frozen=True, eq=False)
class Group:
    """Points of one colour: the label in the legend, the colour, and the rows."""

    label: str
    colour: str
    rows: NDArray[np.int64]


def map_figure(
    points: NDArray[np.float32],
    hover: Sequence[str],
    groups: Sequence[Group],
    *,
    lines: NDArray[np.int64] | None = None,
    mark: NDArray[np.int64] | None = None,
) -> go.Figure:
    """A map of points (N, 2) by group, drawn by WebGL for up to 10,000 points.

    `hover` has one text per point; every point carries its row as customdata. `lines` (M, 2) are rows to join: a small
    face and its HR image. `mark` are rows to highlight.
    """
    figure = go.Figure()
    if lines is not None and len(lines):
        xy = np.full((3 * len(lines), 2), np.nan)
        xy[0::3], xy[1::3] = points[lines[:, 0]], points[lines[:, 1]]
        figure.add_scattergl(
            x=xy[:, 0],
            y=xy[:, 1],
            mode="lines",
            line={"color": NEUTRAL, "width": 0.7},
            opacity=0.5,
            name="small to full size",
            hoverinfo="skip",
        )
    size = 4 if len(points) > 4000 else 6 if len(points) > 800 else 9
    for group in groups:
        rows = group.rows
        rest = group.colour == NEUTRAL
        figure.add_scattergl(
            x=points[rows, 0],
            y=points[rows, 1],
            mode="markers",
            name=label(group.label, 40),
            marker={"color": group.colour, "size": size, "opacity": 0.45 if rest else 0.85},
            customdata=rows.tolist(),
            text=[hover[row] for row in rows],
            hovertemplate="%{text}<extra></extra>",
            selected={"marker": {"opacity": 1.0}},
            unselected={"marker": {"opacity": 0.18}},
        )
    if mark is not None and len(mark):
        figure.add_scattergl(
            x=points[mark, 0],
            y=points[mark, 1],
            mode="markers",
            name="highlighted",
            hoverinfo="skip",
            marker={"color": "rgba(0,0,0,0)", "size": size + 8, "line": {"color": THRESHOLD, "width": 2}},
        )
    axis = {"showticklabels": False, "showgrid": False, "zeroline": False, "title": ""}
    figure.update_layout(
        height=MAP_PX,
        margin={"l": 4, "r": 4, "t": 30, "b": 4},
        dragmode="lasso",
        hovermode="closest",
        xaxis=axis,
        yaxis={**axis, "scaleanchor": "x"},
        uirevision="map",
        legend={"orientation": "h", "yanchor": "top", "y": -0.01, "x": 0, "itemsizing": "constant"},
    )
    return figure


def matrix_figure(matrix: pd.DataFrame) -> go.Figure:
    """Cosines between people as a heat map. The diagonal compares photographs of the same person; blank where there is
    only one."""
    names = [label(name, 18) for name in matrix.index]
    places = list(range(len(names)))
    values = matrix.to_numpy()
    text = [["" if np.isnan(value) else f"{value:.2f}" for value in row] for row in values]
    small = len(names) > 12
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=places,
            y=places,
            text=None if small else text,
            texttemplate=None if small else "%{text}",
            customdata=[[f"{a} and {b}" for b in names] for a in names],
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            hovertemplate="%{customdata}: %{z:.3f}<extra></extra>",
            colorscale=[[0, "rgba(128,128,128,0.10)"], [0.35, "#C7B88F"], [0.6, "#C2711B"], [1, "#0E6B66"]],
            colorbar={"title": "", "thickness": 10, "len": 0.8},
        )
    )
    ticks = {**name_axis(list(matrix.index), 18), "fixedrange": True}
    figure.update_layout(
        height=min(900, 120 + 44 * len(names)),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis={**ticks, "tickangle": -40 if sum(map(len, names)) > 50 else 0},
        yaxis={**ticks, "autorange": "reversed"},
    )
    return figure


def sizes_figure(sizes: pd.DataFrame, pairs: pd.DataFrame) -> go.Figure:
    """SR-HR similarity by size as boxes (quartiles, 5th and 95th percentile), with the mean of other people."""
    figure = new_figure("", "cosine to HR", height=320, zoom=False)
    for place, row in enumerate(sizes.to_dict("records")):
        values = pairs.loc[pairs["view"] == row["view"], "similarity"].to_numpy()
        low, q1, median, q3, high = np.percentile(values, [5, 25, 50, 75, 95])
        figure.add_trace(
            go.Box(
                x=[row["view"]],
                lowerfence=[low],
                q1=[q1],
                median=[median],
                q3=[q3],
                upperfence=[high],
                mean=[row["mean"]],
                name=row["view"],
                marker_color=PALETTE[place % len(PALETTE)],
                showlegend=False,
            )
        )
    figure.add_scatter(
        x=sizes["view"],
        y=sizes["strangers"],
        mode="markers",
        name="HR of other people, mean",
        marker={"symbol": "line-ew-open", "size": 26, "color": THRESHOLD, "line": {"width": 3}},
        hovertemplate="%{x}: %{y:.3f}<extra></extra>",
    )
    return figure


def stds_figure(stds: NDArray[np.float64], ceiling: float) -> go.Figure:
    """The standard deviation of every dimension in descending order, with the lowest healthy mean and the ceiling."""
    ordered = np.sort(stds)[::-1]
    figure = new_figure("dimensions, largest first", "standard deviation", height=260, legend="none", zoom=False)
    figure.add_scatter(
        x=np.arange(1, len(ordered) + 1),
        y=ordered,
        mode="lines",
        fill="tozeroy",
        fillcolor="rgba(42, 145, 135, 0.14)",
        line={"color": ACCEPTED},
        hovertemplate="%{x}: %{y:.4f}<extra></extra>",
    )
    for level, colour, text, place in (
        (ceiling, NEUTRAL, "ceiling: all dimensions alike", "top right"),
        (MIN_STD, THRESHOLD, "lowest healthy mean", "top left"),
    ):
        figure.add_hline(y=level, line_dash="dot", line_color=colour, annotation_text=text, annotation_position=place)
    figure.update_yaxes(rangemode="tozero")
    return figure
