"""The Identify page: photographs, a camera or a video, at the original or a reduced size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.csv_export import csv_bytes
from core.errors import CoreError
from core.images import read_image
from core.recognition.results import Comparison, Probe
from core.system.text import count
from dashboard.identify.by_hand import Marked, drawing_panel, marked
from dashboard.identify.camera import live_identify
from dashboard.identify.card import (
    against_threshold,
    group_photo,
    in_words,
    measures,
    numbered_title,
    probe_faces,
    recognition_card,
    tiles,
)
from dashboard.identify.session import Options, Photograph, choose_size, draft_of, identify_all, table
from dashboard.identify.video import video_jobs
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback, show_error
from dashboard.shell.navigation import go, link
from dashboard.shell.readiness import cannot_recognise, readiness, say_who_is_not_found
from dashboard.shell.resources import pipeline
from dashboard.ui import uploads
from dashboard.ui.charts import score_bars
from dashboard.ui.components import empty_state, head
from dashboard.ui.handoff import carry
from dashboard.ui.markdown import plain

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.pipeline import Pipeline

SHOWN_IN_FULL = 3  # photographs, or faces in one; with more, one is selected

PHOTOGRAPHS, CAMERA, VIDEO = "Photographs", "Camera", "Video or stream"
_SOURCES = [PHOTOGRAPHS, CAMERA, VIDEO]


def view() -> None:
    """Show the Identify page."""
    head("Identify", "Find out who is in a photograph. Upload one or more; each may show several people.")
    ready = readiness()
    if cannot_recognise(ready):
        return
    many, two = st.tabs(["Identify", "Compare two"])
    with many, feedback():
        say_who_is_not_found(ready)
        source = st.segmented_control(
            "From", _SOURCES, default=PHOTOGRAPHS, required=True, key="identify_source", label_visibility="collapsed"
        )
        if source == PHOTOGRAPHS:
            _identify()
        elif source == CAMERA:
            live_identify(pipeline())
        else:
            video_jobs(pipeline())
    with two, feedback():
        compare_view(choose_size("identify_compare_size", "each photograph"))


def _identify() -> None:
    files = uploads.photographs("Photographs", key="identify_photographs")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        reduce_to_px = choose_size("identify_size", "the whole photograph")
        every_face = st.toggle("Every face in the photograph", value=True, key="identify_every")
    if not files:
        empty_state(
            "frame_person",
            "No photograph yet",
            "For each face you see the closest people with their scores, and the answer in words.",
        )
        return
    joined = pipeline()
    options = Options(reduce_to_px, every_face, joined.fingerprint)
    found = _with_progress(joined, files, options)
    by_id = {file.file_id: file for file in files}
    marks = [marked(joined, by_id[each.key], each, options) for each in found]
    found = [each.photograph for each in marks]
    if found:
        st.session_state["identify_done"] = True
        _summary(found)
        if reduce_to_px is not None:
            st.caption(f"Each photograph was reduced until its largest face measured about {reduce_to_px} px.")
        _results(joined, by_id, marks)


def _with_progress(joined: Pipeline, files: Sequence[UploadedFile], options: Options) -> list[Photograph]:
    bar = st.empty()

    def on_progress(done: int, total: int) -> None:
        bar.progress(done / total, f"Analysing photograph {done + 1} of {total}")

    found = identify_all(joined, files, options, on_progress)
    bar.empty()
    return found


def _summary(found: Sequence[Photograph]) -> None:
    outcomes = [face.outcome for photograph in found for face in photograph.faces if face.probe is not None]
    parts = [count(outcomes.count("match"), "match", "matches")]
    parts += [count(outcomes.count(each), each) for each in ("tie", "repeat") if each in outcomes]
    parts.append(f"{outcomes.count('unknown')} unknown")
    if "unrecognisable" in outcomes:
        parts.append(f"{outcomes.count('unrecognisable')} can't be recognised")
    faces = f"{count(len(found), 'photograph')}, {count(len(outcomes), 'face')}"
    row = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    row.markdown(f"**{faces}:** {', '.join(parts)}" if outcomes else f"**{faces}**", width="content")
    offer_download(
        "Results as CSV",
        lambda: csv_bytes(table(found)),
        "identified.csv",
        "text/csv",
        key="identify_csv",
        what="identification results",
        into=row,
    )


def _results(joined: Pipeline, files: Mapping[str, UploadedFile], marks: Sequence[Marked]) -> None:
    for each in marks:
        if each.photograph.error is not None:
            show_error(each.photograph.error)
    shown = [each for each in marks if each.photograph.error is None]
    if len(shown) > SHOWN_IN_FULL:
        tiles([face for each in shown for face in each.photograph.faces])
        names = [f"{at}  {each.photograph.name}" for at, each in enumerate(shown, start=1)]
        shown = [shown[_choose("Show photograph", names)]]
    for each in shown:
        with st.container(border=True):
            file = files[each.photograph.key]
            _photograph(joined, file, each.photograph)
            drawing_panel(file, each)


def _choose(label: str, options: Sequence[str]) -> int:
    """The index of the selected option. The key depends on the options, so that an old selection never carries over."""
    key = f"identify_{label}_{hash(tuple(options))}"
    return st.selectbox(label, range(len(options)), format_func=lambda place: options[place], key=key)


def _photograph(joined: Pipeline, file: UploadedFile, photograph: Photograph) -> None:
    st.caption(plain(photograph.name))
    if photograph.found > 1:
        group_photo(photograph)
    if photograph.found == 0:
        st.markdown(f":gray[:material/visibility_off:] {in_words(photograph.faces[0])}")
        link("help", "What can I do?", icon=":material/help:", topic="no-face")
        return
    numbers = range(1, len(photograph.faces) + 1)
    if len(numbers) > SHOWN_IN_FULL:
        tiles(photograph.faces)
        titles = [numbered_title(photograph.faces[number - 1], number) for number in numbers]
        chosen = _choose("Details of face", titles)
        numbers = numbers[chosen : chosen + 1]
    for number in numbers:
        if number > numbers[0] or photograph.found > 1:
            st.space("small")
        face = photograph.faces[number - 1]
        heading = f"{number} " if photograph.found > 1 else ""
        if recognition_card(face, f"identify_{photograph.key}_{number}", heading):
            carry(draft_of(joined, file.name, file.getvalue(), face))
            go("enroll")


def compare_view(reduce_to_px: int | None) -> None:
    """The second tab of Identify. Nothing is stored, and the gallery isn't used."""
    st.markdown("Are these the same person? The largest face of each photograph is compared; the gallery isn't used.")
    columns = st.columns(2, gap="medium")
    with columns[0]:
        first = uploads.photograph("First photograph", key="identify_compare_a")
    with columns[1]:
        second = uploads.photograph("Second photograph", key="identify_compare_b")
    if first is None or second is None:
        return
    images = [_read(file) for file in (first, second)]
    readable = [image for image in images if image is not None]
    if len(readable) < 2:
        return
    with st.spinner("Comparing"):
        joined = pipeline()
        comparison = joined.compare(*readable, reduce_to_px=reduce_to_px)
    show_comparison(comparison)


def show_comparison(comparison: Comparison) -> None:
    """Show both faces, the score against the threshold, and the answer in words."""
    for column, probe in zip(st.columns(2, gap="medium"), (comparison.a, comparison.b), strict=True):
        with column:
            _compared(probe)
    if comparison.same is None or comparison.score is None:
        st.subheader(":gray[:material/visibility_off:] Can't be compared", anchor=False)
        st.markdown(f"{comparison.reason[:1].upper()}{comparison.reason[1:]}.")
        return
    if comparison.same:
        st.subheader(":green[:material/check_circle:] Probably the same person", anchor=False)
    else:
        st.subheader(":orange[:material/cancel:] Probably different people", anchor=False)
    words = against_threshold(comparison.score, comparison.threshold, calibrated=comparison.calibrated)
    st.markdown(f"{words}, in one comparison of two faces.")
    figure = score_bars(["These two"], [comparison.score], comparison.threshold, calibrated=comparison.calibrated)
    st.plotly_chart(figure, key="identify_compare_bars", config={"displayModeBar": False}, alt="Score of the two faces")


def _compared(probe: Probe | None) -> None:
    if probe is None:
        st.caption("No face found")
        return
    probe_faces(probe)
    st.caption(measures(probe))


def _read(file: UploadedFile) -> NDArray[uint8] | None:
    try:
        return read_image(file.getvalue(), name=file.name)
    except CoreError as error:
        show_error(error)
        return None
