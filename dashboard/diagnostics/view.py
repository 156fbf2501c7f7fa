"""The Diagnostics page: the weights, maps and similarities of embeddings, and the health of the gallery.

`?show=` in the address names the section, so that reloads and links show the same one.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.diagnostics.embedding_map import map_panel
from dashboard.diagnostics.gallery_health import gallery_panel
from dashboard.diagnostics.similarity import similarity_panel
from dashboard.diagnostics.weights import models_panel
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import go
from dashboard.ui.components import head, show_message

SECTIONS: dict[str, tuple[str, str, Callable[[], None]]] = {
    "models": ("Models", ":material/memory:", models_panel),
    "map": ("Map", ":material/scatter_plot:", map_panel),
    "similarity": ("Similarity", ":material/compare_arrows:", similarity_panel),
    "gallery": ("Gallery health", ":material/health_and_safety:", gallery_panel),
}


def view() -> None:
    """Show the Diagnostics page."""
    if page := st.session_state.pop("diagnostics_go", ""):
        go(page)
    head(
        "Diagnostics",
        "Find out why accuracy is what it is: inspect the weights, their embeddings and the gallery.",
        wide=True,
    )
    show_message("diagnostics_said")
    asked = st.query_params.get("show", "")
    if asked in SECTIONS and "diagnostics_section" not in st.session_state:
        st.session_state["diagnostics_section"] = asked
    st.session_state.setdefault("diagnostics_section", "models")
    section = st.segmented_control(
        "Show",
        list(SECTIONS),
        required=True,
        key="diagnostics_section",
        label_visibility="collapsed",
        format_func=lambda each: f"{SECTIONS[each][1]} {SECTIONS[each][0]}",
    )
    section = section or "models"
    if st.query_params.get("show") != section:
        st.query_params["show"] = section
    with feedback():
        SECTIONS[section][2]()
