"""Components that every page shares: its head, its empty state, a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.ui.markdown import markup, plain

Value = TypeVar("Value")

RECOGNISABILITY = (
    "Recognisability, from 0 to 1, estimates how similar the face's embedding is to that of the same face large and "
    "sharp. Where it is low, the picture hardly shows whose face it is, and a score says little."
)


def head(title: str, lead: str, *, wide: bool = False) -> None:
    """A page's title and its purpose in one sentence. `wide` widens the page, for charts."""
    st.title(title, anchor=False)
    st.markdown(f"<p class='ef-quiet ef-lead{' ef-wide' if wide else ''}'>{markup(lead)}</p>", unsafe_allow_html=True)


def empty_state(icon: str, title: str, text: str) -> DeltaGenerator:
    """A box for an empty page that describes what it will show. Returns the box, for the button of the next step."""
    box = st.container(border=True, horizontal_alignment="center")
    with box:
        st.markdown(f"## :material/{icon}:", text_alignment="center")
        st.markdown(f"#### {title}", text_alignment="center")
        st.markdown(text, text_alignment="center")
    return box


def name_line(name: str, quiet: str = "") -> None:
    """A name as typed, large, with a quiet line below it."""
    below = f"<div class='ef-quiet'>{markup(quiet)}</div>" if quiet else ""
    st.html(f"<div class='ef-name' style='font-size:1.35rem'>{markup(name)}</div>{below}")


def show_message(key: str) -> None:
    """Show once the message of success that an earlier run kept in the session state."""
    text = st.session_state.pop(key, "")
    if text:
        st.success(plain(text), icon=":material/check_circle:")


def choose_one(
    label: str,
    options: Mapping[Value, str],
    key: str,
    *,
    show_label: bool = True,
    in_address: bool = False,
    help: str | None = None,
) -> Value:
    """A segmented control: one of `options`, by label, the first at the start. The choice is kept while the visitor is
    on the page, and with `in_address` in its address."""
    return st.segmented_control(
        label,
        list(options),
        default=next(iter(options)),
        required=True,
        format_func=options.__getitem__,
        key=key,
        label_visibility="visible" if show_label else "collapsed",
        help=help,
        bind="query-params" if in_address else None,
        persist_state="page",
    )
