"""Faces that a person marks on a photograph by hand: the squares drawn, their answers, and the place to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from core.faces.face import SAME_OVERLAP, Face, moved, overlap
from core.recognition.boxes import Box
from core.recognition.decision import once_each
from core.recognition.results import Probe, Recognition
from dashboard.identify.session import Options, Photograph
from dashboard.shell.error_display import feedback
from dashboard.ui.box_drawing import canvas_of, draw_box

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.pipeline import Pipeline

_BOXES, _ANSWERS = "identify_boxes", "identify_box_answers"
_MOST_ANSWERS = 200


@dataclass(frozen=True)
class Marked:
    """A photograph with the faces added by hand. `boxes` are all squares drawn on it; of the last one, `missed` says
    that no face was seen in it, and `known` is the number of the face that was found there already."""

    photograph: Photograph
    boxes: tuple[Box, ...] = ()
    missed: bool = False
    known: int | None = None


def marked(pipeline: Pipeline, file: UploadedFile, photograph: Photograph, options: Options) -> Marked:
    """The photograph with the faces in its squares, new ones recognised, as long as they aren't found already."""
    boxes = _boxes(photograph.key)
    if not boxes or photograph.error is not None:
        return Marked(photograph)
    faces = [face for face in photograph.faces if face.probe is not None]
    missed, known = False, None
    for answer in _answers(pipeline, file, boxes, options):
        missed, known = answer.probe is None, _number_of(answer, faces)
        if not missed and known is None:
            faces.append(answer)
    if not faces:
        faces = list(photograph.faces)
    return Marked(replace(photograph, faces=tuple(once_each(faces))), tuple(boxes), missed, known)


def drawing_panel(file: UploadedFile, at: Marked) -> None:
    """The place to draw, open at first where no face was found."""
    key = _panel_key(at.photograph.key)
    if not at.photograph.found:
        st.session_state.setdefault(key, True)
    box = st.expander("Add a face by hand", icon=":material/crop_free:", key=key, on_change="rerun")
    if box.open:
        with box, feedback():
            _panel(file, at)


def _panel(file: UploadedFile, at: Marked) -> None:
    key = at.photograph.key
    canvas = canvas_of(key, file.getvalue(), file.name)
    shares = [face.probe.box_share for face in at.photograph.faces if face.probe is not None]
    draw_box(
        canvas,
        f"identify_draw_{key}",
        lambda box: _take(key, box),
        found=[share for share in shares if share is not None],
        answered=len(at.boxes),
        missed=at.boxes[-1] if at.missed else None,
    )
    if at.known is not None:
        number = f": number {at.known}" if at.photograph.found > 1 else ""
        st.info(f"The face in this square was found already{number}.", icon=":material/info:")
    label = "Remove the square" if len(at.boxes) == 1 else f"Remove the {len(at.boxes)} squares"
    if at.boxes and st.button(label, type="tertiary", icon=":material/undo:", key=f"identify_boxes_off_{key}"):
        _boxes(key).clear()
        st.rerun()


def _panel_key(key: str) -> str:
    return f"identify_by_hand_{key}"


def _take(key: str, box: Box) -> None:
    """Add a square to a photograph, and leave the place to draw open for the next one."""
    _boxes(key).append(box)
    st.session_state[_panel_key(key)] = True


def _boxes(key: str) -> list[Box]:
    """The squares drawn on a photograph, which can be added to."""
    by_photograph: dict[str, list[Box]] = st.session_state.setdefault(_BOXES, {})
    return by_photograph.setdefault(key, [])


def _answers(pipeline: Pipeline, file: UploadedFile, boxes: Sequence[Box], options: Options) -> list[Recognition]:
    """One answer for each square, each computed once."""
    kept: dict[tuple[str, Box, Options], Recognition] = st.session_state.setdefault(_ANSWERS, {})
    keys = [(file.file_id, box, options) for box in boxes]
    for key in keys:
        if key not in kept:
            kept[key] = pipeline.run(file.getvalue(), reduce_to_px=options.reduce_to_px, boxes=[key[1]])
    found = [kept[key] for key in keys]
    while len(kept) > _MOST_ANSWERS:
        kept.pop(next(iter(kept)))
    return found


def _number_of(answer: Recognition, faces: Sequence[Recognition]) -> int | None:
    """The number, from 1 on, of the face that an answer shows again."""
    wanted = _on_unit_frame(answer.probe)
    for number, face in enumerate(faces, start=1):
        other = _on_unit_frame(face.probe)
        if wanted is not None and other is not None and overlap(wanted, other) > SAME_OVERLAP:
            return number
    return None


def _on_unit_frame(probe: Probe | None) -> Face | None:
    """A probe's face in a frame of 1 x 1, so that photographs of several sizes compare; None for an aligned crop."""
    if probe is None or probe.face is None:
        return None
    height, width = probe.frame_shape
    return moved(probe.face, (1 / width, 1 / height), (0, 0))
