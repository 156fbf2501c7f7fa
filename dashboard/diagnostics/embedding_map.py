"""The map section: embeddings in two dimensions, coloured by person, size or error, with the faces of a selection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from plotly.graph_objects import Figure
from streamlit.delta_generator import DeltaGenerator

from core.diagnostics.cloud import HR_VIEW, WRONG, Cloud
from core.diagnostics.job import layout_store
from core.diagnostics.layout import METHODS, Layout, Method, pca
from core.diagnostics.source import diagnose_config
from core.system.text import count
from dashboard.diagnostics.charts import map_figure
from dashboard.diagnostics.data import (
    begin,
    choose_embeddings,
    gallery_cloud,
    health_space,
    nobody_enrolled,
    outcomes_of,
    run_panel,
)
from dashboard.diagnostics.map_points import COLOURS, faces_of, groups_of, hover_of
from dashboard.shell.navigation import link
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import choose_one
from dashboard.ui.markdown import plain, shorten

MOST_FACES = 24


def map_panel() -> None:
    """Show the map section."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    what = row.segmented_control(
        "Embeddings of", ["A data set", "The gallery"], default="A data set", required=True, key="diagnostics_map_of"
    )
    if what == "The gallery":
        _of_gallery()
    else:
        _of_dataset(row)


def _of_gallery() -> None:
    space = health_space()
    if space is None:
        nobody_enrolled("scatter_plot", "Once people are enrolled, their templates are shown here.")
        return
    cloud = gallery_cloud(space)
    _map(cloud, f"The gallery: templates of {plain(space.encoder_name)}", diagnose_config("map", space))


def _of_dataset(row: DeltaGenerator) -> None:
    chosen = choose_embeddings(row)
    if chosen is not None:
        _map(chosen.cloud, plain(chosen.protocol), chosen.config)


def _map(cloud: Cloud, protocol: str, config: dict[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = choose_one("Method", METHODS, "diagnostics_method")
        colour = choose_one("Colour by", COLOURS, "diagnostics_colour")
        found = outcomes_of(cloud) if colour == "error" else None
        person = _highlighted(cloud, found)
        linked = len(cloud.views) > 1 and st.toggle("Lines from small to full size", key="diagnostics_lines")
    layout = _layout(cloud, method, config)
    if layout is None:
        return
    mark = _rows_of(cloud, person)
    figure = map_figure(
        layout.points,
        hover_of(cloud.key, cloud, found),
        groups_of(cloud, colour, found, person),
        lines=_pairs(cloud) if linked else None,
        mark=mark,
    )
    st.fragment(_chart)(figure, f"diagnostics_map_{cloud.key[:12]}_{method}_{colour}", cloud, mark, found)
    st.caption(f"{count(len(cloud), 'embedding')}. {protocol}. {_about(method)} {plain(layout.line)}".strip())
    link("help", "How to read a map", icon=":material/help:", topic="maps")


def _chart(figure: Figure, key: str, cloud: Cloud, mark: NDArray[np.int64], found: pd.DataFrame | None) -> None:
    """The map with the faces of the selected points next to it. A fragment: a selection reruns only this."""
    chart, beside = st.columns([5, 2], gap="medium")
    with chart:
        event = st.plotly_chart(
            figure,
            key=key,
            on_select="rerun",
            alt=f"Map of {count(len(cloud), 'embedding')}",
            config={"displaylogo": False, "modeBarButtonsToRemove": ["autoScale2d", "toImage"], "scrollZoom": True},
        )
    with beside:
        rows = selected_rows(event, len(cloud))
        _faces(cloud, rows if len(rows) else mark, found)


def _about(method: Method) -> str:
    if method == "pca":
        return "PCA: the two directions in which these embeddings vary most."
    return "t-SNE: neighbours stay neighbours; large distances and cluster sizes have no meaning."


def _layout(cloud: Cloud, method: Method, config: dict[str, Any]) -> Layout | None:
    """The layout: PCA at once, t-SNE where it is stored. Otherwise None, with the offer to compute it or its run."""
    if method == "pca":
        return _pca(cloud.key, cloud)
    kept = layout_store(settings()).read(cloud.key, "tsne", len(cloud))
    if kept is not None:
        return kept
    wanted = {**config, "points": len(cloud)}
    if run_panel(wanted, "Computing a t-SNE map", unit="points"):
        return None
    with st.container(border=True, key="diagnostics_tsne_offer"):
        st.markdown(f"#### :material/scatter_plot: A t-SNE map of {count(len(cloud), 'point')}")
        st.markdown(
            "t-SNE keeps neighbours together, which two linear directions can't. It is computed in the background, in "
            "about 10 s for 1,000 points and one to three minutes for 10,000, and stored."
        )
        if not allowed(Permission.RUN):
            not_yours("Computing it")
        elif st.button("Compute the map", type="primary", icon=":material/play_arrow:", key="diagnostics_tsne"):
            begin(wanted)
    return None


@st.cache_resource(max_entries=6, show_spinner=False)
def _pca(key: str, _cloud: Cloud) -> Layout:
    return pca(_cloud.vectors)


def _highlighted(cloud: Cloud, found: pd.DataFrame | None) -> str | None:
    """A person to highlight; people who are misidentified come first where errors are shown."""
    names = people_by_interest(cloud, found)
    key = f"diagnostics_person_{cloud.key[:12]}"
    return st.selectbox(
        "Highlight a person",
        names,
        index=None,
        placeholder="Or select points",
        key=key,
        format_func=lambda name: shorten(str(name), 60),
        width=260,
    )


def people_by_interest(cloud: Cloud, found: pd.DataFrame | None) -> list[str]:
    """Names with the most wrong outcomes first where these are known, else those with the most points."""
    table = cloud.table
    counts = table.groupby("identity").size()
    if found is not None:
        counts = (found["outcome"] == WRONG).astype(int).groupby(table["identity"]).sum()
    order = pd.DataFrame({"name": counts.index.astype(str), "count": counts.to_numpy()})
    return order.sort_values(["count", "name"], ascending=[False, True], kind="stable")["name"].tolist()


def _rows_of(cloud: Cloud, person: str | None) -> NDArray[np.int64]:
    if person is None:
        return np.zeros(0, np.int64)
    return np.flatnonzero((cloud.table["identity"] == person).to_numpy())


def _pairs(cloud: Cloud) -> NDArray[np.int64]:
    """(M, 2): the rows of each small face and its full-size face."""
    rows = np.flatnonzero(((cloud.table["view"] != HR_VIEW) & (cloud.table["hr"] >= 0)).to_numpy())
    return np.stack([rows, cloud.table["hr"].to_numpy(dtype=np.int64)[rows]], axis=1)


def selected_rows(event: Any, count_of_points: int) -> NDArray[np.int64]:
    """The rows of the selected points, each once, in the order of the table."""
    points: Sequence[Any] = (event or {}).get("selection", {}).get("points", [])
    rows = set()
    for point in points:
        value = point.get("customdata")
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int | float) and 0 <= int(value) < count_of_points:
            rows.add(int(value))
    return np.array(sorted(rows), dtype=np.int64)


def _faces(cloud: Cloud, rows: NDArray[np.int64], found: pd.DataFrame | None) -> None:
    if not len(rows):
        st.markdown("#### Faces")
        st.caption("Select points with the lasso, click one, or choose a person above to see their faces here.")
        return
    if found is not None:  # errors come first
        rows = rows[np.argsort((found["outcome"].to_numpy()[rows] != WRONG), kind="stable")]
    shown = rows[:MOST_FACES]
    of = f"{len(shown)} of {count(len(rows), 'point')}" if len(rows) > len(shown) else count(len(rows), "point")
    people = cloud.table["identity"].to_numpy()[rows]
    st.markdown(f"#### {of}, {count(len(set(people)), 'person', 'people')}")
    with st.container(height=500, border=False):
        faces_of(cloud, shown, found)
