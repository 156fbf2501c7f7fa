"""Charts of a data set's counts. Names are shown as typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.evaluation.chart_style import PALETTE, axis_title, label, log_axis, name_axis, new_figure
from core.system.text import count

SPLIT_COLOURS = {"train": PALETTE[0], "val": PALETTE[1], "test": "#5B6F8C", "unsplit": "#6F7A7C"}
"""Dark enough for white figures inside the bars."""

MOST_BARS = 30
_BAR_PX = 22


def split_figure(counts: Mapping[str, Any]) -> go.Figure:
    """Images (HR) and people of each split, side by side. `counts` are those of core.dataset.manifest.count."""
    splits = {name: counts["splits"][name] for name in SPLIT_COLOURS if name in counts.get("splits", {})}
    names = list(splits)
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    total = max(1, sum(part["hr"] for part in splits.values()))
    for column, (key, unit, one) in enumerate((("hr", "images", "image"), ("identities", "people", "person")), start=1):
        values = [splits[name][key] for name in names]
        share = [f" ({100 * value / total:.0f} %)" if key == "hr" and len(names) > 1 else "" for value in values]
        figure.add_trace(
            go.Bar(
                x=values,
                y=[name if name != "unsplit" else "not split" for name in names],
                orientation="h",
                marker_color=[SPLIT_COLOURS[name] for name in names],
                text=[f"{value:,}{part}" for value, part in zip(values, share, strict=True)],
                textposition="auto",
                insidetextanchor="start",
                textangle=0,
                insidetextfont={"color": "#FFFFFF"},
                customdata=[count(value, one, unit) for value in values],
                hovertemplate="%{y}: %{customdata}<extra></extra>",
                showlegend=False,
            ),
            row=1,
            col=column,
        )
        figure.update_xaxes(title=axis_title(unit), fixedrange=True, nticks=4, row=1, col=column)
    figure.update_yaxes(autorange="reversed", fixedrange=True, showgrid=False)
    figure.update_layout(height=70 + 44 * max(1, len(names)), margin={"l": 8, "r": 8, "t": 8, "b": 40})
    return figure


def people_figure(table: pd.DataFrame, most: int = MOST_BARS) -> go.Figure:
    """HR images per person as bars coloured by split, in descending order; at most `most` people.

    `table` has one row per HR image, with `identity` and `split` ("" for none).
    """
    order = table["identity"].value_counts().head(most)
    names = list(order.index)
    figure = new_figure("images", height=_BAR_PX * max(1, len(names)) + 90, zoom=False)
    sides = table["split"].replace("", "unsplit")
    for split, colour in SPLIT_COLOURS.items():
        counts = table.loc[sides == split, "identity"].value_counts()
        values = [int(counts.get(name, 0)) for name in names]
        if any(values):
            figure.add_bar(
                x=values,
                y=list(range(len(names))),
                orientation="h",
                name=split if split != "unsplit" else "not split",
                marker_color=colour,
                customdata=[
                    f"{label(name, 200)}: {count(value, 'image')}" for name, value in zip(names, values, strict=True)
                ],
                hovertemplate="%{customdata} in " + split + "<extra></extra>",
            )
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    if len(figure.data) < 2:
        figure.update_layout(margin={"t": 8})
    figure.update_yaxes(**name_axis(names), autorange="reversed")
    return figure


def amounts_figure(table: pd.DataFrame) -> go.Figure:
    """The distribution of HR images per person. The axis of people is logarithmic where counts differ widely."""
    amounts = table["identity"].value_counts().value_counts().sort_index()
    log = bool(len(amounts)) and amounts.max() > 50 * max(1, int(amounts.min()))
    images, people = [int(each) for each in amounts.index], [int(each) for each in amounts]
    figure = new_figure(
        "images per person", f"people{' (logarithmic)' if log else ''}", height=240, legend="none", zoom=False
    )
    figure.add_bar(
        x=images,
        y=people,
        marker_color=SPLIT_COLOURS["train"],
        customdata=[
            f"{count(some, 'person', 'people')} with {count(each, 'image')}"
            for each, some in zip(images, people, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.update_yaxes(**(log_axis() if log else {"type": "linear"}))
    return figure
