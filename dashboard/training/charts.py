"""Charts of a training: tables of its history in, plotly figures over epochs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from core.evaluation.chart_style import (
    NEUTRAL,
    NOTE_PX,
    PALETTE,
    THRESHOLD,
    add_level,
    add_vertical,
    label,
    log_axis,
    new_figure,
    whole_decades,
)
from dashboard.training.averages import Averaged
from dashboard.training.labels import ERROR_RATES, FIGURES, NOTES_BY_EPOCH, NOTES_SIMILARITY

SIZE_COLOURS = {"16": PALETTE[1], "24": PALETTE[3], "32": PALETTE[0]}

Figures = Mapping[str, float]
NO_FIGURES: Figures = {}

_HEIGHT_PX = 280
_COMPARISON_PX = 360
_LOSS_PARTS = ("classification", "alignment", "teacher", "pixel", "identity", "features", "contrast")
_RATES = {"head": "head", "encoder": "encoder", "upscaler": "DSR", "landmarks": "landmark network"}
_FORMATS = {"lr": ".2e", "images_per_s": ",.0f"}


def loss_chart(epochs: pd.DataFrame, trace: pd.DataFrame) -> go.Figure:
    """Training and validation loss by epoch, with the loss within epochs as a thin line."""
    figure = _figure("loss", epochs)
    _within_epochs(figure, trace, "loss")
    _line(figure, epochs, "train.loss", "train", PALETTE[0])
    _line(figure, epochs, "val.loss", "validation", PALETTE[1])
    return figure


def parts_chart(epochs: pd.DataFrame) -> go.Figure | None:
    """The parts of the training loss on a logarithmic axis, since they differ by orders; None for fewer than two."""
    parts = [part for part in _LOSS_PARTS if has_values(epochs, f"train.{part}")]
    if len(parts) < 2:
        return None
    figure = _figure("part of the loss", epochs)
    for part, colour in zip(parts, PALETTE, strict=False):
        _line(figure, epochs, f"train.{part}", part, colour)
    return _logarithmic(figure)


def _logarithmic(figure: go.Figure) -> go.Figure:
    # Plotly enlarges powers of ten by a quarter, so their font is that much smaller than the other axes' 12 px.
    axis = log_axis(exponentformat="power", range=whole_decades(figure))
    return figure.update_yaxes(axis | {"tickfont": {"size": 10}})


def accuracy_chart(epochs: pd.DataFrame, chance: float | None = None, *, notes: bool = False) -> go.Figure | None:
    """Training and validation accuracy in percent with the chance level 1/N; None where neither was measured.

    `notes` draws the range that the notes expect of training accuracy.
    """
    if not (has_values(epochs, "train.accuracy") or has_values(epochs, "val.accuracy")):
        return None
    figure = _figure(_title("val.accuracy"), epochs)
    if notes:
        _range(figure, [(epoch, low * 100, high * 100) for epoch, low, high in NOTES_BY_EPOCH], "notes: train")
    _line(figure, epochs, "train.accuracy", "train", PALETTE[0])
    _line(figure, epochs, "val.accuracy", "validation", PALETTE[1])
    if chance:
        add_level(figure, chance * 100, f"chance {chance * 100:.2g} %")
    figure.update_yaxes(rangemode="tozero")
    return figure


def eer_chart(
    epochs: pd.DataFrame,
    before: Figures = NO_FIGURES,
    bicubic: Figures = NO_FIGURES,
    averaged: Averaged | None = None,
) -> go.Figure | None:
    """The equal error rate in validation in percent, overall and by size, with the best epoch marked; None without any.

    `before` are the figures before the first epoch, drawn at 0; `bicubic` those of bicubic upscaling, drawn as a level;
    `averaged` those of averages with the start: the one that the run keeps is marked.
    """
    figure = _by_size(epochs, "eer", before, bicubic)
    if figure is not None:
        _mark_best(figure, epochs, "val.eer")
        if averaged is not None and averaged.share < 1:
            _mark_average(figure, epochs, averaged)
        figure.update_yaxes(rangemode="tozero")
    return figure


def landmark_chart(epochs: pd.DataFrame) -> go.Figure | None:
    """The median landmark error in validation, overall and by size, with the best epoch marked; None without any."""
    figure = _by_size(epochs, "error_px", NO_FIGURES, NO_FIGURES)
    if figure is not None:
        _mark_best(figure, epochs, "val.error_px")
        figure.update_yaxes(rangemode="tozero")
    return figure


def similarity_chart(
    epochs: pd.DataFrame, before: Figures = NO_FIGURES, bicubic: Figures = NO_FIGURES, *, notes: bool = False
) -> go.Figure | None:
    """The mean cosine of SR and HR embeddings in validation, overall and by size; None without any.

    `before` and `bicubic` as in `eer_chart`; `notes` draws the range that the notes expect.
    """
    figure = _by_size(epochs, "similarity", before, bicubic)
    if figure is not None and notes:
        _range(figure, NOTES_SIMILARITY, "notes")
    return figure


def rate_chart(epochs: pd.DataFrame) -> go.Figure | None:
    """The learning rate of each trained part on a logarithmic axis; None where none is recorded."""
    columns = [column for column in epochs.columns if column.startswith("lr.") and has_values(epochs, column)]
    if not columns:
        return None
    figure = _figure("learning rate", epochs)
    for column, colour in zip(columns, PALETTE, strict=False):
        part = column.removeprefix("lr.")
        _line(figure, epochs[epochs[column] > 0], column, _RATES.get(part, label(part)), colour)
    return _logarithmic(figure)


def speed_chart(epochs: pd.DataFrame, trace: pd.DataFrame) -> go.Figure:
    """Images per second: within epochs, and the mean of each epoch."""
    figure = _figure("images per second", epochs)
    _within_epochs(figure, trace, "per_second")
    _line(figure, epochs, "images_per_s", "mean of the epoch", PALETTE[0])
    figure.update_yaxes(rangemode="tozero")
    return figure


def picture_chart(
    epochs: pd.DataFrame, measure: str, before: Figures = NO_FIGURES, bicubic: Figures = NO_FIGURES
) -> go.Figure | None:
    """A DSR's `measure` ("psnr_db" or "ssim") by size, each with its bicubic level as a dashed line of that colour."""
    columns = {f"{size} px": f"val.by_size.{size}.{measure}" for size in sizes(epochs)}
    columns = {name: column for name, column in columns.items() if has_values(epochs, column)}
    if not columns and has_values(epochs, f"val.{measure}"):
        columns = {"all sizes": f"val.{measure}"}
    if not columns:
        return None
    figure = _figure(_title(f"val.{measure}"), epochs)
    for (name, column), spare in zip(columns.items(), PALETTE * 4, strict=False):
        colour = SIZE_COLOURS.get(name.removesuffix(" px"), spare)
        _line(figure, epochs, column, name, colour, before=before)
        if column in bicubic:
            figure.add_hline(y=bicubic[column], line={"color": colour, "width": 1.2, "dash": "dash"}, opacity=0.8)
    return figure


def compare_chart(runs: Mapping[str, pd.DataFrame], column: str) -> go.Figure | None:
    """One of FIGURES by epoch, one line per run, named by the keys of `runs`; None where none measured it."""
    shown = {name: epochs for name, epochs in runs.items() if has_values(epochs, column)}
    if not shown:
        return None
    figure = _figure(_title(column), None)
    for (name, epochs), colour in zip(shown.items(), PALETTE * 4, strict=False):
        _line(figure, epochs, column, label(name, 34), colour)
    figure.update_layout(height=_COMPARISON_PX)
    return figure


def sizes(epochs: pd.DataFrame) -> list[str]:
    """The probe sizes that validation measured separately, smallest first: ["16", "24", "32"]."""
    found = {column.split(".")[2] for column in epochs.columns if column.startswith("val.by_size.")}
    return sorted(found, key=lambda size: (not size.isdigit(), int(size) if size.isdigit() else 0, size))


def has_values(epochs: pd.DataFrame, column: str) -> bool:
    """Whether `column` was measured in any epoch."""
    return column in epochs.columns and bool(epochs[column].notna().any())


def _by_size(epochs: pd.DataFrame, measure: str, before: Figures, bicubic: Figures) -> go.Figure | None:
    column = f"val.{measure}"
    if not has_values(epochs, column):
        return None
    figure = _figure(_title(column), epochs)
    for size in sizes(epochs):
        colour = SIZE_COLOURS.get(size, PALETTE[4])
        _line(figure, epochs, f"val.by_size.{size}.{measure}", f"{size} px", colour, before=before, thin=True)
    if measure == "eer":
        _line(figure, epochs, "val.eer_vlr_vlr", "VLR-VLR", PALETTE[2], before=before)
        if has_values(epochs, "val.eer_camera"):
            _line(figure, epochs, "val.eer_camera_vlr_vlr", "VLR-VLR, camera", PALETTE[5], before=before)
            _line(figure, epochs, "val.eer_camera", "VLR-HR, camera", PALETTE[7], before=before)
    _line(figure, epochs, column, "VLR-HR" if measure == "eer" else "all sizes", PALETTE[0], before=before)
    if column in bicubic:
        add_level(figure, bicubic[column] * _format(column)[0], "bicubic")
    return figure


def _figure(y_title: str, epochs: pd.DataFrame | None) -> go.Figure:
    figure = new_figure("epoch", y_title, height=_HEIGHT_PX)
    # The legend stands above the titles of the stages; uirevision keeps a zoomed view while points are added.
    figure.update_layout(hovermode="x unified", uirevision="keep", margin={"t": 52}, legend={"y": 1.1})
    figure.update_xaxes(rangemode="tozero")
    for start, title in _stage_borders(epochs):
        add_vertical(figure, start, title, colour=NEUTRAL, width=1, size=NOTE_PX)
    return figure


def _stage_borders(epochs: pd.DataFrame | None) -> list[tuple[float, str]]:
    """Where each later stage starts, as the number of epochs before it; a stage may have ended early."""
    if epochs is None or not len(epochs):
        return []
    starts = epochs[epochs["stage"] != epochs["stage"].shift()]
    return [(float(step) - 1, f"stage {number}") for number, step in enumerate(starts["step"], start=1)][1:]


def _format(column: str) -> tuple[float, str, str]:
    """Factor, digits and unit of a column, by its measure: those of val.eer for val.by_size.16.eer."""
    if column in FIGURES or (column := f"val.{column.rpartition('.')[2]}") in FIGURES:
        return FIGURES[column][1:]
    return 1.0, ".4f", ""


def _title(column: str) -> str:
    name, *_, unit = FIGURES[column]
    return f"{name},{unit}" if unit else name


def _line(
    figure: go.Figure,
    epochs: pd.DataFrame,
    column: str,
    name: str,
    colour: str,
    *,
    before: Figures = NO_FIGURES,
    thin: bool = False,
) -> None:
    if not has_values(epochs, column):
        return
    scale, digits, unit = _format(column)
    digits = _FORMATS.get(column.partition(".")[0], digits)
    measured = epochs[epochs[column].notna()]
    start = [before[column]] if column in before else []
    figure.add_scatter(
        x=[*(0.0 for _ in start), *measured["step"]],
        y=[value * scale for value in (*start, *measured[column])],
        name=name,
        mode="lines+markers" if len(measured) <= 40 else "lines",
        line={"color": colour, "width": 1.2 if thin else 2.2, "dash": "dot" if thin else "solid"},
        marker={"size": 5},
        hovertemplate=f"%{{y:{digits}}}{unit}",
    )


def _within_epochs(figure: go.Figure, trace: pd.DataFrame, column: str) -> None:
    if trace[column].notna().any():
        figure.add_scatter(
            x=trace["position"],
            y=trace[column],
            mode="lines",
            name="within epochs",
            hoverinfo="skip",
            line={"color": NEUTRAL, "width": 1},
            opacity=0.7,
        )


def _range(figure: go.Figure, points: Sequence[tuple[float, float, float]], name: str) -> None:
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


def _mark_best(figure: go.Figure, epochs: pd.DataFrame, column: str) -> None:
    best = epochs[epochs["best"] & epochs[column].notna()]
    if len(best):
        row = best.iloc[-1]
        figure.add_scatter(
            x=[row["step"]],
            y=[row[column] * _format(column)[0]],
            mode="markers",
            name="best",
            hoverinfo="skip",
            marker={"symbol": "star", "size": 13, "color": THRESHOLD},
        )


def _mark_average(figure: go.Figure, epochs: pd.DataFrame, averaged: Averaged) -> None:
    """The error rates of the kept average, at the epoch that was averaged."""
    best = epochs[epochs["best"]]
    rates = [averaged.kept[column] for column in ERROR_RATES if column in averaged.kept]
    if len(best) and rates:
        figure.add_scatter(
            x=[best.iloc[-1]["step"]] * len(rates),
            y=[rate * _format("val.eer")[0] for rate in rates],
            mode="markers",
            name=f"average kept, {averaged.percent}",
            hoverinfo="skip",
            marker={"symbol": "diamond", "size": 9, "color": THRESHOLD},
        )
