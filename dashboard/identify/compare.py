"""Comparison of two photographs: do their largest faces show the same person?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.images import read_image
from core.recognition.results import Comparison, Probe
from dashboard.identify.card import against_threshold, measures, probe_faces
from dashboard.shell.error_display import show_error
from dashboard.shell.resources import pipeline
from dashboard.ui.charts import score_bars
from dashboard.ui.uploads import photograph

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray
    from streamlit.runtime.uploaded_file_manager import UploadedFile


def compare_view(reduce_to_px: int | None) -> None:
    """The second tab of Identify. Nothing is stored, and the gallery isn't used."""
    st.markdown("Are these the same person? The largest face of each photograph is compared; the gallery isn't used.")
    columns = st.columns(2, gap="medium")
    with columns[0]:
        first = photograph("First photograph", key="identify_compare_a")
    with columns[1]:
        second = photograph("Second photograph", key="identify_compare_b")
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
            _side(probe)
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


def _side(probe: Probe | None) -> None:
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
