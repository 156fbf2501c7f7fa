"""Review of an enrolment draft: the faces to use, the name, the findings to acknowledge, and saving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.gallery.review import Finding
from core.recognition.matched_templates import MATCHED_SIZES_PX
from core.system.text import count
from dashboard.enrol.by_hand import drawable, drawing_panel, forget_contents
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.ui.components import RECOGNISABILITY
from dashboard.ui.markdown import markup, plain
from dashboard.ui.pictures import Picture, faces_html

if TYPE_CHECKING:
    from core.pipeline import Pipeline
    from core.recognition.results import DraftPhoto, EnrolmentDraft

NEW = "New person"
KNOWN = "Enrolled person"
MATCHED_BY_DEFAULT = False

_ICONS = {
    "unlike_others": ":material/group_off:",
    "already_enrolled": ":material/content_copy:",
    "duplicate_photograph": ":material/filter_none:",
    "few_photographs": ":material/photo_library:",
}


def review_panel(pipe: Pipeline, draft: EnrolmentDraft) -> None:
    """Show the draft's faces, the name and the findings, and save the person on request."""
    from core.enrolment.drafts import best_first, review_draft

    st.subheader("Faces found", anchor=False, help=f"The best photographs come first. {RECOGNISABILITY}")
    draft = best_first(draft)
    chosen = _choose(draft)
    names = drawable(draft)
    if not draft.usable:
        draw = "Mark a face by hand, or choose" if names else "Choose"
        st.warning(
            f"None of these photographs can be used. {draw} others with a larger face looking at the camera.",
            icon=":material/no_photography:",
        )
    if names:
        drawing_panel(names, open_first=not draft.usable)
    if not draft.usable:
        return
    st.subheader("Who is it?", anchor=False)
    name, add = _who(pipe)
    looked = review_draft(pipe, draft.only([photo.name for photo in chosen]), name)
    _show_findings(looked.findings)
    _save(pipe, looked, name, add)


def _choose(draft: EnrolmentDraft) -> list[DraftPhoto]:
    """One card per photograph with a checkbox. The numbers are those that the findings refer to."""
    chosen: list[DraftPhoto] = []
    turn = st.session_state.get("enroll_round", 0)
    with st.container(horizontal=True, gap="small", key="enroll_cards"):
        for position, photo in enumerate(draft.photos):
            with st.container(border=True, width=164, height="stretch", gap="small", vertical_alignment="distribute"):
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
        recognisability = probe.quality.recognisability
        measured = "" if recognisability is None else f"recognisability {recognisability:.2f}, "
        details = f"{probe.probe_px:.0f} px, {measured}{photo.reason or 'good'}"
        if probe.taken == "crop":
            details += ". Used whole, as an aligned crop"
        if probe.taken == "box":
            details += ". Marked by hand"
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
    from core.enrolment.enrol import EnrolOptions, enrol

    ready = _may_save(draft.findings)
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
        options = EnrolOptions(store_crops=store_crops, add=add, matched_sizes=sizes, actor="dashboard")
        person = enrol(pipe, name, draft, options=options, note=note)
        st.session_state["enroll_done"] = (person.name, len(draft.usable), person.photographs, store_crops)
    if attempt.ok:
        forget_draft()
        st.rerun()


def forget_draft() -> None:
    """Drop the draft and what was entered for it."""
    for key in ("enroll_draft", "enroll_name", "enroll_note", "enroll_kind", "enroll_known"):
        st.session_state.pop(key, None)
    forget_contents()


def serious(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that must be acknowledged before saving."""
    return [finding for finding in findings if finding.serious]


def _show_findings(findings: Sequence[Finding]) -> None:
    """Show each finding, the serious ones first."""
    grave = serious(findings)
    for finding in (*grave, *(each for each in findings if each not in grave)):
        show = st.warning if finding in grave else st.info
        show(plain(finding.text), icon=_ICONS[finding.code])
    if grave:
        link("help", "How to resolve this", icon=":material/help:", topic="enrol")


def _may_save(findings: Sequence[Finding]) -> bool:
    """True where no finding is serious, or the serious ones were acknowledged."""
    grave = serious(findings)
    if not grave:
        return True
    # The key names the findings: other findings ask again.
    key = "enroll_agreed_" + "_".join(f"{each.code}-{each.photo}-{each.other}" for each in grave)
    return st.checkbox("I have reviewed this and want to save anyway", key=key)
