"""Values of the session that last as long as their page is open, such as faces that it shows.

The session's state otherwise lasts until the browser tab is closed or the visitor signs out.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

_PAGE = "shell_page"
_HERE = "shell_kept_here"


def opened(page: str) -> None:
    """Note the page that runs; where it is another one than before, forget what that one kept by `keep_here`."""
    if st.session_state.get(_PAGE) != page:
        for key in st.session_state.pop(_HERE, ()):
            st.session_state.pop(key, None)
        st.session_state[_PAGE] = page


def keep_here(key: str, value: Any) -> None:
    """Set a value of the session until another page is opened."""
    st.session_state[key] = value
    st.session_state[_HERE] = {key, *st.session_state.get(_HERE, ())}
