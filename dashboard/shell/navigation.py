"""The dashboard's pages and the links between them: one list for the sidebar, the buttons and the errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn

import streamlit as st

from core.access.roles import Permission
from dashboard.shell.session import allowed

PAGES_DIR = Path(__file__).resolve().parents[2] / "pages"

_PAGES = {
    "enroll": ("Enrol", ":material/person_add:"),
    "identify": ("Identify", ":material/frame_person:"),
    "gallery": ("Gallery", ":material/groups:"),
    "dataset": ("Data sets", ":material/dataset:"),
    "training": ("Training", ":material/model_training:"),
    "accuracy": ("Accuracy", ":material/monitoring:"),
    "inspector": ("Inspector", ":material/compare:"),
    "diagnostics": ("Diagnostics", ":material/troubleshoot:"),
    "speed": ("Speed", ":material/speed:"),
    "access": ("Access", ":material/shield_person:"),
    "help": ("Help", ":material/help:"),
}
_NEEDS = {"enroll": Permission.ENROL, "access": Permission.ACCESS}
"""Pages that need a permission: without it they are missing in the sidebar, and their address is refused."""

_SECTIONS = {
    "": ("home",),
    "Recognise": ("enroll", "identify", "gallery"),
    "Train": ("dataset", "training"),
    "Evaluate": ("accuracy", "inspector", "diagnostics", "speed"),
    " ": ("access", "help"),
}
"""The sidebar: headings and the pages under each, in the order in which they are usually needed."""


def page(name: str) -> st.Page:
    """The page called `name` ("home", or a key of the list above), for links."""
    if name == "home":
        return home_page(_unused)
    title, icon = _PAGES[name]
    visibility: Literal["visible", "hidden"] = "visible" if _offered(name) else "hidden"
    return st.Page(PAGES_DIR / f"{name}.py", title=title, icon=icon, url_path=name, visibility=visibility)


def home_page(view: Callable[[], None]) -> st.Page:
    """Home, shown by `view`. A link to it needs no view, because Streamlit identifies pages by their address."""
    return st.Page(view, title="Home", icon=":material/home:", url_path="", default=True)


def all_pages(view: Callable[[], None]) -> dict[str, list[st.Page]]:
    """All pages by their heading in the sidebar. /home leads to Home, whose own address is /."""
    pages = {
        heading: [home_page(view) if name == "home" else page(name) for name in names]
        for heading, names in _SECTIONS.items()
    }
    pages[""].append(st.Page(_to_home, title="Home", url_path="home", visibility="hidden"))
    return pages


def link(name: str, label: str, *, icon: str | None = None, **query: str) -> None:
    """A link to a page that the visitor may open. `query` opens a section of it: topic of Help, show of Diagnostics."""
    if _offered(name):
        st.page_link(page(name), label=label, icon=icon, query_params=query or None)


def go(name: str) -> NoReturn:
    """Open a page at once."""
    st.switch_page(page(name))


def step_button(name: str, label: str, *, key: str | None = None) -> None:
    """The primary button that opens a page: the next step of an empty one."""
    if st.button(label, type="primary", icon=":material/arrow_forward:", key=key):
        go(name)


def _offered(name: str) -> bool:
    return name not in _NEEDS or allowed(_NEEDS[name])


def _to_home() -> None:
    go("home")


def _unused() -> None:
    return None
