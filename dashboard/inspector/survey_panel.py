"""The figures of many faces: the offer to measure them, and the table once they are measured."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.evaluation.pictures import Picture
from core.inspection.survey import NEED_DSR, ordered, spread
from core.sr.upscale import BICUBIC
from core.system.text import count
from dashboard.inspector.data import dataset_reference, survey_of
from dashboard.inspector.people import EMBEDDED_PER_S, embed_pictures, progress_bar
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import choose_one
from dashboard.ui.markdown import plain

if TYPE_CHECKING:
    from core.inspection.subject import Reduction
    from core.pipeline import Pipeline

_AMONG = {200: "200 faces", 1000: "1,000 faces", 0: "all faces"}
_MEASURED_PER_S = 25  # enlarged twice, measured and embedded three times, on two cores
_LARGE = 1000


@dataclass(frozen=True)
class Selection:
    """Faces of a data set: the `pictures` of a split (None: all), and the `selected` ones among them."""

    dataset: str
    label: str
    split: str | None
    pictures: Sequence[Picture]
    selected: Sequence[Picture]


def survey_panel(pipeline: Pipeline, faces: Selection, reduction: Reduction, order: str) -> pd.DataFrame | None:
    """The figures of the selected faces in the given order; None, with the next step, where they aren't measured."""
    if order in NEED_DSR and pipeline.upscaler.id == BICUBIC:
        st.info(
            "Gain and loss compare bicubic with a super-resolution network or a specialist, and none is in use. Train "
            "one, or choose one on Home.",
            icon=":material/compare:",
        )
        return None
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    with row:
        most = _among(len(faces.selected))
    measured = spread(faces.selected, most or None)
    reference = dataset_reference(pipeline, faces.pictures, faces.label)
    table = survey_of(pipeline, measured, reduction, reference) if reference is not None else None
    if table is None:
        _offer(pipeline, faces, measured, reduction, embedded=reference is not None)
        return None
    rows = ordered(table, order)
    row.caption(
        f"{count(len(rows), 'face')} of {len(table):,} measured ({len(faces.selected):,} match the filters), "
        f"{reduction.size_px} px by {reduction.degradation}, searched among "
        f"{plain(reference.label if reference else '')}.",
        width="stretch",
    )
    if rows.empty:
        st.success("None of these faces is wrongly identified.", icon=":material/check_circle:")
        return None
    return rows


def _offer(
    pipeline: Pipeline, faces: Selection, measured: Sequence[Picture], reduction: Reduction, *, embedded: bool
) -> None:
    """Offer to measure, and do so with a progress bar; the page is then run again."""
    seconds = len(measured) // _MEASURED_PER_S + (0 if embedded else len(faces.pictures) // EMBEDDED_PER_S)
    st.markdown(
        f"This needs the figures of {count(len(measured), 'face')} at {reduction.size_px} px. They are measured once "
        f"(about {max(2, seconds):,} s here) and kept. If you leave the page, finished measurements are kept."
    )
    if len(measured) > _LARGE and not reduction.params:
        st.caption("For this many faces, use the command, which needs no open page:")
        st.code(_command(faces, reduction), language=None, wrap_lines=True)
    if not allowed(Permission.RUN):
        not_yours("Measuring them")
        return
    if not st.button("Measure the faces", type="primary", icon=":material/speed:", key="inspector_measure"):
        return
    reference = embed_pictures(pipeline, faces.pictures, faces.label)
    if reference is None:
        return
    with progress_bar("Measuring face") as on_progress:
        survey_of(pipeline, measured, reduction, reference, on_progress)
    st.rerun()


def _command(faces: Selection, reduction: Reduction) -> str:
    """The command that measures every face of the split and keeps the same figures."""
    which = f"--dataset {shlex.quote(faces.dataset)}{f' --split {faces.split}' if faces.split else ''}"
    seed = f" --seed {reduction.seed}" if reduction.degradation == "camera" else ""
    return f"edgeface-studio inspect {which} --size {reduction.size_px} --degradation {reduction.degradation}{seed}"


def _among(available: int) -> int:
    options = [most for most in _AMONG if most == 0 or most < available]
    if len(options) < 2:
        return 0
    return choose_one(
        "Among", {each: _AMONG[each] for each in options}, f"inspector_most_{len(options)}", show_label=False
    )
