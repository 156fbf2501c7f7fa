"""Adapting a training to a camera: its pictures, the estimate beside examples, and the choice to train with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.dataset.camera.clean import clean_crops
from core.dataset.camera.estimate import CameraEstimate, described, estimate_camera
from core.dataset.camera.features import SmallFace
from core.dataset.camera.file import camera_values
from core.dataset.camera.simulate import shoot
from core.dataset.camera.small_faces import LARGEST_PX, LEAST_FACES, SMALLEST_PX, pictures_in, small_faces
from core.images import RGB
from core.jobs.context import Hooks
from dashboard.runs.form import typed_path
from dashboard.shell.downloads import offer_download
from dashboard.shell.error_display import feedback
from dashboard.shell.page_state import keep_here
from dashboard.shell.resources import detector
from dashboard.ui.components import choose_one
from dashboard.ui.markdown import plain
from dashboard.ui.pictures import Picture, faces
from dashboard.ui.uploads import photographs

_FOUND = "training_camera_found"
_SHOWN = 8
_FACE_PX = 72
_STEPS = {"faces": "Finding small faces", "cameras": "Simulating cameras"}


@dataclass(frozen=True, eq=False)
class FoundCamera:
    """An estimate with examples of the same sizes: faces of the camera, and faces simulated with its ranges."""

    estimate: CameraEstimate
    own: tuple[RGB, ...]
    simulated: tuple[RGB, ...]


def camera_choice(dataset: Path) -> CameraEstimate | None:
    """The part of the form that estimates a camera; returns the estimate to train with, or None.

    Large faces of the data set in the folder `dataset` stand for sharp ones.
    """
    with st.expander("Adapt to a camera", icon=":material/photo_camera:", key="training_camera"):
        st.markdown(
            "Estimates how a camera blurs, adds noise and compresses, from a few dozen to a few hundred of its small "
            f"faces ({SMALLEST_PX:.0f} to {LARGEST_PX:.0f} px), and trains with faces made small in the same way. "
            "Nobody has to be named. No face is stored; those shown are forgotten when you leave this page. Use the "
            "pictures as the camera saved them."
        )
        pictures = _pictures()
        if st.button("Estimate the camera", icon=":material/query_stats:", key="training_camera_go"):
            st.session_state.pop(_FOUND, None)
            with feedback():
                keep_here(_FOUND, _find(pictures, dataset))
        found: FoundCamera | None = st.session_state.get(_FOUND)
        return None if found is None else _show(found)


def _pictures() -> Sequence[Path | bytes] | str:
    """The uploaded files' bytes, or the folder's path as it was typed."""
    how = choose_one("Pictures", {"upload": "Upload", "folder": "Folder on this machine"}, "training_camera_how")
    if how == "folder":
        label = "Folder with pictures of the camera"
        return st.text_input(label, key="training_camera_folder", placeholder="/home/you/entrance", max_chars=4000)
    return [file.getvalue() for file in photographs("Pictures of the camera", key="training_camera_files")]


def _find(pictures: Sequence[Path | bytes] | str, dataset: Path) -> FoundCamera:
    """Raises CameraUnclear, SourceInvalid, NotAllowed, DatasetInvalid, StorageFailed, DetectorMissing."""
    bar = st.progress(0.0, text=_STEPS["faces"])

    def show(kind: str, /, **data: Any) -> None:
        if kind == "progress":
            text = f"{_STEPS[data['step']]}: {data['done']:,} of {data['total']:,}"
            bar.progress(data["done"] / data["total"], text=text)

    hooks = Hooks(show)
    try:
        given = pictures_in(typed_path(pictures)) if isinstance(pictures, str) else pictures
        small = small_faces(given, detector(), hooks=hooks).faces
        clean = clean_crops(dataset)
        estimate = estimate_camera(small, clean, hooks=hooks)
    finally:
        bar.empty()
    own = _examples(small)
    sizes = [face.probe_px for face in own]
    simulated = shoot(estimate.ranges, clean, sizes, np.random.default_rng(0))
    return FoundCamera(estimate, tuple(f.pixels for f in own), tuple(f.pixels for f in simulated))


def _examples(small: Sequence[SmallFace]) -> list[SmallFace]:
    """A few faces, evenly spread over the sizes, the smallest first."""
    order = sorted(small, key=lambda face: face.probe_px)
    return [order[int(place)] for place in np.linspace(0, len(order) - 1, min(_SHOWN, len(order)))]


def _show(found: FoundCamera) -> CameraEstimate | None:
    estimate = found.estimate
    st.markdown("**Faces of this camera**")
    faces([Picture(each, pixels=True, alt="A face of this camera") for each in found.own], _FACE_PX)
    st.markdown("**Other faces, made small with the estimate**")
    faces([Picture(each, pixels=True, alt="A simulated face") for each in found.simulated], _FACE_PX)
    st.caption("Both rows should look alike: as blurred, as noisy, with the same blocks. People and light differ.")
    lines = [f"| {plain(what)} | {plain(own)} | {plain(every)} |" for what, own, every in described(estimate)]
    st.markdown("\n".join(["| | This camera | Without it |", "|---|---|---|", *lines]))
    if estimate.unusual:
        st.warning(
            "These faces look unlike those of every simulated camera, so the estimate is only the nearest one. Were "
            "they enlarged, sharpened or saved again?",
            icon=":material/warning:",
        )
    elif estimate.faces < 4 * LEAST_FACES:
        st.info("More faces make the estimate more exact; some 50 are enough.", icon=":material/info:")
    with st.container(horizontal=True, vertical_alignment="center"):
        used = st.toggle("Train with this camera", value=True, key="training_camera_use")
        offer_download(
            "Save the estimate",
            lambda: json.dumps(camera_values(estimate), indent=2).encode(),
            "camera.json",
            "application/json",
            key="training_camera_save",
            what="estimate of a camera",
            type="tertiary",
            help="Figures only. Train with it on another machine: train finetune --camera camera.json",
        )
    return estimate if used else None
