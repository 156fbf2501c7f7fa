"""The Enrol page: upload photographs or use the camera, review the faces found, name the person, save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.gallery.records import one_a_photograph
from core.recognition.matched_templates import MATCHED_SIZES_PX
from core.system.text import count
from dashboard.enrol.camera import live_enrol
from dashboard.enrol.findings import may_save, say_findings
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import go
from dashboard.shell.readiness import cannot_recognise, readiness
from dashboard.shell.resources import gallery, pipeline
from dashboard.shell.session import Permission
from dashboard.shell.sign_in import refused
from dashboard.ui.components import head
from dashboard.ui.handoff import carried, drop_carried
from dashboard.ui.markdown import markup, plain
from dashboard.ui.pictures import Picture, faces, faces_html, image_address
from dashboard.ui.uploads import MAX_UPLOADS, photographs

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.pipeline import Pipeline
    from core.recognition.results import DraftPhoto, EnrolmentDraft

NEW = "New person"
KNOWN = "Enrolled person"
FILES, CAMERA = "Photographs", "Camera"
MATCHED_BY_DEFAULT = False


def view() -> None:
    """The page."""
    head("Enrol", "Add a person to the gallery, so that they can be recognised in other photographs.")
    if refused(Permission.ENROL) or cannot_recognise(readiness()):
        return
    if carried():
        st.session_state.pop("enroll_done", None)
    done = st.session_state.get("enroll_done")
    if done:
        _say_done(*done)
        return
    draft = _take_up_carried(st.session_state.get("enroll_draft"))
    if draft is not None and not _is_current(draft):
        draft = None
    if draft is None:
        _say_for_whom()
        _begin()
        return
    _draft(pipeline(), draft)
    with st.expander("Use other photographs", icon=":material/upload:"):
        _upload_form(primary=False)
    if st.button("Cancel and discard these photographs", type="tertiary", icon=":material/close:", key="enroll_cancel"):
        _forget()
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


def _say_for_whom() -> None:
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
    from core.enrolment.enrol import prepare_enrolment

    with feedback():
        pipe = pipeline()
        with st.spinner(f"Finding faces in {count(len(files), 'photograph')}", show_time=True):
            images = [file.getvalue() for file in files]
            _keep(prepare_enrolment(pipe, images, unique_names([file.name for file in files])))


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
    from core.enrolment.enrol import require_current

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


def _draft(pipe: Pipeline, draft: EnrolmentDraft) -> None:
    st.subheader("Faces found", anchor=False)
    chosen = _choose(draft)
    if not draft.usable:
        st.warning(
            "None of these photographs can be used. Choose others with a larger face looking at the camera.",
            icon=":material/no_photography:",
        )
        return
    st.subheader("Who is it?", anchor=False)
    name, add = _who(pipe)
    from core.enrolment.enrol import review

    looked = review(pipe, draft.only([photo.name for photo in chosen]), name)
    say_findings(looked.findings)
    _save(pipe, looked, name, add)


def _choose(draft: EnrolmentDraft) -> list[DraftPhoto]:
    """One card per photograph with a checkbox. The numbers are those that the findings refer to."""
    chosen: list[DraftPhoto] = []
    turn = st.session_state.get("enroll_round", 0)
    with st.container(horizontal=True, gap="small", key="enroll_cards"):
        for position, photo in enumerate(draft.photos):
            with st.container(border=True, width=164, gap="small"):
                if photo.vector is None:
                    st.html(_card(photo, "Can't be used"))
                    continue
                key = f"enroll_use_{turn}_{position}"
                use = st.session_state.get(key, True)
                if use:
                    chosen.append(photo)
                st.html(_card(photo, f"Photograph {len(chosen)}" if use else "Left out"))
                st.checkbox("Use", value=True, key=key)
    return chosen


def _card(photo: DraftPhoto, title: str) -> str:
    probe = photo.probe
    if probe is None:
        face = f"<div class='ef-noface'>{'no face found' if photo.error is None else 'not a picture'}</div>"
        details = photo.reason
    else:
        face = faces_html([Picture(probe.crop, alt=f"Face in {photo.name}", pixels=probe.crop.shape[0] < 64)], 400)
        face = face.replace("class='ef-faces'", "class='ef-faces ef-one'")
        details = f"{probe.probe_px:.0f} px, {photo.reason or 'good'}"
        if probe.taken == "crop":
            details += ". Used whole, as an aligned crop"
        if photo.faces_found > 1:
            details += f". {photo.faces_found} faces found; the largest is used"
    file = "" if details.startswith(photo.name) else f"<div class='ef-quiet ef-file'>{markup(photo.name)}</div>"
    return (
        f"{face}<div class='ef-name' style='font-size:.95rem'>{markup(title)}</div>"
        f"<div class='ef-quiet'>{markup(details)}</div>{file}"
    )


def _who(pipe: Pipeline) -> tuple[str, bool]:
    """The name, and whether the photographs are added to a person already enrolled."""
    people = [person.name for person in pipe.gallery.store.identities()]
    wanted = st.session_state.pop("enroll_add_to", None)
    if wanted in people:
        st.session_state["enroll_kind"], st.session_state["enroll_known"] = KNOWN, wanted
    kind = NEW
    if people:
        kind = st.segmented_control(
            "Who", [NEW, KNOWN], default=NEW, required=True, key="enroll_kind", label_visibility="collapsed"
        )
    if kind == KNOWN:
        name = st.selectbox("Add to", people, key="enroll_known", format_func=lambda each: each, index=None)
        return name or "", True
    name = st.text_input("Name", key="enroll_name", max_chars=200, placeholder="Name to display")
    taken = pipe.gallery.store.find(name) if name.strip() else None
    if taken is not None:
        st.info(
            f"{plain(taken.name)} is already enrolled with {count(taken.photographs, 'photograph')}. Saving adds "
            "these. If this is a different person, choose a different name.",
            icon=":material/person:",
        )
    return name, taken is not None


def _save(pipe: Pipeline, draft: EnrolmentDraft, name: str, add: bool) -> None:
    from core.enrolment.enrol import enrol

    ready = may_save(draft.findings)
    note = (
        "" if add else st.text_input("Note (optional)", key="enroll_note", placeholder="Where the photographs are from")
    )
    store_crops = st.checkbox("Keep a small picture of each face", value=True, key="enroll_crops")
    matched = st.checkbox(
        "Also store templates at 32, 24 and 16 px",
        value=MATCHED_BY_DEFAULT,
        key="enroll_matched",
        help="Use this only where everyone in view is enrolled. It also raises the scores of strangers' small faces, "
        "and a threshold that rejects those strangers recognises fewer enrolled people. Calibrate thresholds with "
        "such templates.",
    )
    sizes = MATCHED_SIZES_PX if matched else ()
    rows = sum(1 + (len(sizes) if photo.probe and photo.probe.size_px is None else 0) for photo in draft.usable)
    numbers = f"{count(rows, 'embedding')} of 512 numbers, the name, the note, file names and hashes"
    pictures = ", and a picture of up to 112 px of each face" if store_crops else "; no picture"
    st.caption(f"Stored in the gallery on this machine: {numbers}{pictures}. The photographs themselves aren't stored.")
    label = "Add photographs" if add else "Save"
    pressed = st.button(
        label, type="primary", icon=":material/save:", key="enroll_save", disabled=not (ready and draft.usable)
    )
    if not ready:
        st.caption("Tick the box above to save anyway, or deselect photographs.")
    if not pressed:
        return
    if not name.strip():
        st.warning("Enter a name first.", icon=":material/edit:")
        return
    with feedback() as attempt, st.spinner("Saving"):
        person = enrol(
            pipe, name, draft, store_crops=store_crops, note=note, actor="dashboard", add=add, matched_sizes=sizes
        )
        st.session_state["enroll_done"] = (person.name, len(draft.usable), person.photographs, store_crops)
    if attempt.ok:
        _forget()
        st.rerun()


def _forget() -> None:
    for key in ("enroll_draft", "enroll_name", "enroll_note", "enroll_kind", "enroll_known"):
        st.session_state.pop(key, None)


def _say_done(name: str, stored: int, photographs: int, with_crops: bool) -> None:
    pictures = (
        f"with {'its small picture' if stored == 1 else 'their small pictures'}" if with_crops else "without pictures"
    )
    st.success(
        f"**{plain(name)} is enrolled.** {count(stored, 'photograph')} stored {pictures}; "
        f"{count(photographs, 'photograph')} in total.",
        icon=":material/how_to_reg:",
    )
    templates = one_a_photograph(gallery().templates(name)) if gallery().find(name) else []
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


__all__ = ["NEW", "view"]
