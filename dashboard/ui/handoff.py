"""Session state that one page hands to the next: faces to enrol, and a change to report on the Gallery page."""

from __future__ import annotations

import streamlit as st

from core.gallery.identity_merge import Change
from core.recognition.results import DraftPhoto

_KEY = "enroll_carried"
_MOST = 10
SAID, UNDO = "gallery_said", "gallery_undo"


def carry(photo: DraftPhoto) -> None:
    """Keep a face for the Enrol page. Of more than ten, the oldest are dropped."""
    st.session_state[_KEY] = (*carried(), photo)[-_MOST:]


def carried() -> tuple[DraftPhoto, ...]:
    """The faces kept for the Enrol page."""
    return tuple(st.session_state.get(_KEY, ()))


def drop_carried() -> None:
    """Drop the kept faces."""
    st.session_state.pop(_KEY, None)


def say_on_gallery(text: str, change: Change | None = None) -> None:
    """Have the Gallery page report a change at its next run. `change` undoes it; None discards the previous undo."""
    st.session_state[SAID] = text
    if change is None:
        st.session_state.pop(UNDO, None)
    else:
        st.session_state[UNDO] = change
