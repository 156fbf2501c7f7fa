"""Erasing a person: confirmation, erasure in all places, and a report."""

from __future__ import annotations

import streamlit as st

from core.gallery.backup import list_backups
from core.gallery.records import Identity
from core.privacy.erasure import ErasureReport, erase
from core.system.text import count
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback
from dashboard.shell.readiness import forget_faces
from dashboard.shell.resources import gallery, settings
from dashboard.ui.components import name_line
from dashboard.ui.handoff import say_on_gallery
from dashboard.ui.markdown import plain

_ASKING, _REPORT = "gallery_deleting", "gallery_erased"
_PLACES_SHOWN = 20


def stop_asking() -> None:
    """Close the dialog."""
    st.session_state.pop(_ASKING, None)


def erase_button(person: Identity, facts: str) -> None:
    """The delete button, and the confirmation dialog once it was pressed."""
    if st.button("Delete", icon=":material/delete:", key="gallery_delete"):
        st.session_state[_ASKING] = person.id
    if st.session_state.get(_ASKING) == person.id:
        _confirm(person, facts)


@st.dialog("Delete for good?", icon=":material/delete_forever:", on_dismiss=stop_asking)
def _confirm(person: Identity, facts: str) -> None:
    name_line(person.name, facts)
    st.markdown(
        "The name, the note, all embeddings and all pictures are erased from the gallery and from cached copies of the "
        "same photographs. Earlier exports are not affected. This can't be undone."
    )
    backups = len(list_backups(settings().gallery_path))
    too = bool(backups) and st.checkbox(
        f"Also erase from {'the backup' if backups == 1 else f'the {backups} backups'} of the gallery",
        key="gallery_delete_backups",
    )
    with st.container(horizontal=True):
        if st.button("Delete for good", type="primary", icon=":material/delete_forever:", key="gallery_delete_sure"):
            with feedback() as attempt, st.spinner("Erasing, then searching for traces"):
                report = erase(settings(), gallery(), person.id, from_backups=too, actor="dashboard")
            if attempt.ok:
                _forget()
                st.session_state[_REPORT] = report
                say_on_gallery(f"{person.name} was deleted.")
                st.rerun()
        if st.button("Keep", key="gallery_delete_keep"):
            stop_asking()
            st.rerun()


def _forget() -> None:
    """Drop everything about the person from this session and from the shared caches."""
    stop_asking()
    for key in ("gallery_open", "gallery_export_ready"):
        st.session_state.pop(key, None)
    forget_faces()


def erase_report() -> None:
    """Show the report of the last erasure until it is closed."""
    report: ErasureReport | None = st.session_state.get(_REPORT)
    if report is None:
        return
    with st.container(border=True):
        st.markdown(f"**Erasure report** for person number {report.number}, {report.at:%-d %B %Y, %H:%M} UTC")
        st.dataframe(
            [
                {"Place": one.store, "Erased": one.count, "Data": one.what}
                for one in report.erased
                if one.count or one.store == "Gallery"
            ],
            hide_index=True,
            width="stretch",
        )
        searched = count(report.searched_files, "file")
        if report.complete:
            st.success(
                f"{searched} in the data folder were searched, and no trace of the name or the embeddings was found. "
                "The erasure is complete.",
                icon=":material/verified:",
            )
        for text in _left(report):
            st.warning(plain(text), icon=":material/inventory_2:")
        _unsearched(report)
        with st.container(horizontal=True):
            offer_download(
                "Download the report",
                report.text.encode,
                f"erasure-{report.number}-{report.at:%Y-%m-%d}.txt",
                "text/plain",
                key="gallery_erased_download",
                what=f"erasure report of person {report.number}",
            )
            if st.button("Close", key="gallery_erased_close"):
                del st.session_state[_REPORT]
                st.rerun()


def _unsearched(report: ErasureReport) -> None:
    """List the places that can't be searched for a person, and how to remove each."""
    if not report.unsearched:
        return
    count_of = count(len(report.unsearched), "place")
    st.warning(
        f"Videos, pictures and encrypted archives can't be searched: {count_of} may still show this person. The "
        "erasure is complete once these are removed, or once you know that this person isn't in them.",
        icon=":material/visibility_off:",
    )
    home = settings().data_dir
    lines = []
    for one in report.unsearched[:_PLACES_SHOWN]:
        place = one.place.relative_to(home) if home in one.place.parents else one.place
        lines.append(f"- **{plain(str(place))}**: {count(one.count, 'file')} ({one.what}). {plain(one.remedy)}")
    st.markdown("\n".join(lines))
    if (more := len(report.unsearched) - _PLACES_SHOWN) > 0:
        st.caption(f"{count(more, 'more place')}, listed in the report.")


def _left(report: ErasureReport) -> list[str]:
    left = []
    if report.backups:
        left.append(
            f"Backups still contain this person: {', '.join(path.name for path in report.backups)}. "
            "Remove those files when you no longer need them."
        )
    if report.unreadable:
        names = ", ".join(path.name for path in report.unreadable)
        left.append(f"Backups that can't be read here may contain this person: {names}.")
    if report.traces:
        places = ", ".join(f"{trace.path.name} ({trace.what})" for trace in report.traces[:5])
        more = f" and {len(report.traces) - 5} more" if len(report.traces) > 5 else ""
        left.append(f"Still found in {places}{more}. Check them: data sets and reports must be removed by hand.")
    return [*left, *report.problems]
