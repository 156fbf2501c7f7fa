"""Components that every page shares: its head, its empty state, a name."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.ui.markdown import markup

STYLE = """<style>
.ef-faces {display: flex; flex-wrap: wrap; gap: 12px; margin: 0 0 4px}
.ef-faces figure {margin: 0; width: var(--w, 112px); max-width: 46%}
.ef-faces.ef-one figure {max-width: 100%}
.ef-faces img {width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 10px; display: block;
  background: rgba(128, 128, 128, .12)}
.ef-faces img.ef-pixels {image-rendering: pixelated}
.ef-faces figcaption {font-size: .8rem; opacity: .75; margin-top: 4px; line-height: 1.3; overflow-wrap: anywhere}
.ef-name {font-weight: 620; font-size: 1.05rem; overflow-wrap: anywhere; line-height: 1.3}
.ef-status {display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: 0; border-radius: 10px;
  border: 1px solid rgba(128, 128, 128, .28); overflow: hidden}
.ef-status > div {padding: 12px 16px; box-shadow: -1px -1px 0 rgba(128, 128, 128, .28)}
.ef-status b {font-weight: 600; font-size: .74rem; padding: 1px 8px; border-radius: 9px; margin-left: 6px; color: #fff}
.ef-good {background: #1F7A4D} .ef-todo {background: #A85B0B}
.ef-quiet.ef-file {white-space: nowrap; overflow: hidden; text-overflow: ellipsis}
.ef-quiet {opacity: .75; font-size: .88rem; overflow-wrap: anywhere; line-height: 1.4}
.ef-quiet.ef-lead {font-size: 1rem}
[data-testid=stMainBlockContainer]:has(.ef-wide) {max-width: 72rem}
.ef-noface {aspect-ratio: 1; border-radius: 10px; display: grid; place-items: center; font-size: .8rem; padding: 8px;
  text-align: center; background: rgba(128, 128, 128, .12)}
.ef-frame {position: relative; width: 100%; border-radius: 10px; overflow: hidden}
.ef-frame img {width: 100%; display: block}
.ef-box {position: absolute; border: 2px solid var(--c); border-radius: 6px; box-shadow: 0 0 0 1px rgba(0, 0, 0, .45)}
.ef-box span {position: absolute; left: -2px; top: 100%; background: var(--c); color: #fff; font-size: .72rem;
  font-weight: 600; padding: 1px 6px; border-radius: 0 0 6px 6px; white-space: nowrap; max-width: 9rem;
  overflow: hidden; text-overflow: ellipsis}
.ef-box.ef-above span {top: auto; bottom: 100%; border-radius: 6px 6px 0 0}
.ef-box.ef-left span {left: auto; right: -2px}
[class*="st-key-home_tour_"] [data-testid="stCaptionContainer"] {padding-left: 2.3rem}
@media (max-width: 640px) {.ef-box span {max-width: 4.5rem; font-size: .62rem; padding: 0 4px}}
</style>"""


def head(title: str, lead: str, *, wide: bool = False) -> None:
    """A page's title and one sentence on what it is for. `wide` gives the page more room, for charts."""
    st.html(STYLE)
    st.title(title, anchor=False)
    st.markdown(f"<p class='ef-quiet ef-lead{' ef-wide' if wide else ''}'>{markup(lead)}</p>", unsafe_allow_html=True)


def empty_state(icon: str, title: str, text: str) -> DeltaGenerator:
    """What an empty page says: what will be here. Gives its box, into which the caller puts the next step."""
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
