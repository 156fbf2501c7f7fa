"""Changes to people that can be undone: renaming, merging, removing a photograph. The undo of the last change is kept
in the visitor's session only."""

from __future__ import annotations

import streamlit as st

from core.gallery.identity_merge import Change, merge_identities, remove_template, rename, undo
from core.gallery.records import Identity, StoredTemplate
from core.gallery.store import Gallery
from core.system.text import count
from dashboard.shell.error_display import feedback
from dashboard.ui.handoff import SAID, UNDO, say_on_gallery
from dashboard.ui.markdown import plain, shorten


def report_last_change(store: Gallery) -> None:
    """Report the last change once, and offer to undo it until the next change."""
    text, change = st.session_state.pop(SAID, ""), st.session_state.get(UNDO)
    if text:
        st.success(plain(text), icon=":material/check_circle:")
    if change is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(f"Undo: {_label(change)}", icon=":material/undo:", key="gallery_undo_it"):
            with feedback() as attempt:
                number = undo(store, change, actor="dashboard")
                name = store.identity(number).name
            del st.session_state[UNDO]
            if attempt.ok:
                st.session_state[SAID] = f"Undone. {name} is restored."
                st.rerun()
        st.caption("Available until the next change or until this page is closed; nothing is stored on disk for it.")


def _label(change: Change) -> str:
    return change.text[0].lower() + change.text[1:]


def rename_panel(store: Gallery, person: Identity) -> None:
    """Rename a person."""
    with st.expander("Rename", icon=":material/edit:"), st.form("gallery_rename", border=False):
        new = st.text_input("New name", value=person.name, max_chars=200, key=f"gallery_new_name_{person.id}")
        if st.form_submit_button("Save the name"):
            with feedback() as attempt:
                change = rename(store, person.id, new, actor="dashboard")
            if attempt.ok:
                say_on_gallery(f"Renamed to {change.now}.", change)
                st.rerun()


def merge_panel(store: Gallery, person: Identity) -> None:
    """Merge this entry into another entry of the same person."""
    others = [each for each in store.identities() if each.id != person.id]
    if not others:
        return
    with st.expander("Merge with another entry", icon=":material/merge:"), st.form("gallery_merge", border=False):
        into = st.selectbox(
            "The same person as",
            others,
            index=None,
            format_func=lambda each: f"{shorten(each.name, 60)} ({count(each.photographs, 'photograph')})",
            placeholder="Choose the entry to keep",
            key=f"gallery_merge_into_{person.id}",
        )
        st.caption(
            f"Moves {count(person.photographs, 'photograph')} of this entry to the other, and erases its name and note."
        )
        if st.form_submit_button("Merge", icon=":material/merge:"):
            if into is None:
                st.info("Choose the other entry first.", icon=":material/person_search:")
                return
            with feedback() as attempt:
                change = merge_identities(store, person.id, into.id, actor="dashboard")
            if attempt.ok:
                st.session_state["gallery_open"] = into.id
                say_on_gallery(f"{person.name} was merged into {into.name}.", change)
                st.rerun()


def photograph_panel(store: Gallery, templates: list[StoredTemplate]) -> None:
    """Remove the template of one photograph. The last one can't be removed."""
    if len(templates) < 2:
        return
    with (
        st.expander("Remove one photograph", icon=":material/image_not_supported:"),
        st.form("gallery_remove", border=False),
    ):
        chosen = st.selectbox(
            "Photograph",
            range(len(templates)),
            format_func=lambda at: f"{at + 1}: {_described(templates[at])}",
            key=f"gallery_remove_which_{templates[0].identity_id}_{len(templates)}",
        )
        if st.form_submit_button("Remove the photograph", icon=":material/delete:"):
            with feedback() as attempt:
                change = remove_template(store, templates[chosen], actor="dashboard")
            if attempt.ok:
                say_on_gallery("The photograph was removed.", change)
                st.rerun()


def _described(template: StoredTemplate) -> str:
    source = shorten(template.source, 40) if template.source else "no file name stored"
    return f"{source}, {template.probe_px:.0f} px, added {template.added_at:%-d %B %Y}"
