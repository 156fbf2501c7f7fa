"""The pages there are, and links between them: one list that the sidebar, the buttons and the errors share."""

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
"""Pages that are nothing without a permission: out of the sidebar for whoever lacks it, and refused by address."""

_SECTIONS = {
    "": ("home",),
    "Recognise": ("enroll", "identify", "gallery"),
    "Train": ("dataset", "training"),
    "Look": ("accuracy", "inspector", "diagnostics", "speed"),
    " ": ("access", "help"),
}
"""The sidebar: headings, and the pages under each, in the order in which people come to need them."""


def page(name: str) -> st.Page:
    """The page called `name` ("home", or a key of the list above), to link or to switch to."""
    if name == "home":
        return home_page(_unused)
    title, icon = _PAGES[name]
    visibility: Literal["visible", "hidden"] = "visible" if _offered(name) else "hidden"
    return st.Page(PAGES_DIR / f"{name}.py", title=title, icon=icon, url_path=name, visibility=visibility)


def home_page(view: Callable[[], None]) -> st.Page:
    """Home, shown by `view`; a link to it needs no view, since Streamlit knows pages by their address."""
    return st.Page(view, title="Home", icon=":material/home:", url_path="home", default=True)


def all_pages(view: Callable[[], None]) -> dict[str, list[st.Page]]:
    """Home with its view, and every other page, by the headings of the sidebar."""
    home = home_page(view)
    return {heading: [home if name == "home" else page(name) for name in names] for heading, names in _SECTIONS.items()}


def link(name: str, label: str, *, icon: str | None = None, topic: str = "") -> None:
    """A link to a page, where it is allowed; `topic` opens that section of Help."""
    if not _offered(name):
        return
    query = {"topic": topic} if topic else None
    st.page_link(page(name), label=label, icon=icon, query_params=query)


def go(name: str) -> NoReturn:
    """Open a page now."""
    st.switch_page(page(name))


def _offered(name: str) -> bool:
    return name not in _NEEDS or allowed(_NEEDS[name])


def _unused() -> None:
    return None
