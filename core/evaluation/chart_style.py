"""Chart style that reports and pages share: colours, axes, legends, reference lines, and names as typed."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

PALETTE = ("#2A9187", "#C2711B", "#6F86A8", "#A5709D", "#8F9448", "#B0564B", "#4C79C7", "#D0A02E", "#5FA463", "#8D6E63")
"""Colours of series, readable on a light and on a dark background, and distinguishable from one another."""
ACCEPTED, THRESHOLD, NEUTRAL = PALETTE[0], PALETTE[1], "#9AA3A5"

TITLE_PX, NOTE_PX = 12, 11
NAME_CHARS = 22


def label(name: object, limit: int = NAME_CHARS) -> str:
    """A name for any text of a figure, shown as typed: at most `limit` characters, escaped.

    Plotly reads some HTML as markup and decodes &lt;, &gt; and &amp;, but not &quot;.
    """
    text = str(name)
    short = text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
    return html.escape(short, quote=False)


def new_figure(
    x_title: str = "",
    y_title: str = "",
    *,
    height: int,
    legend: Literal["above", "below", "none"] = "above",
    zoom: bool = True,
) -> go.Figure:
    """An empty figure with the shared margins, axis titles and horizontal legend. Without `zoom` its axes are fixed."""
    figure = go.Figure()
    places: dict[str, dict[str, Any]] = {
        "above": {"y": 1.02, "yanchor": "bottom"},
        "below": {"y": -0.22, "yanchor": "top"},
        "none": {},
    }
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 34 if legend == "above" else 12, "b": 40},
        hovermode="closest",
        showlegend=None if legend != "none" else False,
        legend={"orientation": "h", "x": 0, "font": {"size": NOTE_PX}, "title": {"text": ""}, **places[legend]},
    )
    figure.update_xaxes(title=axis_title(x_title), automargin=True, fixedrange=not zoom)
    figure.update_yaxes(title=axis_title(y_title), automargin=True, fixedrange=not zoom)
    return figure


def axis_title(text: str) -> dict[str, Any]:
    """An axis title in the shared size."""
    return {"text": text, "font": {"size": TITLE_PX}, "standoff": 10}


def name_axis(names: Sequence[object], limit: int = NAME_CHARS) -> dict[str, Any]:
    """A vertical axis with one row per name, 0 the first. Equal names keep rows of their own."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": [label(name, limit) for name in names],
        "automargin": True,
        "showgrid": False,
        "zeroline": False,
    }


def log_axis(**more: Any) -> dict[str, Any]:
    """A logarithmic axis with ticks at powers of ten only: Plotly's 2 and 5 between them read as values."""
    return {"type": "log", "dtick": 1, "tickfont": {"size": TITLE_PX}, **more}


def whole_decades(figure: go.Figure) -> list[float]:
    """The range of a logarithmic y axis over whole decades around the figure's positive values, in powers of ten: at
    least two of them are on it."""
    values = np.concatenate([np.asarray(trace.y, dtype=float) for trace in figure.data])
    powers = np.log10(values[values > 0])
    low = math.floor(powers.min()) if powers.size else 0
    return [low - 0.05, max(math.ceil(powers.max(initial=low)), low + 1) + 0.05]


def add_level(figure: go.Figure, value: float, text: str, colour: str = THRESHOLD) -> None:
    """A dashed horizontal line at `value`, with its text above the right end."""
    figure.add_hline(y=value, line={"color": colour, "width": 1.4, "dash": "dash"})
    figure.add_annotation(
        x=1,
        xref="paper",
        y=value,
        text=text,
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
        font={"size": NOTE_PX, "color": colour},
    )


def add_vertical(
    figure: go.Figure, value: float, text: str, *, colour: str = THRESHOLD, width: int = 2, size: int = TITLE_PX
) -> None:
    """A dotted vertical line, by default for a threshold, with its text above the plot."""
    figure.add_vline(x=value, line={"color": colour, "width": width, "dash": "dot"})
    figure.add_annotation(
        x=value,
        y=1,
        yref="paper",
        text=text,
        showarrow=False,
        yanchor="bottom",
        font={"size": size, "color": colour},
    )
