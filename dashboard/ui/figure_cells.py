"""Small tables of figures, each with a second line such as its interval, that fit a narrow screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.models.measured import BICUBIC, CAMERA, SIZES, Measured, Rate, Rates, size_name
from dashboard.ui.markdown import markup

Cell = tuple[str, str]
"""A figure, and the text below it."""


def cells_html(
    first: str, rows: Sequence[tuple[Cell, Mapping[str, Cell]]], hints: Mapping[str, str] | None = None
) -> str:
    """A table with a line for each of `rows`: its subject, and its figures by column. `first` is the title of the first
    column; `hints` are tooltips of columns. All text is escaped."""
    columns = list(dict.fromkeys(column for _, cells in rows for column in cells))
    tooltips = hints or {}
    head = "".join(f"<th title='{markup(tooltips.get(name, ''))}'>{markup(name)}</th>" for name in columns)
    body = "".join(
        f"<tr><th><b>{markup(name)}</b>{_below(below)}</th>"
        + "".join(_cell(*cells.get(column, ("", ""))) for column in columns)
        + "</tr>"
        for (name, below), cells in rows
    )
    top = f"<tr><th>{markup(first)}</th>{head}</tr>"
    return f"<table class='ef-acc'><thead>{top}</thead><tbody>{body}</tbody></table>"


def _cell(value: str, below: str) -> str:
    return f"<td><b>{markup(value)}</b>{_below(below)}</td>"


def _below(text: str) -> str:
    return f"<span>{markup(text)}</span>" if text else ""


_DEGRADATIONS = {BICUBIC: "Small by bicubic interpolation", CAMERA: "Small as by a camera: blur, noise, JPEG"}


def rates_html(figures: Measured) -> str:
    """Rates by probe size as a table with a part for each degradation: percent, with the 95 % interval below where it
    is known."""
    shown = figures.by_degradation
    sizes = [size for size in SIZES if any(size in rates.eer or size in rates.eer_vlr_hr for _, rates in shown)]
    head = "".join(f"<th>{size_name(size)}</th>" for size in sizes)
    bodies = "".join(
        f"<tbody><tr class='ef-group'><th colspan='{len(sizes) + 1}'>{_DEGRADATIONS[name]}</th></tr>"
        f"{_rate_rows(rates, sizes)}</tbody>"
        for name, rates in shown
    )
    return f"<table class='ef-rates'><thead><tr><th></th>{head}</tr></thead>{bodies}</table>"


def _rate_rows(rates: Rates, sizes: Sequence[str]) -> str:
    return "".join(
        f"<tr><th>{title}</th>{''.join(_rate_cell(found.get(size)) for size in sizes)}</tr>"
        for title, found in (("Both faces of that size", rates.eer), ("One small, one large", rates.eer_vlr_hr))
        if found
    )


def _rate_cell(rate: Rate | None) -> str:
    if rate is None:
        return "<td></td>"
    bounds = ""
    if rate.low is not None and rate.high is not None:
        bounds = f"<span>{rate.low * 100:.2f} to {rate.high * 100:.2f}</span>"
    return f"<td><b>{rate.value * 100:.2f} %</b>{bounds}</td>"
