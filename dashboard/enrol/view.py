"""The Enrol page: upload photographs or use the camera, review the faces found, name the person, save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.gallery.records import one_per_photograph
from core.system.text import count
from dashboard.enrol.by_hand import keep_contents, with_drawn
from dashboard.enrol.camera import live_enrol
from dashboard.enrol.review import forget_draft, review_panel
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import go
from dashboard.shell.readiness import cannot_recognise, readiness
from dashboard.shell.resources import gallery, pipeline
from dashboard.shell.session import Permission
from dashboard.shell.sign_in import refused
from dashboard.ui.components import head
from dashboard.ui.handoff import carried, drop_carried
from dashboard.ui.markdown import plain
from dashboard.ui.pictures import Picture, faces, image_address
from dashboard.ui.uploads import MAX_UPLOADS, photographs

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.recognition.results import EnrolmentDraft

FILES, CAMERA = "Photographs", "Camera"


def view() -> None:
    """Show the Enrol page."""
    head("Enrol", "Add a person to the gallery, so that they can be recognised in other photographs.")
    if refused(Permission.ENROL) or cannot_recognise(readiness()):
        return
    if carried():
        st.session_state.pop("enroll_done", None)
    done = st.session_state.get("enroll_done")
    if done:
        _show_done(*done)
        return
    draft = _take_up_carried(st.session_state.get("enroll_draft"))
    if draft is not None and not _is_current(draft):
        draft = None
    if draft is None:
        _show_target()
        _begin()
        return
    with feedback():
        draft = st.session_state["enroll_draft"] = with_drawn(pipeline(), draft)
    review_panel(pipeline(), draft)
    with st.expander("Use other photographs", icon=":material/upload:"):
        _upload_form(primary=False)
    if st.button("Cancel and discard these photographs", type="tertiary", icon=":material/close:", key="enroll_cancel"):
        forget_draft()
        st.rerun()


def _begin() -> None:
    """The upload form or the camera."""
    source = st.segmented_control(
        "From", [FILES, CAMERA], default=FILES, required=True, key="enroll_source", label_visibility="collapsed"
    )
    if source == FILES:
        _upload_form(primary=True)
        return
    with feedback():
        draft = live_enrol(pipeline)
        if draft is not None:
            _keep(draft)
            st.rerun()


def _show_target() -> None:
    """Name the person whom the Gallery page asked to add photographs to, with a way to choose another."""
    name = st.session_state.get("enroll_add_to")
    if name is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/person: For **{plain(name)}**", width="content")
        if st.button("For another person", type="tertiary", key="enroll_for_another"):
            del st.session_state["enroll_add_to"]
            st.rerun()


def _upload_form(*, primary: bool) -> None:
    with st.form("enroll_upload", clear_on_submit=True, border=primary):
        files = photographs(
            "Photographs of one person",
            key="enroll_files",
            help=f"Up to {MAX_UPLOADS}. The largest face in each is used.",
        )
        st.caption(
            "Use 3 to 7 photographs taken on different days, in different light and poses. One is enough to start."
        )
        asked = st.form_submit_button(
            "Find faces", type="primary" if primary else "secondary", icon=":material/search:"
        )
    if not asked:
        return
    if not files:
        st.info("Choose at least one photograph first.", icon=":material/add_photo_alternate:")
        return
    _look(files)
    if st.session_state.get("enroll_draft") is not None:
        st.rerun()


def _look(files: Sequence[UploadedFile]) -> None:
    """Find the faces and keep the draft in the session; nothing is stored."""
    from core.enrolment.drafts import prepare_enrolment

    with feedback():
        pipe = pipeline()
        with st.spinner(f"Finding faces in {count(len(files), 'photograph')}", show_time=True):
            images = [file.getvalue() for file in files]
            draft = prepare_enrolment(pipe, images, unique_names([file.name for file in files]))
            _keep(draft)
            keep_contents(draft, images)


def _take_up_carried(draft: EnrolmentDraft | None) -> EnrolmentDraft | None:
    """Add the faces handed over by Identify to the draft."""
    from core.recognition.results import EnrolmentDraft

    handed = carried()
    if not handed:
        return draft
    drop_carried()
    photos = (*(draft.photos if draft else ()), *handed)
    names = unique_names([photo.name for photo in photos])
    photos = tuple(replace(photo, name=name) for photo, name in zip(photos, names, strict=True))
    return _keep(EnrolmentDraft(photos))


def _is_current(draft: EnrolmentDraft) -> bool:
    """Whether the pipeline in use made the draft; an outdated draft is dropped with an error message."""
    from core.enrolment.drafts import require_current

    with feedback() as attempt:
        require_current(pipeline(), draft)
    if not attempt.ok:
        st.session_state.pop("enroll_draft", None)
    return attempt.ok


def _keep(draft: EnrolmentDraft) -> EnrolmentDraft:
    st.session_state["enroll_draft"] = draft
    st.session_state["enroll_round"] = st.session_state.get("enroll_round", 0) + 1
    return draft


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, numbered where one repeats: photographs are selected by name."""
    taken: dict[str, None] = {}  # keeps the order
    for name in names:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name} ({number})", number + 1
        taken[candidate] = None
    return [*taken]


def _show_done(name: str, stored: int, photographs: int, with_crops: bool) -> None:
    pictures = (
        f"with {'its small picture' if stored == 1 else 'their small pictures'}" if with_crops else "without pictures"
    )
    st.success(
        f"**{plain(name)} is enrolled.** {count(stored, 'photograph')} stored {pictures}; "
        f"{count(photographs, 'photograph')} in total.",
        icon=":material/how_to_reg:",
    )
    templates = one_per_photograph(gallery().templates(name)) if gallery().find(name) else []
    crops = [template.crop for template in templates if template.crop]
    faces([Picture(image_address(crop), alt=f"Face of {name}") for crop in crops[-7:]], 96)
    if photographs < 3:
        st.caption("Recognition is more reliable with 3 to 7 photographs. You can add more at any time.")
    with st.container(horizontal=True):
        if st.button(
            "Identify a photograph", type="primary", icon=":material/arrow_forward:", key="enroll_to_identify"
        ):
            del st.session_state["enroll_done"]
            go("identify")
        if st.button("Enrol another person", icon=":material/person_add:", key="enroll_another"):
            del st.session_state["enroll_done"]
            st.rerun()
