"""One person of an evaluation: their figures, and every image with the nearest other person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from core.evaluation.chart_style import NEUTRAL, label, new_figure
from core.evaluation.per_identity import worst_images
from core.evaluation.picture_lookup import SeenPictures
from core.evaluation.plots import GENUINE, IMPOSTOR
from core.evaluation.result import Evaluation
from core.images import encode_image, resize
from core.settings import CROP_PX
from core.system.text import count
from dashboard.accuracy.data import EvaluationEntry
from dashboard.accuracy.labels import interval, rate
from dashboard.accuracy.tables import chart, table_download
from dashboard.ui.components import name_line
from dashboard.ui.markdown import markup, plain
from dashboard.ui.pictures import image_address

PER_PAGE = 12


def person_view(
    entry: EvaluationEntry, evaluation: Evaluation, rows: pd.DataFrame, name: str, threshold: float
) -> None:
    """Draw the person called `name`; `rows` are those of `per_identity` in the chosen view."""
    own = rows[rows["identity"] == name]
    if own.empty:
        st.info("This person has no figures for this selection.", icon=":material/person_off:")
        return
    row: dict[Any, Any] = own.iloc[0].to_dict()
    with st.container(border=True, key="accuracy_person_box"):
        name_line(name, f"{count(int(row['images']), 'image')}, probes of {row['probe']}, {row['system']}")
        st.html(facts_html(row, threshold))
        probes = evaluation.table("probes")
        if probes.empty:
            st.caption(
                "This run has no table of single probes, because there were too many. Measure fewer people or sizes."
            )
            return
        view = [probes[column] == row[column] for column in ("system", "mode", "degradation", "probe")]
        probes = probes[view[0] & view[1] & view[2] & view[3]]
        theirs = worst_images(probes, name, most=len(probes))
        figure = scores_chart(theirs, threshold)
        chart(
            figure,
            "accuracy_person_scores",
            alt="Scores of each image against this person and the nearest other person",
        )
        st.caption(plain(_sentence(theirs)))
        _images(entry, probes, theirs, row)
        table_download(theirs, f"{entry.run.name}-person", key="accuracy_person_csv", label="Scores as CSV")


def facts_html(row: Mapping[Any, Any], threshold: float) -> str:
    """The person's figures as cards, with their intervals."""
    cards = (
        ("Rank-1", rate(row["rank1"], 1), interval(row["rank1_low"], row["rank1_high"], 1)),
        (
            f"Accepted at {threshold:.2f}",
            rate(row["accepted"], 1),
            interval(row["accepted_low"], row["accepted_high"], 1),
        ),
        ("Mean own score", _score(row["genuine_mean"]), f"lowest {_score(row['genuine_lowest'])}"),
        ("Highest score of others", _score(row["highest_impostor"]), str(row["highest_impostor_identity"])),
    )
    cells = "".join(
        f"<div><span class='ef-quiet'>{markup(title)}</span><b>{markup(value)}</b>"
        f"<span class='ef-quiet'>{markup(below)}</span></div>"
        for title, value, below in cards
    )
    return f"<div class='ef-facts'>{cells}</div>"


def scores_chart(theirs: pd.DataFrame, threshold: float) -> go.Figure:
    """The score of each image against its own person and the highest against anyone else, lowest on the left."""
    order = list(range(1, len(theirs) + 1))
    figure = new_figure("images, lowest first", "cosine score", height=240)
    for column, name, colour, symbol in (
        ("genuine", "own person", GENUINE, "circle"),
        ("impostor", "nearest other person", IMPOSTOR, "x"),
    ):
        others = theirs["impostor_identity"] if column == "impostor" else theirs["identity"]
        figure.add_scatter(
            x=order,
            y=theirs[column],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 7},
            customdata=[label(each, 40) for each in others],
            hovertemplate="image %{x}: %{customdata} %{y:.3f}<extra></extra>",
        )
    figure.add_hline(y=threshold, line_color=NEUTRAL, line_dash="dot", line_width=1)
    figure.update_xaxes(showgrid=False)
    return figure


def probe_html(row: Mapping[Any, Any], size_px: int, pictures: SeenPictures, other: str) -> str:
    """One probe as HTML: as the encoder received it, at full size, and an image of the nearest other person."""
    rank = row["rank"]
    wrong, unknown = bool(rank > 1), not bool(row["acquired"])
    small = pictures.probe(str(row["image"]), str(row["sha256"]), size_px, str(row["degradation"]))
    cells = [_cell(small, row["probe"], pixels=size_px < CROP_PX)] if size_px < CROP_PX else []
    cells.append(_cell(pictures.hr(str(row["image"])), "HR"))
    whose = str(row["impostor_identity"])
    said = f"{'mistaken for' if wrong else 'nearest other:'} {whose}"
    cells.append(_cell(pictures.hr(other) if other else None, said))
    if unknown:
        text = "No usable face was found."
    else:
        sign = "&lt;" if row["genuine"] < row["impostor"] else "&gt;"
        own = f"own {_score(row['genuine'])} {sign} {_score(row['impostor'])}"
        text = f"{own}, rank {int(rank)}" if pd.notna(rank) else own
    kind = "ef-wrong" if wrong or unknown else "ef-right"
    return (
        f"<figure class='{kind}'><div style='grid-template-columns: repeat({len(cells)}, 1fr)'>{''.join(cells)}</div>"
        f"<figcaption>{text} <span class='ef-quiet'>{markup(_short(str(row['image'])))}</span></figcaption></figure>"
    )


def _images(entry: EvaluationEntry, probes: pd.DataFrame, theirs: pd.DataFrame, row: Mapping[Any, Any]) -> None:
    pages = -(-len(theirs) // PER_PAGE)
    page = 1
    if pages > 1:
        page = st.pagination(pages, key=f"accuracy_images_{row['identity']}_{row['probe']}", max_visible_pages=5)
    part = theirs.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
    pictures = SeenPictures(entry.config)
    size = int(row["size_px"])
    cells = "".join(probe_html(each, size, pictures, _other(each, probes)) for each in part.to_dict("records"))
    st.html(f"<div class='ef-probes'>{cells}</div>")
    if row["mode"] == "end to end" and size < CROP_PX:
        st.caption("End to end, the whole photograph was reduced. The small images here are the reduced aligned crops.")


def _other(row: Mapping[Any, Any], probes: pd.DataFrame) -> str:
    """The nearest image of the nearest other person, or any of theirs if the run has no record of it."""
    known = row.get("impostor_image")
    if isinstance(known, str) and known:
        return known
    theirs = probes[probes["identity"] == row["impostor_identity"]]
    return str(theirs["image"].iloc[0]) if len(theirs) else ""


def _cell(rgb: NDArray[np.uint8] | None, label: str, *, pixels: bool = False) -> str:
    below = f"<small>{markup(label)}</small>"
    if rgb is None:
        return f"<span><span class='ef-noface'>no longer available</span>{below}</span>"
    side = max(rgb.shape[:2])
    if side > 2 * CROP_PX:
        scale = 2 * CROP_PX / side
        rgb = resize(rgb, (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))))
    address = image_address(encode_image(rgb, "png") if side <= 64 else encode_image(rgb, quality=86))
    kind = " class='ef-pixels'" if pixels else ""
    return f"<span><img{kind} src='{address}' alt='{markup(label)}'>{below}</span>"


def _sentence(theirs: pd.DataFrame) -> str:
    wrong = theirs[theirs["rank"] > 1]
    missed = int((~theirs["acquired"].astype(bool)).sum())
    unusable = f"{count(missed, 'image')} had no usable face. " if missed else ""
    if wrong.empty:
        return f"{unusable}No image was mistaken for someone else. The dotted line is the threshold."
    others = wrong["impostor_identity"].value_counts()
    listed = ", ".join(f"{name} ({number})" for name, number in others.head(5).items())
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    were = "was" if len(wrong) == 1 else "were"
    return (
        f"{unusable}{len(wrong)} of {count(len(theirs), 'image')} {were} mistaken for someone else: {listed}{more}. "
        "The dotted line is the threshold."
    )


def _score(value: object) -> str:
    return "n/a" if pd.isna(value) else f"{float(value):.3f}"  # type: ignore[call-overload,arg-type]


def _short(name: str) -> str:
    return name.rpartition("/")[2]
