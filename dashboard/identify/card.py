"""One recognised face on screen: the crop, the encoder's input, the outcome in words and the closest people."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.recognition.results import Outcome, Probe, Recognition, either
from core.system.text import count
from dashboard.identify.session import Photograph
from dashboard.shell.session import Permission, allowed
from dashboard.ui.charts import score_bars
from dashboard.ui.components import RECOGNISABILITY
from dashboard.ui.markdown import plain, shorten
from dashboard.ui.photo_overlay import Box, photo_html
from dashboard.ui.pictures import Picture, faces

SIGNS: dict[Outcome, str] = {
    "match": ":green[:material/check_circle:]",
    "tie": ":orange[:material/balance:]",
    "repeat": ":orange[:material/content_copy:]",
    "unknown": ":orange[:material/help:]",
    "unrecognisable": ":gray[:material/visibility_off:]",
}


def title_of(face: Recognition) -> str:
    """The outcome as a word or a name, in plain text."""
    return "Looks like a presentation attack" if face.is_attack else face.title


def numbered_title(face: Recognition, number: int) -> str:
    """The face's number in its photograph, its outcome and its best score, in plain text."""
    title = title_of(face)
    score = f"{'' if title.endswith('?') else ','} {face.score:.2f}" if face.score is not None else ""
    return f"{number} {title}{score}"


def in_words(face: Recognition) -> str:
    """The reason for the outcome in Markdown, names escaped: the score against the threshold, and the margin."""
    if face.outcome == "unrecognisable":
        return f"{_sentence(face.reason)} No name is guessed."
    if face.score is None:
        return _sentence(plain(face.reason))
    words = f"{against_threshold(face.score, face.threshold, calibrated=face.calibrated)}."
    if face.warning:
        words = f"{words} {face.warning}"
    if face.outcome == "tie":
        names = plain(either(face.possible))
        return f"{words} {names}: too close to call{_apart(face)}. Nobody is named. {_ONE_PERSON}"
    if face.outcome == "repeat":
        return f"{words} {plain(face.reason)}. A person can appear only once in a photograph, so this face isn't named."
    if face.outcome == "unknown":
        return f"{words} The closest person is {plain(face.top_k[0].name)}."
    if face.margin is None:
        return f"{words} Nobody else is enrolled."
    return f"{words} The runner-up, {plain(face.top_k[1].name)}, is {face.margin:.2f} behind."


_ONE_PERSON = "If these are one person enrolled twice, merge the entries in Gallery."


def _apart(face: Recognition) -> str:
    if face.margin is None:
        return ""
    return f", the two best scores are {face.margin:.3f} apart" if face.margin >= 0.0005 else ", their scores are equal"


def against_threshold(score: float, threshold: float, *, calibrated: bool) -> str:
    """ "Score 0.61 reaches the threshold 0.35 (uncalibrated)", with enough digits to tell the two apart."""
    digits = next((n for n in (2, 3, 4) if f"{score:.{n}f}" != f"{threshold:.{n}f}"), 2)
    verb = "reaches" if score >= threshold else "is below"
    uncalibrated = "" if calibrated else " (uncalibrated)"
    return f"Score {score:.{digits}f} {verb} the threshold {threshold:.{digits}f}{uncalibrated}"


def outcome_line(face: Recognition, heading: str = "") -> None:
    """The outcome as a heading and its reason; `heading` is plain text before it."""
    st.subheader(f"{SIGNS[face.outcome]} {plain(heading + shorten(title_of(face), 60))}", anchor=False)
    st.markdown(in_words(face))


_TAKEN = {"crop": "used whole, as an aligned crop", "box": "marked by hand"}


def measures(probe: Probe) -> str:
    """A probe's size and quality in one line of plain text."""
    quality = probe.quality
    parts = [
        f"probe {probe.probe_px:.0f} px",
        *([_TAKEN[probe.taken]] if probe.taken in _TAKEN else []),
        *([] if quality.recognisability is None else [f"recognisability {quality.recognisability:.2f}"]),
        f"sharpness {quality.sharpness:.2f}",
        f"brightness {quality.brightness:.0f}",
    ]
    if quality.yaw_deg is not None:
        parts.append(f"turned {abs(quality.yaw_deg):.0f}°")
    return ", ".join(parts)


def probe_faces(probe: Probe, width_px: int = 112) -> None:
    """The crop as photographed and, where it was enlarged, the encoder's input."""
    side = probe.crop.shape[0]
    whole = side == probe.sr_image.shape[0]
    pictures = [
        Picture(probe.crop, f"{'Aligned' if whole else 'As seen'}, {side} px", "Face as seen", pixels=side < 64)
    ]
    if not whole:
        detail = "its detail is a guess" if probe.invented else "adds no detail"
        pictures.append(Picture(probe.sr_image, f"Enlarged ({probe.upscaler_text}): {detail}", "Enlarged face"))
    faces(pictures, width_px)


def recognition_card(face: Recognition, key: str, heading: str = "") -> bool:
    """Everything about one face. Returns True where "Enrol this person", offered for unknown faces, was pressed."""
    probe = face.probe
    if probe is None:
        outcome_line(face, heading)
        return False
    left, right = st.columns([2, 3], gap="medium")
    with left:
        probe_faces(probe)
        st.caption(measures(probe), help=None if probe.quality.recognisability is None else RECOGNISABILITY)
        if probe.problems and face.outcome != "unrecognisable":
            st.caption(_sentence("; ".join(problem.text for problem in probe.problems)))
    with right:
        outcome_line(face, heading)
        if face.top_k:
            figure = score_bars(
                [candidate.name for candidate in face.top_k],
                [candidate.score for candidate in face.top_k],
                face.threshold,
                calibrated=face.calibrated,
            )
            closest = count(len(face.top_k), "person", "people")
            st.plotly_chart(
                figure, key=f"{key}_bars", config={"displayModeBar": False}, alt=f"Scores of the closest {closest}"
            )
        may = face.outcome == "unknown" and allowed(Permission.ENROL)
        asked = may and st.button("Enrol this person", key=f"{key}_enrol", icon=":material/person_add:")
        if face.timings_ms:
            steps = ", ".join(f"{step} {ms:.0f} ms" for step, ms in face.timings_ms.items())
            with st.expander("Time per step", icon=":material/timer:", type="compact"):
                st.caption(f"This face, on this machine: {steps}.")
    return asked


def group_photo(photograph: Photograph) -> None:
    """The whole photograph with a numbered box around each face."""
    boxes = [
        Box(share, number, _at_box(face), face.outcome)
        for number, face in enumerate(photograph.faces, start=1)
        if face.probe is not None and (share := face.probe.box_share) is not None
    ]
    if photograph.preview is not None:
        st.html(photo_html(photograph.preview, boxes, f"Photograph with {count(len(boxes), 'face')}"))


def _at_box(face: Recognition) -> str:
    """The text at a box. Only a match is named: cut off on a narrow screen, the names of a tie would read as one."""
    return face.identity or ("" if face.outcome == "unrecognisable" else face.outcome)


def tiles(recognitions: Sequence[Recognition], width_px: int = 92) -> None:
    """Thumbnails with number, name and score: the overview of a group."""
    faces(
        [
            Picture(
                face.probe.crop,
                numbered_title(face, number),
                f"Face {number}",
                pixels=face.probe.crop.shape[0] < 64,
            )
            for number, face in enumerate(recognitions, start=1)
            if face.probe is not None
        ],
        width_px,
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
