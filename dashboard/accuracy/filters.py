"""Choices that the parts of an evaluation share: system, mode, probe size, degradation, pairing, and the figure."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard.accuracy.labels import DEGRADATIONS, FIGURES, MODES
from dashboard.ui.components import choose_one
from dashboard.ui.markdown import plain

BY = ["system", "mode", "degradation", "probe", "size_px"]
"""The columns that identify a system and a view."""


def choose_rows(table: pd.DataFrame, key: str, *, sizes: bool = True, pairings: bool = False) -> pd.DataFrame:
    """The rows of the chosen system, mode, degradation, probe size and pairing; a single option isn't offered. Without
    `sizes` they are those of every size and degradation.

    The smallest size and the comparison with HR come first. `key` is that of the part: "scores", "people".
    """
    some = table
    with st.container(horizontal=True, vertical_alignment="bottom"):
        some = _one_of(some, "system", "Weights and upscaler", key, list(some["system"].unique()))
        some = _one_of(some, "mode", "Mode", key, [m for m in MODES if m in set(some["mode"])], MODES)
        if sizes:
            views = some.drop_duplicates("probe").sort_values("size_px")
            some = _one_of(some, "probe", "Probe", key, list(views["probe"]))
        kinds = [kind for kind in DEGRADATIONS if kind in set(some["degradation"])]
        if sizes and len(kinds) > 1:
            some = _one_of(some, "degradation", "Degradation", key, kinds, DEGRADATIONS)
        if pairings and "pairing" in some:
            order = [each for each in ("VLR-HR", "VLR-VLR", "HR-HR") if each in set(some["pairing"])]
            some = _one_of(some, "pairing", "Pairs", key, order)
        if "protocol" in some:
            order = [each for each in ("pairs file", "all pairs") if each in set(some["protocol"])]
            some = _one_of(some, "protocol", "Pairs from", key, order)
    return some


def choose_figure(table: pd.DataFrame, key: str) -> str:
    """One of FIGURES that `table` has values for."""
    options = {name: title for name, title in FIGURES.items() if name in table and table[name].notna().any()}
    return choose_one("Figure", options, key, show_label=False)


def _one_of(
    table: pd.DataFrame,
    column: str,
    label: str,
    key: str,
    options: list[str],
    labels: dict[str, str] | None = None,
) -> pd.DataFrame:
    """The rows whose `column` has the chosen value."""
    if len(options) < 2:
        return table
    name = f"accuracy_{key}_{column}"
    if st.session_state.get(name) not in (None, *options):
        st.session_state.pop(name)  # was chosen for another run
    label_of = (labels or {}).get
    if column == "system":
        chosen = st.selectbox(label, options, key=name, width=330, persist_state="page")
    else:
        chosen = choose_one(label, {each: plain(label_of(each, each)) for each in options}, name)
    return table[table[column] == chosen]
