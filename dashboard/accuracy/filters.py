"""Which of an evaluation's systems and views is looked at: the same choice in all its parts."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard.accuracy.labels import DEGRADATIONS, MODES
from dashboard.ui.markdown import plain

BY = ["system", "mode", "degradation", "probe", "size_px"]
"""The columns that tell systems and views apart."""


def choose_rows(table: pd.DataFrame, key: str, *, sizes: bool = True, pairings: bool = False) -> pd.DataFrame:
    """The rows of the chosen system, mode, degradation, probe size and pairing; what there is one of isn't asked for.

    The smallest size and the comparison with HR come first. `key` is the part's: "scores", "people".
    """
    some = table
    with st.container(horizontal=True, vertical_alignment="bottom"):
        some = _one_of(some, "system", "Weights and upscaler", key, list(some["system"].unique()))
        some = _one_of(some, "mode", "Mode", key, [m for m in MODES if m in set(some["mode"])], MODES)
        if sizes:
            views = some.drop_duplicates("probe").sort_values("size_px")
            some = _one_of(some, "probe", "Probe", key, list(views["probe"]))
        kinds = [kind for kind in DEGRADATIONS if kind in set(some["degradation"])]
        if len(kinds) > 1:
            some = _one_of(some, "degradation", "Degradation", key, kinds, DEGRADATIONS, keep=not sizes)
        if pairings and "pairing" in some:
            order = [each for each in ("VLR-HR", "VLR-VLR", "HR-HR") if each in set(some["pairing"])]
            some = _one_of(some, "pairing", "Pairs", key, order)
        if "protocol" in some:
            order = [each for each in ("pairs file", "all pairs") if each in set(some["protocol"])]
            some = _one_of(some, "protocol", "Taken from", key, order)
    return some


def _one_of(
    table: pd.DataFrame,
    column: str,
    label: str,
    key: str,
    options: list[str],
    words: dict[str, str] | None = None,
    *,
    keep: bool = False,
) -> pd.DataFrame:
    """The rows whose `column` has the value chosen from `options`; with `keep` also those that have none (HR isn't
    degraded)."""
    if len(options) < 2:
        return table
    name = f"accuracy_{key}_{column}"
    if st.session_state.get(name) not in (None, *options):
        st.session_state.pop(name)  # chosen where there are others
    show = (words or {}).get
    if column == "system":
        chosen = st.selectbox(label, options, key=name, width=330, persist_state="page")
    else:
        chosen = st.segmented_control(
            label,
            options,
            default=options[0],
            required=True,
            key=name,
            persist_state="page",
            format_func=lambda each: plain(show(each, each)),
        )
    return table[(table[column] == chosen) | (table[column] == "")] if keep else table[table[column] == chosen]
