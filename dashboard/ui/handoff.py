"""What one page hands to the next: faces seen on Identify that are to be enrolled."""

from __future__ import annotations

import streamlit as st

from core.recognition.results import DraftPhoto

_KEY = "enroll_carried"
_MOST = 10


def carry(photo: DraftPhoto) -> None:
    """Keep a face, ready to be enrolled, for the Enrol page; the oldest go when there are more than ten."""
    st.session_state[_KEY] = (*carried(), photo)[-_MOST:]


def carried() -> tuple[DraftPhoto, ...]:
    """The faces that were handed over, and not yet enrolled or put away."""
    return tuple(st.session_state.get(_KEY, ()))


def drop_carried() -> None:
    """Forget them: they were enrolled, or aren't wanted."""
    st.session_state.pop(_KEY, None)
