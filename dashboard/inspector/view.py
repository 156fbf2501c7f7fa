"""The Inspector page: how super-resolution changes a face, in pixels, in figures, and for recognition."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import streamlit as st

from core.images import read_image
from core.models.upscalers import shipped_dsr
from core.sr.upscale import BICUBIC
from dashboard.inspector.data import gallery_reference, with_network
from dashboard.inspector.face import face_view
from dashboard.inspector.lab import lab
from dashboard.inspector.people import GalleryPeople
from dashboard.inspector.picker import set_view
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.readiness import cannot_recognise, readiness
from dashboard.shell.resources import pipeline, settings
from dashboard.ui.components import choose_one, empty_state, head
from dashboard.ui.markdown import plain, shorten
from dashboard.ui.pictures import Picture, faces
from dashboard.ui.uploads import photograph

if TYPE_CHECKING:
    from core.inspection.subject import Reduction
    from core.inspection.values import Subject
    from core.pipeline import Pipeline

_SOURCES = {
    "set": ":material/dataset: Data set",
    "upload": ":material/upload: Photograph",
    "camera": ":material/photo_camera: Camera",
}


def view() -> None:
    """Show the Inspector page."""
    head("Inspector", "See how super-resolution changes a face, and whether it helps recognition.")
    if cannot_recognise(readiness()):
        return
    source = choose_one("Source", _SOURCES, "inspector_source", show_label=False)
    joined = _compared(pipeline())  # after the first field, which is visible while the network loads
    if joined.upscaler.id == BICUBIC:
        st.info(
            "No super-resolution network or specialist is in use, so faces are enlarged by bicubic. Train one, or "
            "choose one on Home, to compare it with bicubic.",
            icon=":material/compare:",
        )
    if source == "set":
        set_view(joined)
        return
    file = (
        st.camera_input("Snapshot", key="inspector_camera")
        if source == "camera"
        else photograph("Photograph or aligned crop", key="inspector_upload")
    )
    if file is None:
        empty_state(
            "frame_person",
            "No face yet",
            "A large face is reduced and enlarged again, to be compared with the original. A small face is used as it "
            "is. Nothing is stored.",
        )
        return
    with feedback():
        _photograph(joined, file.name, file.getvalue(), lab())


def _compared(joined: Pipeline) -> Pipeline:
    """The pipeline whose upscaler is compared with bicubic: that of recognition, or, where that one enlarges by
    bicubic, the super-resolution network that ships."""
    network = shipped_dsr(settings()) if joined.upscaler.interpolates else None
    if network is None:
        return joined
    if joined.upscaler.specialist is not None:
        names = {"network": network.name, "specialist": joined.upscaler.name}
        if choose_one("Compare bicubic with", names, "inspector_compared") == "specialist":
            return joined
    st.caption(f"{plain(network.name)} is shown for comparison; recognition doesn't use it.")
    return with_network(joined, network)


def _photograph(joined: Pipeline, name: str, content: bytes, reduction: Reduction) -> None:
    from core.inspection.subject import subjects_of_photograph

    found = subjects_of_photograph(joined, read_image(content, name=name), shorten(name, 60), reduction)
    if not found:
        st.warning("No face was found in this photograph.", icon=":material/visibility_off:")
        link("help", "What can I do?", icon=":material/help:", topic="no-face")
        return
    subject = found[0] if len(found) == 1 else _chosen(found, content)
    reference = gallery_reference(joined)
    identity = ""
    if reference.size:
        identity = (
            st.selectbox(
                "Who is it?",
                sorted(reference.names),
                index=None,
                placeholder="An enrolled person, or leave empty",
                key="inspector_identity",
                format_func=lambda each: shorten(str(each), 60),
            )
            or ""
        )
    face_view(joined, subject, GalleryPeople(), identity)


def _chosen(found: list[Subject], content: bytes) -> Subject:
    """One of several faces, each shown with its number."""
    faces([Picture(one.hr if one.hr is not None else one.vlr, str(at)) for at, one in enumerate(found, start=1)], 64)
    key = f"inspector_number_{hashlib.sha256(content).hexdigest()[:12]}"
    number = st.segmented_control("Face", range(1, len(found) + 1), default=1, required=True, key=key)
    return found[number - 1]
