"""One face: pictures, verdict, figures, closest people and steps; on request saliency and other weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from core.inspection.colours import labelled, overlay
from core.inspection.values import INVENTED, Inspection, Subject
from core.models.measured import DIRECT_FEED
from core.sr.upscale import BICUBIC
from dashboard.inspector.data import encoders, other_pipeline, upscalers
from dashboard.inspector.image_compare import compare_pictures
from dashboard.inspector.people import People
from dashboard.inspector.results import figures_table, nearest_people, steps_panel, verdict_line
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback
from dashboard.shell.resources import pipeline as recognition
from dashboard.ui.markdown import plain, shorten
from dashboard.ui.pictures import Picture, faces

if TYPE_CHECKING:
    from core.inspection.reference import Reference
    from core.pipeline import Pipeline


def face_view(pipeline: Pipeline, subject: Subject, people: People, identity: str = "") -> None:
    """Everything about one face; `identity` names the person where the subject has no name."""
    from core.inspection.face import inspect_face

    who = subject.identity or identity
    found = people.reference(pipeline)
    inspection = inspect_face(pipeline, subject, found, identity=who, in_use=recognition().upscaler)
    verdict_line(inspection)
    compare_pictures(inspection, "inspector_pictures")
    figures_table(inspection)
    if inspection.hr is None:
        st.info(
            "This face was photographed small, so there is no HR image to measure against. PSNR, SSIM and the cosine "
            "to HR aren't available.",
            icon=":material/info:",
        )
    _closest(pipeline, inspection, people, who)
    steps_panel(inspection)
    with st.container(horizontal=True):
        offer_download(
            "Sheet as PNG",
            lambda: _sheet(inspection),
            "inspection.png",
            "image/png",
            key="inspector_sheet",
            what="inspection sheet",
        )
        salient = st.toggle("Show what the match depends on", key="inspector_saliency")
        beside = st.toggle("Compare with other weights", key="inspector_beside")
    if salient:
        with feedback():
            _saliency(pipeline, inspection, people.reference(pipeline), who)
    if beside:
        with feedback():
            _other_weights(subject, inspection, people, who)


def _closest(pipeline: Pipeline, inspection: Inspection, people: People, who: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Closest people", anchor=False, width="content")
        people.choose()
    if inspection.reference:
        nearest_people(inspection, who)
    else:
        people.offer(pipeline)


def _sheet(inspection: Inspection) -> bytes:
    from core.inspection.sheet import sheet_png

    return sheet_png(inspection)


def _saliency(pipeline: Pipeline, inspection: Inspection, reference: Reference | None, who: str) -> None:
    """Saliency: how much the score falls when parts of the face are covered, for each upscaler."""
    from core.inspection.saliency import saliency

    st.subheader("What the match depends on", anchor=False)
    targets: dict[str, Any] = {}
    if inspection.hr is not None:
        targets["HR of this face"] = inspection.hr.vector
    names = [who] if who else []
    if reference is not None:
        nearest = inspection.enlarged[0].ranking
        names += [near.name for near in nearest.nearest] if nearest is not None else []
        for name in dict.fromkeys(names):
            mean = reference.mean_of(name, inspection.subject.sha256)
            if mean is not None:
                targets[name] = mean
    if not targets:
        st.info("There is nobody to match with. Enrol a person, or choose a data set.", icon=":material/info:")
        return
    chosen = st.selectbox(
        "Match with",
        list(targets),
        key="inspector_target",
        width=320,
        format_func=lambda name: shorten(name, 60) if name != who or not who else f"{shorten(name, 50)} (true person)",
    )
    shown = []
    with st.spinner("Covering parts of the face"):
        for one in inspection.enlarged:
            encode = pipeline.encode_as_small if one is inspection.dsr else pipeline.encoder.encode
            found = saliency(encode, one.image, targets[chosen])
            picture = overlay(one.image, found.heat)
            label = f"{one.name}: cosine {found.score:.2f}" + (f"; {INVENTED}" if one.invented else "")
            shown.append(Picture(labelled(picture) if one.invented else picture, label, f"Saliency of {one.name}"))
    faces(shown, 200)
    st.caption(
        "Warm colours mark where blurring a square of 16 px lowers the cosine most. Each picture has its own scale."
    )


def _other_weights(subject: Subject, inspection: Inspection, people: People, who: str) -> None:
    """The same face with another encoder or upscaler."""
    from core.inspection.face import inspect_face

    st.subheader("Other weights", anchor=False)
    weights, networks = encoders(), upscalers()
    left, right = st.columns(2, gap="medium")
    with left:
        encoder = st.selectbox(
            "Encoder",
            weights,
            key="inspector_other_encoder",
            format_func=lambda file: shorten(file.name, 50),
            index=next((at for at, file in enumerate(weights) if file.sha256 == inspection.encoder_sha256), 0),
        )
    with right:
        upscaler = st.selectbox(
            "Upscaler",
            [None, *networks],
            key="inspector_other_upscaler",
            format_func=lambda file: BICUBIC if file is None else shorten(file.name, 50),
        )
    if encoder is None:
        return
    same = upscaler.sha256 if upscaler is not None else BICUBIC
    if (encoder.sha256, same) == (inspection.encoder_sha256, inspection.upscaler_sha256):
        st.caption("These weights are shown above. Choose another encoder or upscaler.")
        return
    pipeline = other_pipeline(encoder, upscaler)
    other = inspect_face(pipeline, subject, people.reference(pipeline), identity=who)
    through = f", {DIRECT_FEED}" if other.upscaler == BICUBIC else f" + {plain(other.upscaler)}"
    st.markdown(f"**{plain(other.encoder)}{through}**")
    compare_pictures(other, "inspector_other_pictures")
    figures_table(other)
    if other.dsr is not None:
        st.markdown(plain(other.verdict.sentence))
    if other.reference:
        nearest_people(other, who)
    else:
        people.offer(pipeline)
