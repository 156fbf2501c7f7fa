"""Points of a map: their colours, hover texts and faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.diagnostics.cloud import ALONE, HR_VIEW, RIGHT, WRONG, Cloud
from core.evaluation.chart_style import NEUTRAL, PALETTE, label
from dashboard.diagnostics.charts import MOST_COLOURED, Group
from dashboard.diagnostics.data import crop_address
from dashboard.ui.markdown import shorten
from dashboard.ui.pictures import Picture, faces, picture_of_file

BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
_WIDTH_PX = 92

COLOURS = {"person": "Person", "size": "Size", "error": "Error"}

_OUTCOMES = {ALONE: NEUTRAL, RIGHT: PALETTE[0], WRONG: PALETTE[5]}
_SIZES = {"HR": PALETTE[0], "32 px": PALETTE[2], "24 px": PALETTE[3], "16 px": PALETTE[1]}


def groups_of(cloud: Cloud, colour: str, found: pd.DataFrame | None, person: str | None = None) -> list[Group]:
    """The points by colour, the most important drawn last. `found` are the outcomes, needed for "error"."""
    if colour == "size":
        values = cloud.table["view"].to_numpy(dtype=str)
        return [
            Group("full size" if view == HR_VIEW else view, _SIZES.get(view, PALETTE[place % len(PALETTE)]), rows)
            for place, view in enumerate(cloud.views)
            if len(rows := np.flatnonzero(values == view))
        ]
    if colour == "error" and found is not None:
        values = found["outcome"].to_numpy(dtype=str)
        return [
            Group(f"{name} ({len(rows):,})", _OUTCOMES[name], rows)
            for name in _OUTCOMES
            if len(rows := np.flatnonzero(values == name))
        ]
    return _by_person(cloud, person)


def _by_person(cloud: Cloud, person: str | None) -> list[Group]:
    """One colour for each of the people with the most points and for the highlighted person; grey for all others."""
    names = cloud.table["identity"].to_numpy(dtype=str)
    found, counts = np.unique(names, return_counts=True)
    order = [str(found[row]) for row in np.argsort(-counts, kind="stable")]
    if person is not None:
        order = [person, *(name for name in order if name != person)]
    coloured = order if len(order) <= MOST_COLOURED else order[: MOST_COLOURED - 1]
    groups = []
    rest = np.flatnonzero(~np.isin(names, coloured))
    if len(rest):
        groups.append(Group(f"{len(order) - len(coloured):,} others", NEUTRAL, rest))
    return groups + [
        Group(name, PALETTE[place % len(PALETTE)], np.flatnonzero(names == name)) for place, name in enumerate(coloured)
    ]


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs={pd.DataFrame: len})
def hover_of(key: str, _cloud: Cloud, found: pd.DataFrame | None) -> list[str]:
    """A text per point, escaped: the name, the size and, where known, the person identified instead."""
    names = [label(name, 40) for name in _cloud.table["identity"]]
    views = ["full size" if view == HR_VIEW else str(view) for view in _cloud.table["view"]]
    if found is None:
        return [f"{name}<br>{view}" for name, view in zip(names, views, strict=True)]
    outcomes = [misidentified_as(row) for row in found.to_dict("records")]
    return [
        f"{name}<br>{view}{f'<br>{label(words, 200)}' if words else ''}"
        for name, view, words in zip(names, views, outcomes, strict=True)
    ]


def misidentified_as(row: dict[object, object]) -> str:
    """ "identified as Ada (0.61, own 0.42)"; "" where the right person came first."""
    if row["outcome"] == WRONG:
        who = shorten(str(row["taken_for"]), 40)
        return f"identified as {who} ({row['impostor']:.2f}, own {row['genuine']:.2f})"
    return "the only photograph" if row["outcome"] == ALONE else ""


def faces_of(cloud: Cloud, rows: NDArray[np.int64] | Sequence[int], found: pd.DataFrame | None = None) -> None:
    """Show the faces of these rows with names, sizes and search outcomes."""
    faces([_picture(cloud, int(row), found) for row in rows], _WIDTH_PX)


def _picture(cloud: Cloud, row: int, found: pd.DataFrame | None) -> Picture:
    point: Mapping[Any, Any] = cloud.table.iloc[row].to_dict()
    small = point["view"] != HR_VIEW
    words = misidentified_as(found.iloc[row].to_dict()) if found is not None else ""
    facts = [shorten(str(point["identity"]), 40), str(point["view"]) if small else "", words]
    address = address_of(cloud, row)
    missing = "" if address else "no picture stored"
    caption = " · ".join(each for each in (*facts, missing) if each)
    return Picture(address or BLANK, caption, f"Face of {point['identity']}", pixels=small)


def address_of(cloud: Cloud, row: int) -> str | None:
    """A point's picture as an address for <img>: a crop of the gallery, its file, or its reduced HR image."""
    point: Mapping[Any, Any] = cloud.table.iloc[row].to_dict()
    if int(point["template"]) >= 0:
        return crop_address(int(point["owner"]), int(point["template"]))
    path = Path(str(point["path"]))
    reduced = point["view"] != HR_VIEW and (point["hr"] < 0 or cloud.table["path"].iloc[int(point["hr"])] == str(path))
    return picture_of_file(path, int(str(point["view"]).split(" ")[0]) if reduced else None)


def strip(pictures: Sequence[Picture]) -> None:
    """Show the faces of one finding in a row."""
    if pictures:
        faces(list(pictures), _WIDTH_PX)
    else:
        st.caption("No pictures are stored, only the embeddings needed for recognition.")
