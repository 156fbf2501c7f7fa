"""How points of a map are coloured and what a pointer over one says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.diagnostics.cloud import ALONE, HR_VIEW, RIGHT, WRONG, Cloud
from core.evaluation.chart_style import NEUTRAL, PALETTE, label
from dashboard.diagnostics.charts import MOST_COLOURED, Group
from dashboard.ui.markdown import shorten

COLOURS = {"person": "Person", "size": "Size", "error": "Error"}

_OUTCOMES = {ALONE: NEUTRAL, RIGHT: PALETTE[0], WRONG: PALETTE[5]}
_SIZES = {"HR": PALETTE[0], "32 px": PALETTE[2], "24 px": PALETTE[3], "16 px": PALETTE[1]}


def groups_of(cloud: Cloud, colour: str, found: pd.DataFrame | None, person: str | None = None) -> list[Group]:
    """The points by colour, those that matter most drawn last. `found` are the outcomes, needed for "error"."""
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
    """The people with the most points get a colour each, and whoever is looked at; all others share grey."""
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
    """A text a point: who, at which size, and whom they were taken for where that is known. Escaped."""
    names = [label(name, 40) for name in _cloud.table["identity"]]
    views = ["full size" if view == HR_VIEW else str(view) for view in _cloud.table["view"]]
    if found is None:
        return [f"{name}<br>{view}" for name, view in zip(names, views, strict=True)]
    told = [taken_for(row) for row in found.to_dict("records")]
    return [
        f"{name}<br>{view}{f'<br>{label(words, 200)}' if words else ''}"
        for name, view, words in zip(names, views, told, strict=True)
    ]


def taken_for(row: dict[object, object]) -> str:
    """ "taken for Ada (0.61, own 0.42)"; "" where the right person came first."""
    if row["outcome"] == WRONG:
        who = shorten(str(row["taken_for"]), 40)
        return f"taken for {who} ({row['impostor']:.2f}, own {row['genuine']:.2f})"
    return "the only photograph" if row["outcome"] == ALONE else ""
