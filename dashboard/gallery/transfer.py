"""Export and import of the gallery, and its audit trail."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath

import pandas as pd
import streamlit as st

from core.gallery.import_merge import ImportReport, OnConflict
from core.gallery.store import Gallery
from core.gallery.transfer import SUFFIX, export_bytes, import_embeddings_pt, import_gallery
from core.models.encoders import WeightsFile
from core.system.text import count
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import space_in_use
from dashboard.ui.handoff import say_on_gallery
from dashboard.ui.markdown import plain

_RULES: dict[OnConflict, str] = {
    "skip": "Keep enrolled people unchanged",
    "add": "Add missing photographs",
    "rename": "Import under another name, such as “Name (2)”",
}

_AUDIT_ROWS = 200


def export_panel(store: Gallery) -> None:
    """Make a portable file, report its content, and offer the download."""
    with st.expander("Export", icon=":material/download:"):
        crops = st.checkbox("Include pictures of the faces", value=True, key="gallery_export_crops")
        st.warning(_holds(store, crops), icon=":material/privacy_tip:")
        agreed = st.checkbox(
            "I am authorised to export this data and will keep the file safe", key="gallery_export_agreed"
        )
        if st.button("Create the file", icon=":material/archive:", key="gallery_export", disabled=not agreed):
            with feedback(), st.spinner("Writing the file"):
                content, report = export_bytes(store, include_crops=crops, actor="dashboard")
                st.session_state["gallery_export_ready"] = (store.revision, crops, content, report.text)
        ready = st.session_state.get("gallery_export_ready")
        if ready is not None and ready[:2] == (store.revision, crops):
            st.info(plain(ready[3]), icon=":material/inventory_2:")
            offer_download(
                f"Download ({len(ready[2]) / 1e6:.1f} MB)",
                lambda: ready[2],
                f"gallery-{datetime.now().astimezone():%Y-%m-%d}{SUFFIX}",
                "application/octet-stream",
                key="gallery_export_download",
                what="gallery export",
            )


def _holds(store: Gallery, crops: bool) -> str:
    """The content of the file, before it is made."""
    people = store.identities()
    photographs = sum(person.photographs for person in people)
    pictures = " and pictures of their faces" if crops else ", without pictures"
    return (
        f"The file will contain the names and notes of {count(len(people), 'person', 'people')}, the embeddings of "
        f"{count(photographs, 'photograph')}{pictures}. The file isn't encrypted, and erasing a person here later "
        "doesn't erase them from it."
    )


def import_panel(store: Gallery, weights: WeightsFile | None) -> None:
    """Import a portable file, or a .pt file of names and embeddings."""
    with st.expander("Import", icon=":material/upload:"):
        with st.form("gallery_import", border=False, clear_on_submit=True):
            file = st.file_uploader(
                f"Gallery export ({SUFFIX}), or .pt file of names and embeddings",
                type=[SUFFIX.lstrip("."), "pt"],
                key="gallery_import_file",
                max_upload_size=200,
            )
            rule = st.radio(
                "People already enrolled", list(_RULES), format_func=_RULES.__getitem__, key="gallery_import_rule"
            )
            st.caption(
                "An export names its weights; people enrolled with other weights are imported but can't be searched. A "
                ".pt file doesn't, so it must come from the weights in use."
            )
            asked = st.form_submit_button("Import", icon=":material/upload:")
        if not asked:
            return
        if file is None:
            st.info("Choose a file first.", icon=":material/upload_file:")
            return
        with feedback() as attempt, st.spinner("Checking and importing the file"):
            report = import_file(store, file.name, file.getvalue(), rule, weights)
            say_on_gallery(report.text)
        if attempt.ok:
            st.rerun()


def import_file(
    store: Gallery, name: str, content: bytes, rule: OnConflict, weights: WeightsFile | None
) -> ImportReport:
    """Import uploaded bytes by the file's ending. Raises ImportRejected; WeightsMissing for a .pt without weights."""
    if PurePath(name).suffix.lower() != ".pt":
        return import_gallery(store, content, on_conflict=rule, actor="dashboard")
    if weights is None:
        from core.models.errors import WeightsMissing

        raise WeightsMissing(
            "A .pt file doesn't name its weights, and no weights are in use.", "Get the weights on Home."
        )
    return import_embeddings_pt(store, content, space=space_in_use(weights), on_conflict=rule, actor="dashboard")


def audit_trail(store: Gallery) -> None:
    """The audit trail, with numbers instead of names, so that a deleted name stays deleted."""
    with st.expander("Audit trail", icon=":material/history:"):
        entries = store.audit(_AUDIT_ROWS)
        if not entries:
            st.caption("No entries yet.")
            return
        rows = [
            {
                "Time (UTC)": entry.at,
                "User": entry.actor,
                "Event": entry.event,
                "Person": f"number {entry.identity_id}" if entry.identity_id else "",
            }
            for entry in entries
        ]
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            width="stretch",
            height=min(420, 38 + 35 * len(rows)),
            column_config={"Time (UTC)": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", timezone="UTC")},
        )
        st.caption("Entries contain no names, so that a deleted name is gone.")
        link("help", "What is stored and what isn't", icon=":material/help:", topic="privacy")
