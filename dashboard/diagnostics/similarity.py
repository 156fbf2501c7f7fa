"""The similarity section: people with one another, small faces with their own HR image, the spread of embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.diagnostics.cloud import HR_VIEW, Cloud
from core.diagnostics.similarity import (
    MOST_IN_MATRIX,
    by_person,
    by_size,
    nearest_people,
    people_matrix,
    small_against_hr,
    strangers_by_size,
)
from core.diagnostics.spread import Spread, spread_of
from core.encoder.health import MAX_MEAN_ABS_COSINE, MIN_STD
from core.models.encoders import WeightsFile
from core.system.text import count
from dashboard.diagnostics.charts import matrix_figure, sizes_figure, stds_figure
from dashboard.diagnostics.data import choose_embeddings
from dashboard.diagnostics.map_points import BLANK, address_of, faces_of
from dashboard.shell.navigation import link
from dashboard.ui.markdown import markup, plain, shorten
from dashboard.ui.pictures import Picture, faces

_PEOPLE_ROWS = 200
_NEAREST = 8


def similarity_panel() -> None:
    """Show the similarity section."""
    chosen = choose_embeddings(st.container(horizontal=True, vertical_alignment="bottom"))
    if chosen is None:
        return
    cloud = chosen.cloud
    st.caption(f"{plain(chosen.protocol)}.")
    _matrix(cloud)
    _small(cloud)
    _spread(cloud, chosen.weights)


def _matrix(cloud: Cloud) -> None:
    st.subheader("People with one another", anchor=False)
    names = sorted(cloud.table["identity"].astype(str).unique())
    if len(names) < 2:
        st.info("There is only one person, so nobody to compare with.", icon=":material/person:")
        return
    counts = cloud.table.groupby("identity").size()
    first = str(counts.sort_values(ascending=False, kind="stable").index[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        person = st.selectbox(
            "Person and the most similar people",
            names,
            index=names.index(first),
            width=320,
            format_func=lambda name: shorten(name, 60),
            key=f"diagnostics_near_{cloud.key[:12]}",
        )
        view = HR_VIEW
        if len(cloud.views) > 1:
            view = st.segmented_control(
                "Faces of",
                cloud.views,
                default=HR_VIEW,
                required=True,
                key=f"diagnostics_view_{cloud.key[:12]}",
                format_func=lambda each: "full size" if each == HR_VIEW else each,
            )
    chosen = st.multiselect(
        "Or select people",
        names,
        max_selections=MOST_IN_MATRIX,
        key=f"diagnostics_people_{cloud.key[:12]}",
        placeholder="None selected: the person above and the most similar people",
        select_all=False,
        format_func=lambda name: shorten(name, 40),
    )
    people = chosen or nearest_people(cloud, person, min(_NEAREST, len(names)), view)
    matrix = people_matrix(cloud, people, view)
    st.plotly_chart(
        matrix_figure(matrix),
        key="diagnostics_matrix",
        config={"displayModeBar": False},
        alt=f"Mean cosines of {len(people)} people with one another",
    )
    st.caption(
        "Mean cosine over all pairs of photographs. The diagonal compares photographs of the same person and should "
        "stand out; it is blank where there is only one photograph."
    )
    rows = [
        int(np.flatnonzero((cloud.table["identity"] == name) & (cloud.table["view"] == view))[0]) for name in people
    ]
    faces_of(cloud, rows)


def _small(cloud: Cloud) -> None:
    st.subheader("Small faces and their own HR images", anchor=False)
    pairs, people = _pairs(cloud.key, cloud)
    if pairs.empty:
        st.info("Select small sizes above to see how similar they are to full size.", icon=":material/zoom_in:")
        return
    sizes = by_size(pairs, strangers_by_size(cloud))
    st.plotly_chart(
        sizes_figure(sizes, pairs),
        key="diagnostics_sizes_chart",
        config={"displayModeBar": False},
        alt="Cosine of small faces to their own HR images, by size",
    )
    st.dataframe(sizes, hide_index=True, width="stretch", column_config=_SIZE_COLUMNS)
    st.markdown("**People, the least similar first.** Select a row to see the face that differs most.")
    table = people.head(_PEOPLE_ROWS)
    event = st.dataframe(
        table[["identity", "view", "images", "mean", "lowest"]],
        hide_index=True,
        width="stretch",
        height=300,
        on_select="rerun",
        selection_mode="single-row",
        key=f"diagnostics_worst_{cloud.key[:12]}",
        column_config=_PERSON_COLUMNS,
    )
    if len(people) > len(table):
        st.caption(f"Showing the {len(table):,} of {len(people):,} rows with the lowest mean.")
    chosen = event.get("selection", {}).get("rows", []) if event else []
    row = int(chosen[0]) if chosen and chosen[0] < len(table) else 0
    _worst(cloud, table.iloc[row])


def _worst(cloud: Cloud, row: pd.Series) -> None:
    """The small face least similar to its own HR image, next to that image."""
    small = int(row["row"])
    st.html(f"<div class='ef-name'>{markup(shorten(str(row['identity']), 60))}</div>")
    shown = [(str(row["view"]), small, True), ("full size", int(cloud.table["hr"].iloc[small]), False)]
    faces(
        [
            Picture(address_of(cloud, each) or BLANK, words, f"Face of {row['identity']}", pixels=pixels)
            for words, each, pixels in shown
        ],
        112,
    )
    st.caption(
        f"{row['view']}: cosine {row['lowest']:.3f} to its own HR image, the lowest of "
        f"{count(int(row['images']), 'image')}."
    )


@st.cache_resource(max_entries=3, show_spinner=False)
def _pairs(key: str, _cloud: Cloud) -> tuple[pd.DataFrame, pd.DataFrame]:
    pairs = small_against_hr(_cloud)
    return pairs, by_person(pairs)


def _spread(cloud: Cloud, weights: WeightsFile) -> None:
    st.subheader("Spread of embeddings", anchor=False)
    found = {view: _measured(cloud.key, view, cloud) for view in cloud.views if len(cloud.only(view)) > 1}
    if not found:
        st.info("There is only one embedding.", icon=":material/info:")
        return
    for view, spread in found.items():
        name = "full size" if view == HR_VIEW else view
        bad = spread.between.mean_abs_cosine > MAX_MEAN_ABS_COSINE
        icon = ":material/warning:" if bad else ":material/check_circle:"
        st.markdown(f"{icon} **{name}**: {plain(spread.line)}")
    first = next(iter(found))
    st.plotly_chart(
        stds_figure(found[first].stds, found[first].ceiling),
        key="diagnostics_stds",
        config={"displayModeBar": False},
        alt="Standard deviation of every dimension",
    )
    st.caption(
        f"A mean standard deviation below {MIN_STD:.3f} or a cosine above {MAX_MEAN_ABS_COSINE:.2f} means that "
        f"{plain(weights.name)} hardly tells people apart. Synthetic faces look alike to any network. The lengths of "
        "embeddings before normalisation are in the table under Models, once the three causes have been tested."
    )
    link("help", "What these figures mean", icon=":material/help:", topic="maps")


@st.cache_resource(max_entries=12, show_spinner=False)
def _measured(key: str, view: str, _cloud: Cloud) -> Spread:
    rows = _cloud.only(view)
    people = np.unique(_cloud.table["identity"].to_numpy(dtype=str)[rows], return_inverse=True)[1]
    return spread_of(_cloud.vectors[rows], people.astype(np.int64))


_number = st.column_config.NumberColumn
_SIZE_COLUMNS: dict[str, Any] = {
    "view": "Size",
    "pairs": "Faces",
    "people": "People",
    "mean": _number("Mean", format="%.3f"),
    "p5": _number("5th percentile", format="%.3f"),
    "p95": _number("95th", format="%.3f"),
    "lowest": _number("Lowest", format="%.3f"),
    "strangers": _number("To others' HR", format="%.3f", help="Mean cosine to the HR images of other people."),
}
_PERSON_COLUMNS: dict[str, Any] = {
    "identity": "Person",
    "view": "Size",
    "images": "Faces",
    "mean": _number("Mean", format="%.3f"),
    "lowest": _number("Lowest", format="%.3f"),
}
