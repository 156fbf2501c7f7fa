"""The pieces that pages share: page heads, empty states, faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from core.images import encode_image
from dashboard.shell.error_display import show_error
from dashboard.shell.navigation import go, link
from dashboard.shell.readiness import Readiness, image_address
from dashboard.ui.markdown import markup, plain

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


@dataclass(frozen=True)
class Picture:
    """A face to show: `image` is uint8 RGB or an address that <img> takes; `pixels` shows every pixel as a square."""

    image: NDArray[np.uint8] | str
    caption: str = ""
    alt: str = "Face"
    pixels: bool = False


def head(title: str, lead: str) -> None:
    """A page's title and one sentence on what it is for."""
    st.html(STYLE)
    st.title(title, anchor=False)
    st.markdown(f"<p class='ef-quiet' style='font-size:1rem'>{markup(lead)}</p>", unsafe_allow_html=True)


def empty_state(icon: str, title: str, text: str) -> DeltaGenerator:
    """What an empty page says: what will be here. Gives its box, into which the caller puts the next step."""
    box = st.container(border=True, horizontal_alignment="center")
    with box:
        st.markdown(f"## :material/{icon}:", text_alignment="center")
        st.markdown(f"#### {title}", text_alignment="center")
        st.markdown(text, text_alignment="center")
    return box


def cannot_recognise(ready: Readiness) -> bool:
    """Where something that recognition needs is missing: say what, name the next step, and return True."""
    if ready.can_recognise:
        return False
    if ready.weights is None:
        problem = ready.weights_problem
        box = empty_state(
            "download",
            "First, EdgeFace needs its weights",
            f"{plain(problem.what) if problem else ''} Home fetches the official ones, or takes a file you have.",
        )
        with box:
            if st.button("Get the weights on Home", type="primary", icon=":material/arrow_forward:"):
                go("home")
            link("help", "Why weights are needed", icon=":material/help:", topic="weights")
        return True
    for found in (ready.upscaler_problem, ready.detector_problem, ready.gallery_problem):
        if found is not None:
            show_error(found)
    return True


def say_who_is_missing(ready: Readiness) -> None:
    """Where people can't be found, why, and the step that mends it; nothing where everybody can."""
    others = ready.people - ready.findable
    if not ready.people:
        st.info("Nobody is enrolled yet: every face will be unknown.", icon=":material/person_add:")
        link("enroll", "Enrol somebody first", icon=":material/arrow_forward:")
    elif not ready.findable:
        who = "1 person is enrolled" if others == 1 else f"{others:,} people are enrolled"
        st.warning(
            f"**{who}, but with other weights than those in use.** Every face will be unknown until they are "
            "re-embedded from their stored pictures.",
            icon=":material/sync_problem:",
        )
        link("gallery", "Re-embed them", icon=":material/sync:")
    elif others:
        who = (
            "1 person enrolled with other weights isn't"
            if others == 1
            else (f"{others:,} people enrolled with other weights aren't")
        )
        st.caption(f"{who} found until they are re-embedded.")
        link("gallery", "Re-embed them", icon=":material/sync:")


def faces_html(pictures: Sequence[Picture], width_px: int = 112) -> str:
    """A row of faces that wraps on a narrow screen. Captions and alternative texts are escaped."""
    return f"<div class='ef-faces' style='--w:{width_px}px'>{''.join(map(_figure, pictures))}</div>"


def faces(pictures: Sequence[Picture], width_px: int = 112) -> None:
    """Show a row of faces."""
    st.html(faces_html(pictures, width_px))


def _figure(picture: Picture) -> str:
    address = picture.image if isinstance(picture.image, str) else image_address(_encoded(picture.image))
    caption = f"<figcaption>{markup(picture.caption)}</figcaption>" if picture.caption else ""
    pixels = " class='ef-pixels'" if picture.pixels else ""
    return f"<figure><img{pixels} src='{address}' alt='{markup(picture.alt)}'>{caption}</figure>"


def _encoded(rgb: NDArray[np.uint8]) -> bytes:
    return encode_image(rgb, "png") if rgb.shape[0] <= 64 else encode_image(rgb)


def name_line(name: str, quiet: str = "") -> None:
    """A name as typed, large, with a quiet line below it."""
    below = f"<div class='ef-quiet'>{markup(quiet)}</div>" if quiet else ""
    st.html(f"<div class='ef-name' style='font-size:1.35rem'>{markup(name)}</div>{below}")
