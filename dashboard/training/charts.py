"""Charts of a training run: its history's tables in, plotly figures out. All of them share the axis of epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from core.evaluation.chart_style import NEUTRAL, NOTE_PX, PALETTE, THRESHOLD, add_level, label, log_axis, new_figure
from dashboard.training.labels import NOTES_BY_EPOCH, NOTES_SIMILARITY

SIZE_COLOURS = {"16": PALETTE[1], "24": PALETTE[3], "32": PALETTE[0]}

Figures = Mapping[str, float]
NOTHING: Figures = {}

_HEIGHT_PX = 280
_PERCENT = 100.0
_PARTS = {
    "train.classification": "classification",
    "train.alignment": "alignment",
    "train.teacher": "teacher",
    "train.pixel": "pixel",
    "train.identity": "identity",
    "train.features": "features",
}
_TITLES = {"head": "head", "encoder": "encoder", "upscaler": "DSR"}


def loss_chart(epochs: pd.DataFrame, trace: pd.DataFrame) -> go.Figure:
    """Training and validation loss an epoch over the thin curve within epochs."""
    figure = _figure("loss", epochs)
    if trace["loss"].notna().any():
        figure.add_scatter(
            x=trace["position"],
            y=trace["loss"],
            mode="lines",
            name="within epochs",
            hoverinfo="skip",
            line={"color": NEUTRAL, "width": 1},
            opacity=0.7,
        )
    _line(figure, epochs, "train.loss", "train", PALETTE[0], ".4f")
    _line(figure, epochs, "val.loss", "validation", PALETTE[1], ".4f")
    return figure


def parts_chart(epochs: pd.DataFrame) -> go.Figure | None:
    """The parts of the training loss on a logarithmic axis, since they differ by orders; None for fewer than two."""
    parts = [column for column in _PARTS if _has(epochs, column)]
    if len(parts) < 2:
        return None
    figure = _figure("part of the loss", epochs)
    for column, colour in zip(parts, PALETTE, strict=False):
        _line(figure, epochs, column, _PARTS[column], colour, ".4f")
    figure.update_yaxes(**log_axis(exponentformat="power"))
    return figure


def accuracy_chart(epochs: pd.DataFrame, chance: float | None = None, *, notes: bool = False) -> go.Figure | None:
    """Accuracy in percent beside the chance level 1/N; `notes` draws what the notes expect of training accuracy.

    None where neither training nor validation measured any.
    """
    if not (_has(epochs, "train.accuracy") or _has(epochs, "val.accuracy")):
        return None
    figure = _figure("accuracy, %", epochs)
    if notes:
        _band(figure, [(epoch, low * _PERCENT, high * _PERCENT) for epoch, low, high in NOTES_BY_EPOCH], "notes: train")
    _line(figure, epochs, "train.accuracy", "train", PALETTE[0], ".1f", _PERCENT, " %")
    _line(figure, epochs, "val.accuracy", "validation", PALETTE[1], ".1f", _PERCENT, " %")
    if chance:
        add_level(figure, chance * _PERCENT, f"chance {chance * _PERCENT:.2g} %")
    figure.update_yaxes(rangemode="tozero")
    return figure


def eer_chart(epochs: pd.DataFrame, before: Figures = NOTHING, bicubic: Figures = NOTHING) -> go.Figure | None:
    """Validation's equal error rate in percent, in all and by size; the best epoch is marked. None without any.

    `before` are the figures before the first epoch, drawn at 0; `bicubic` those of plain enlargement, a level.
    """
    figure = _verification(epochs, "eer", "EER, %", ".2f", _PERCENT, before, bicubic)
    if figure is not None:
        _mark_best(figure, epochs, "val.eer", _PERCENT)
        figure.update_yaxes(rangemode="tozero")
    return figure


def similarity_chart(
    epochs: pd.DataFrame, before: Figures = NOTHING, bicubic: Figures = NOTHING, *, notes: bool = False
) -> go.Figure | None:
    """Mean cosine of the enlarged and the sharp face in validation, in all and by size; `before` and `bicubic` as in
    `eer_chart`, `notes` draws what the notes expect. None without any."""
    figure = _verification(epochs, "similarity", "similarity", ".4f", 1.0, before, bicubic)
    if figure is not None and notes:
        _band(figure, NOTES_SIMILARITY, "notes")
    return figure


def _verification(
    epochs: pd.DataFrame, measure: str, title: str, digits: str, scale: float, before: Figures, bicubic: Figures
) -> go.Figure | None:
    if not _has(epochs, f"val.{measure}"):
        return None
    figure = _figure(title, epochs)
    unit = " %" if scale == _PERCENT else ""
    for size in sizes(epochs):
        column = f"val.by_size.{size}.{measure}"
        colour = SIZE_COLOURS.get(size, PALETTE[4])
        _line(figure, epochs, column, f"{size} px", colour, digits, scale, unit, width=1.2, dash="dot", before=before)
    if measure == "eer":
        _line(figure, epochs, "val.eer_vlr_vlr", "VLR-VLR", PALETTE[2], digits, scale, unit, before=before)
    name = "VLR-HR" if measure == "eer" else "all sizes"
    _line(figure, epochs, f"val.{measure}", name, PALETTE[0], digits, scale, unit, before=before)
    if f"val.{measure}" in bicubic:
        add_level(figure, bicubic[f"val.{measure}"] * scale, "bicubic")
    return figure


def rate_chart(epochs: pd.DataFrame) -> go.Figure | None:
    """The learning rate of each part that is trained, on a logarithmic axis. None where nothing was said."""
    columns = [column for column in epochs.columns if column.startswith("lr.") and _has(epochs, column)]
    if not columns:
        return None
    figure = _figure("learning rate", epochs)
    for column, colour in zip(columns, PALETTE, strict=False):
        name = column.removeprefix("lr.")
        _line(figure, epochs[epochs[column] > 0], column, _TITLES.get(name, label(name)), colour, ".2e")
    figure.update_yaxes(**log_axis(exponentformat="power"))
    return figure


def speed_chart(epochs: pd.DataFrame, trace: pd.DataFrame) -> go.Figure:
    """Images a second: within epochs, and an epoch's mean."""
    figure = _figure("images a second", epochs)
    if trace["per_second"].notna().any():
        figure.add_scatter(
            x=trace["position"],
            y=trace["per_second"],
            mode="lines",
            name="within epochs",
            hoverinfo="skip",
            line={"color": NEUTRAL, "width": 1},
            opacity=0.7,
        )
    _line(figure, epochs, "images_per_s", "mean of the epoch", PALETTE[0], ",.0f")
    figure.update_yaxes(rangemode="tozero")
    return figure


def picture_chart(
    epochs: pd.DataFrame, measure: str, before: Figures = NOTHING, bicubic: Figures = NOTHING
) -> go.Figure | None:
    """A DSR's `measure` ("psnr_db" or "ssim") by size, each beside its bicubic level of the same colour, dashed."""
    found = [size for size in sizes(epochs) if _has(epochs, f"val.by_size.{size}.{measure}")]
    columns = {f"{size} px": f"val.by_size.{size}.{measure}" for size in found}
    if not columns and _has(epochs, f"val.{measure}"):
        columns = {"all sizes": f"val.{measure}"}
    if not columns:
        return None
    digits = ".2f" if measure == "psnr_db" else ".4f"
    figure = _figure("PSNR, dB" if measure == "psnr_db" else "SSIM", epochs)
    for (name, column), spare in zip(columns.items(), PALETTE * 4, strict=False):
        colour = SIZE_COLOURS.get(name.removesuffix(" px"), spare)
        _line(figure, epochs, column, name, colour, digits, before=before)
        if column in bicubic:
            figure.add_hline(y=bicubic[column], line={"color": colour, "width": 1.2, "dash": "dash"}, opacity=0.8)
    return figure


def compare_chart(runs: Mapping[str, pd.DataFrame], column: str, title: str, scale: float = 1.0) -> go.Figure | None:
    """One figure over the epochs of several runs, a line each, named by the keys. None where none measured it."""
    shown = {name: epochs for name, epochs in runs.items() if _has(epochs, column)}
    if not shown:
        return None
    figure = _figure(title, None)
    for (name, epochs), colour in zip(shown.items(), PALETTE * 4, strict=False):
        _line(figure, epochs, column, label(name, 34), colour, ".4g", scale)
    figure.update_layout(height=360)
    return figure


def sizes(epochs: pd.DataFrame) -> list[str]:
    """The probe sizes that validation told apart, smallest first: ["16", "24", "32"]."""
    found = {column.split(".")[2] for column in epochs.columns if column.startswith("val.by_size.")}
    return sorted(found, key=lambda size: (not size.isdigit(), int(size) if size.isdigit() else 0, size))


def _has(epochs: pd.DataFrame, column: str) -> bool:
    return column in epochs.columns and bool(epochs[column].notna().any())


def _figure(y_title: str, epochs: pd.DataFrame | None) -> go.Figure:
    figure = new_figure("epoch", y_title, height=_HEIGHT_PX)
    # uirevision: a zoomed view stays while new points arrive.
    figure.update_layout(hovermode="x unified", uirevision="keep", margin={"t": 44})
    figure.update_xaxes(rangemode="tozero")
    for start, title in _borders(epochs):
        figure.add_vline(x=start, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=start,
            y=1,
            yref="paper",
            text=f" {title}",
            showarrow=False,
            xanchor="left",
            yanchor="top",
            font={"size": NOTE_PX, "color": NEUTRAL},
        )
    return figure


def _borders(epochs: pd.DataFrame | None) -> list[tuple[float, str]]:
    """Where each later stage began, in epochs done before it; a stage may have ended before its time."""
    if epochs is None or not len(epochs):
        return []
    begins = epochs[epochs["stage"] != epochs["stage"].shift()]
    return [(float(step) - 1, f"stage {number}") for number, step in enumerate(begins["step"], start=1)][1:]


def _line(
    figure: go.Figure,
    epochs: pd.DataFrame,
    column: str,
    name: str,
    colour: str,
    digits: str,
    scale: float = 1.0,
    unit: str = "",
    *,
    width: float = 2.2,
    dash: str = "solid",
    before: Figures = NOTHING,
) -> None:
    if not _has(epochs, column):
        return
    seen = epochs[epochs[column].notna()]
    start = [(0.0, before[column])] if column in before else []
    figure.add_scatter(
        x=[*(x for x, _ in start), *seen["step"]],
        y=[y * scale for y in (*(y for _, y in start), *seen[column])],
        name=name,
        mode="lines+markers" if len(seen) <= 40 else "lines",
        line={"color": colour, "width": width, "dash": dash},
        marker={"size": 5},
        hovertemplate=f"%{{y:{digits}}}{unit}",
    )


def _band(figure: go.Figure, points: Sequence[tuple[float, float, float]], name: str) -> None:
    steps = [step for step, _, _ in points]
    lows, highs = [low for _, low, _ in points], [high for _, _, high in points]
    figure.add_scatter(
        x=[*steps, *reversed(steps)],
        y=[*highs, *reversed(lows)],
        fill="toself",
        mode="none",
        name=name,
        fillcolor="rgba(154, 163, 165, .22)",
        hoverinfo="skip",
    )


def _mark_best(figure: go.Figure, epochs: pd.DataFrame, column: str, scale: float) -> None:
    best = epochs[epochs["best"] & epochs[column].notna()]
    if len(best):
        row = best.iloc[-1]
        figure.add_scatter(
            x=[row["step"]],
            y=[row[column] * scale],
            mode="markers",
            name="best",
            hoverinfo="skip",
            marker={"symbol": "star", "size": 13, "color": THRESHOLD},
        )
