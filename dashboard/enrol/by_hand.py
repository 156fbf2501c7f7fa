"""Faces that a person marks by hand on photographs in which none was found, for their enrolment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.recognition.boxes import Box
from dashboard.ui.box_drawing import canvas_of, draw_box

if TYPE_CHECKING:
    from core.pipeline import Pipeline
    from core.recognition.results import DraftPhoto, EnrolmentDraft

_CONTENTS, _DRAWN, _MISSED = "enroll_contents", "enroll_drawn", "enroll_missed"
_COUNT = "enroll_squares"


def keep_contents(draft: EnrolmentDraft, contents: Sequence[bytes]) -> None:
    """Keep the photographs of a new draft in which no usable face was found, to draw on."""
    forget_contents()
    st.session_state[_CONTENTS] = {
        photo.name: content for photo, content in zip(draft.photos, contents, strict=True) if _faceless(photo)
    }


def forget_contents() -> None:
    """Drop the kept photographs and what was drawn on them."""
    for key in (_CONTENTS, _DRAWN, _MISSED):
        st.session_state.pop(key, None)


def with_drawn(pipe: Pipeline, draft: EnrolmentDraft) -> EnrolmentDraft:
    """The draft with the face in the square that was drawn last, if it shows one."""
    from core.enrolment.drafts import detect_photo, embed_photos

    drawn: tuple[str, Box] | None = st.session_state.pop(_DRAWN, None)
    content = _contents().get(drawn[0]) if drawn is not None else None
    if drawn is None or content is None:
        return draft
    [photo] = embed_photos(pipe, [detect_photo(pipe, content, *drawn)])
    if photo.probe is None:
        st.session_state[_MISSED] = drawn
        return draft
    st.session_state.pop(_MISSED, None)
    return replace(draft, photos=tuple(photo if each.name == photo.name else each for each in draft.photos))


def drawable(draft: EnrolmentDraft) -> list[str]:
    """The names of the photographs without a usable face that can be drawn on."""
    return [photo.name for photo in draft.photos if _faceless(photo) and photo.name in _contents()]


def drawing_panel(names: Sequence[str], *, open_first: bool) -> None:
    """The place to draw on one of the photographs of these names."""
    box = st.expander(
        "Add a face by hand", open_first, icon=":material/crop_free:", key="enroll_by_hand", on_change="rerun"
    )
    if not box.open:
        return
    with box:
        name = names[0]
        if len(names) > 1:
            key = f"enroll_draw_which_{hash(tuple(names))}"
            name = st.selectbox("Photograph", names, key=key, format_func=lambda each: each)
        content = _contents()[name]
        missed: tuple[str, Box] | None = st.session_state.get(_MISSED)
        draw_box(
            canvas_of(f"enroll_{st.session_state.get('enroll_round', 0)}_{name}", content, name),
            f"enroll_draw_{name}",
            lambda box: _take(name, box),
            answered=st.session_state.get(_COUNT, 0),
            missed=missed[1] if missed is not None and missed[0] == name else None,
        )


def _take(name: str, box: Box) -> None:
    st.session_state[_DRAWN] = (name, box)
    st.session_state[_COUNT] = st.session_state.get(_COUNT, 0) + 1


def _contents() -> dict[str, bytes]:
    kept: dict[str, bytes] = st.session_state.get(_CONTENTS, {})
    return kept


def _faceless(photo: DraftPhoto) -> bool:
    return photo.vector is None and photo.error is None
