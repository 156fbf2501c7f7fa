"""Charts of an evaluation's tables: DataFrame -> plotly figure, pure functions, for the HTML report and the page alike.

Names are data: they are escaped, since plotly takes some HTML for markup. Rates are drawn in percent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.evaluation.chart_style import NEUTRAL, PALETTE, label, log_axis, name_axis, new_figure

GENUINE, IMPOSTOR, BAR = PALETTE[0], PALETTE[1], "#8CC5BF"

_HEIGHT_PX = 380

GROUP_NOTE = (
    "The mean cosine of each small face's embedding to that of its own full-size face, and the gain over feeding the "
    "same encoder directly, by bicubic enlargement. Intervals come from resampling people. A group whose gain lies "
    "below 0 where others gain pays for them; don't compare groups that are marked as few."
)


def roc_chart(points: pd.DataFrame, by: Sequence[str]) -> go.Figure:
    """TAR over FAR, FAR logarithmic: a line for each value of the columns `by` of `curves`."""
    figure = _figure("False accept rate, %", "True accept rate, %")
    for name, some, colour in _lines(points, by):
        shown = some[some["far"] > 0]
        figure.add_scatter(x=shown["far"] * 100, y=shown["tar"] * 100, name=name, line_color=colour, mode="lines")
    figure.update_xaxes(**log_axis(exponentformat="none"))
    return figure


def det_chart(points: pd.DataFrame, by: Sequence[str]) -> go.Figure:
    """FRR over FAR, both logarithmic, with the diagonal of equal errors."""
    figure = _figure("False accept rate, %", "False reject rate, %")
    for name, some, colour in _lines(points, by):
        shown = some[(some["far"] > 0) & (some["tar"] < 1)]
        figure.add_scatter(x=shown["far"] * 100, y=(1 - shown["tar"]) * 100, name=name, line_color=colour, mode="lines")
    figure.add_scatter(
        x=[0.001, 100],
        y=[0.001, 100],
        mode="lines",
        line={"color": NEUTRAL, "dash": "dot", "width": 1},
        name="equal errors",
        hoverinfo="skip",
    )
    figure.update_xaxes(**log_axis(range=[-3, 2], exponentformat="none"))
    figure.update_yaxes(**log_axis(range=[-2, 2], exponentformat="none"))
    return figure


def histogram_chart(histogram: pd.DataFrame, threshold: float | None = None) -> go.Figure:
    """Shares of genuine and impostor scores, in bins of 0.02, with a line at `threshold`."""
    figure = _figure("Cosine score", "Share of pairs, %")
    low = histogram["low"].to_numpy()
    group = np.floor((low + 1) / 0.02 + 1e-6).astype(int)
    middle = -1 + 0.02 * np.arange(100) + 0.01
    for name, colour in (("genuine", GENUINE), ("impostor", IMPOSTOR)):
        counts = np.bincount(group, weights=histogram[name].to_numpy(dtype=float), minlength=100)[:100]
        share = counts / counts.sum() * 100 if counts.sum() else counts
        figure.add_bar(x=middle, y=share, name=name, marker_color=colour, opacity=0.65, width=0.02)
    every = (histogram["genuine"] + histogram["impostor"]).to_numpy(dtype=float)
    seen = middle[(np.bincount(group, weights=every) > 0)]
    if len(seen):
        figure.update_xaxes(range=[float(seen.min()) - 0.03, 1.0])
    if threshold is not None:
        figure.add_vline(
            x=threshold,
            line_color=NEUTRAL,
            line_dash="dot",
            annotation_text=f"threshold {threshold:.2f}",
            annotation_position="top",
        )
    figure.update_layout(barmode="overlay", bargap=0, margin={"t": 30})
    return figure


def cmc_chart(points: pd.DataFrame, by: Sequence[str]) -> go.Figure:
    """The share of probes whose own identity is among the first k."""
    figure = _figure("Rank", "Identified among the first, %")
    for name, some, colour in _lines(points, by):
        figure.add_scatter(x=some["rank"], y=some["rate"] * 100, name=name, line_color=colour, mode="lines")
    return figure


def resolution_chart(table: pd.DataFrame, measure: str, by: Sequence[str]) -> go.Figure:
    """`measure` ("eer", "tar", these with "_alike", or "rank1" of `resolution_table`) over the probe's size, with 95 %
    intervals as bars."""
    titles = {"eer": "Equal error rate", "tar": "True accept rate at FAR 0.1 %", "rank1": "Rank-1"}
    alike = ", people alike" if measure.endswith("_alike") else ""
    figure = _figure("Probe size, px", f"{titles[measure.removesuffix('_alike')]}{alike}, %")
    for name, some, colour in _lines(_to_hr(table).sort_values("size_px"), by):
        values = some[measure].astype(float) * 100
        error = None
        if f"{measure}_low" in some:
            error = {
                "type": "data",
                "symmetric": False,
                "thickness": 1,
                "width": 3,
                "array": some[f"{measure}_high"].astype(float) * 100 - values,
                "arrayminus": values - some[f"{measure}_low"].astype(float) * 100,
            }
        figure.add_scatter(
            x=some["size_px"], y=values, error_y=error, name=name, line_color=colour, mode="lines+markers"
        )
    sizes = sorted(table["size_px"].unique())
    figure.update_xaxes(type="log", tickvals=sizes, ticktext=["HR" if size == 112 else f"{size:.0f}" for size in sizes])
    return figure


def _to_hr(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with HR as the end of every degradation's line: full size isn't degraded, so it belongs to each."""
    hr, small = table[table["degradation"] == ""], table[table["degradation"] != ""]
    kinds = small["degradation"].unique()
    return pd.concat([small, *(hr.assign(degradation=kind) for kind in kinds)]) if len(kinds) else table


def per_identity_chart(table: pd.DataFrame, measure: str = "rank1", most: int = 40) -> go.Figure:
    """One bar a person, worst on top, with Wilson intervals; `measure` "rank1" or "accepted"."""
    title = "Rank-1, %" if measure == "rank1" else "Genuine scores accepted, %"
    some = table.sort_values([measure, "genuine_mean"], kind="stable").head(most).iloc[::-1]
    values = some[measure].astype(float) * 100
    names = [label(name, 26) for name in some["identity"]]
    figure = _figure(title, "", height=max(_HEIGHT_PX, 24 * len(some) + 110))
    figure.add_bar(
        x=values,
        y=list(range(len(some))),
        orientation="h",
        marker_color=BAR,
        width=0.7,
        showlegend=False,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": some[f"{measure}_high"] * 100 - values,
            "arrayminus": values - some[f"{measure}_low"] * 100,
            "thickness": 1.5,
            "width": 4,
            "color": "#14645D",
        },
        customdata=np.stack([some["probes"], some["genuine_mean"].astype(float)], axis=1) if len(some) else None,
        hovertemplate="%{text}: %{x:.1f} % of %{customdata[0]} probes, mean %{customdata[1]:.2f}<extra></extra>",
        text=names,
        textposition="none",
    )
    figure.update_yaxes(**name_axis(list(some["identity"]), 26))
    figure.update_xaxes(range=[0, 102])
    return figure


def group_charts(table: pd.DataFrame) -> Iterator[tuple[str, go.Figure]]:
    """(title, chart) of the mean similarity of small faces to their own full-size faces (`similarity`), a row for each
    group and a colour for each system, for every column of groups, mode, degradation and size; the smallest first."""
    grouped = table[table["by"] != table["group"]].sort_values("size_px", kind="stable")
    for (column, mode, degradation, probe), some in grouped.groupby(["by", "mode", "degradation", "probe"], sort=False):
        names = list(some["group"].unique())
        figure = _figure("Mean cosine to the own full-size face", "", height=max(200, 34 * len(names) + 130))
        systems = list(some["system"].unique())
        for position, system in enumerate(systems):
            own = some[some["system"] == system]
            shift = (position - (len(systems) - 1) / 2) * 0.18
            high, low = own["similarity_high"].astype(float), own["similarity_low"].astype(float)
            bounds = {"array": high - own["similarity"], "arrayminus": own["similarity"] - low}
            figure.add_scatter(
                x=own["similarity"],
                y=[names.index(name) + shift for name in own["group"]],
                name=label(system, 60),
                mode="markers",
                marker={"color": PALETTE[position % len(PALETTE)], "size": 9},
                error_x={"type": "data", "symmetric": False, "thickness": 1.5, "width": 4, **bounds},
                customdata=own[["group", "people", "images"]],
                hovertemplate="%{customdata[0]}: %{x:.3f}, %{customdata[1]} people<extra></extra>",
            )
        figure.update_yaxes(**name_axis(names, 26), autorange="reversed")
        yield f"{column}: {probe}, {degradation}, {mode}", figure


def reject_charts(table: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[str, go.Figure]]:
    """(title, chart) of the equal error rate over the share of images rejected: by the first measure in every view, and
    by every measure where one image is small, at the smallest size."""
    if "measure" not in table:  # written by an earlier version
        yield "Error against reject", _reject_chart(table, by)
        return
    first = str(table["measure"].iloc[0])
    yield f"Error against reject by {first}", _reject_chart(table[table["measure"] == first], by)
    some = table[table["pairing"] == "VLR-HR"]
    if table["measure"].nunique() > 1 and len(some):
        smallest = some[some["size_px"] == some["size_px"].min()]
        title = f"Error against reject by each measure, {smallest['probe'].iloc[0]} against HR"
        yield title, _reject_chart(smallest, [*by, "measure"])


def reject_note(table: pd.DataFrame) -> str:
    """How the images of a table of rejection were ranked, in words."""
    if "measure" not in table:
        return "Images are rejected by how well their embedding agrees with that of their mirror image, worst first."
    note = "Images are rejected by a measure, the lowest first: by recognisability, and by others to compare."
    if (table["measure"] == "mirror agreement").any():
        note += (
            " Mirror agreement is how well an embedding agrees with that of the mirror image; without flip it is known "
            "of a sample of people, and all curves are drawn for those."
        )
    return note


def _reject_chart(table: pd.DataFrame, by: Sequence[str]) -> go.Figure:
    figure = _figure("Worst images rejected, %", "Equal error rate of the rest, %")
    for name, some, colour in _lines(table, by):
        figure.add_scatter(
            x=some["rejected"] * 100, y=some["eer"] * 100, name=name, line_color=colour, mode="lines+markers"
        )
    figure.update_yaxes(rangemode="tozero")
    return figure


def distribution_chart(table: pd.DataFrame, measure: str) -> go.Figure:
    """A box for each size and upscaler: `measure` is "psnr_db", "ssim" or "similarity" of `sr_quality`."""
    titles = {"psnr_db": "PSNR, dB", "ssim": "SSIM", "similarity": "Identity similarity to HR (cosine)"}
    figure = _figure("Probe size, px", titles[measure])
    for position, (name, some) in enumerate(table.groupby("upscaler", sort=True)):
        figure.add_box(
            x=[f"{size:.0f} px" for size in some["size_px"]],
            y=some[measure],
            name=label(name, 60),
            marker_color=PALETTE[position % len(PALETTE)],
            boxpoints=False,
        )
    figure.update_layout(boxmode="group")
    return figure


def _lines(table: pd.DataFrame, by: Sequence[str]):  # type: ignore[no-untyped-def]
    """(name, rows, colour) for each value of `by` that has several; a column with one value names nothing."""
    telling = [column for column in by if table[column].nunique() > 1] or list(by[-1:])
    for position, (values, some) in enumerate(table.groupby(telling, sort=False)):
        parts = values if isinstance(values, tuple) else (values,)
        name = ", ".join(label(part, 60) for part in parts if str(part))
        yield name, some, PALETTE[position % len(PALETTE)]


def _figure(x: str, y: str, height: int = _HEIGHT_PX) -> go.Figure:
    figure = new_figure(x, y, height=height, legend="below")
    figure.update_layout(template="plotly_white", font={"family": "system-ui, sans-serif", "size": 13})
    return figure
