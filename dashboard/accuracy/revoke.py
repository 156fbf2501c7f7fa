"""Thresholds taken back: the gallery then goes by the uncalibrated default, until they are put in again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.gallery.operating_points import OperatingPoint, operating_points, save_operating_point, take_back
from core.gallery.records import Space
from core.settings import UNCALIBRATED_THRESHOLD
from core.system.text import count
from dashboard.shell.error_display import feedback
from dashboard.shell.session import Permission, allowed
from dashboard.ui.markdown import plain

if TYPE_CHECKING:
    from core.gallery.store import Gallery

_UNDO = "accuracy_taken_back"


def taking_back(store: Gallery, space: Space, which: str, label: str) -> None:
    """Where the gallery has thresholds for these templates, a button that takes them back, those of the run `which` or
    "all"; after that, one that puts them in again, as long as the visit lasts."""
    if not allowed(Permission.WEIGHTS):
        return
    run = None if which == "all" else which
    there = [point for point in operating_points(store, space) if run is None or point.run == run]
    taken: dict[str, list[OperatingPoint]] = st.session_state.setdefault(_UNDO, {})
    if there:
        with st.popover(label, icon=":material/undo:"):
            st.markdown(
                f"{count(len(there), 'threshold')} will be removed from the gallery. Identification then goes by "
                f"{UNCALIBRATED_THRESHOLD:.2f}, which isn't calibrated, wherever no other was chosen."
            )
            if st.button("Take back", icon=":material/undo:", type="primary", key=f"accuracy_take_back_{which}"):
                with feedback() as attempt:
                    taken[which] = take_back(store, space, run=run, actor="dashboard")
                    st.session_state["accuracy_said"] = f"{count(len(taken[which]), 'threshold')} taken back."
                if attempt.ok:
                    st.rerun()
    elif taken.get(which) and st.button("Put them back", icon=":material/redo:", key=f"accuracy_put_back_{which}"):
        with feedback() as attempt:
            for point in taken[which]:
                save_operating_point(store, space, point, actor="dashboard")
            st.session_state["accuracy_said"] = f"{count(len(taken.pop(which)), 'threshold')} in use again."
        if attempt.ok:
            st.rerun()


def told() -> None:
    """What the last change did."""
    text = st.session_state.pop("accuracy_said", "")
    if text:
        st.success(plain(text), icon=":material/check_circle:")
