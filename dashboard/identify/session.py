"""Recognition of uploaded photographs, cached in the session until the pipeline or the options change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.errors import CoreError
from core.images import read_image, sha256_of
from core.recognition.results import POSSIBLE, DraftPhoto, Probe, Recognition
from core.settings import VLR_SIZES_PX
from dashboard.shell.error_display import feedback
from dashboard.ui.components import choose_one
from dashboard.ui.photo_overlay import Preview, preview
from dashboard.ui.uploads import MAX_UPLOADS

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.pipeline import Pipeline

_SEEN = "identify_seen"

AS_IT_IS = 0
SIZES = {AS_IT_IS: "Original", **{px: f"{px} px" for px in reversed(VLR_SIZES_PX)}}
"""Choices for the size of the largest face, in px; 0 leaves a photograph as it is."""


def choose_size(key: str, reduced: str) -> int | None:
    """Show the control for the size of the largest face; returns None for the original. `reduced` names what is made
    smaller."""
    help = f"Reduces {reduced} until its largest face has this size, to simulate a distant camera."
    return choose_one("Size of the largest face", SIZES, key, help=help) or None


@dataclass(frozen=True)
class Photograph:
    """One uploaded photograph and its recognised faces. `preview` is None where `error` is set."""

    key: str
    name: str
    faces: tuple[Recognition, ...] = ()
    preview: Preview | None = None
    error: CoreError | None = None

    @property
    def found(self) -> int:
        """The number of faces found."""
        return sum(face.probe is not None for face in self.faces)


@dataclass(frozen=True)
class Options:
    """How photographs are recognised. `reduce_to_px`: 16, 24 or 32 to simulate a distance, None for the original size.
    `every_face`: all faces instead of the largest. `fingerprint`: the pipeline's, on which the answers depend."""

    reduce_to_px: int | None
    every_face: bool
    fingerprint: str


def identify(pipeline: Pipeline, name: str, content: bytes, options: Options, key: str = "") -> Photograph:
    """Recognise the faces of one photograph, or the largest alone. An unreadable file is returned with its error."""
    try:
        rgb = read_image(content, name=name)
        run = pipeline.run_all if options.every_face else lambda *given, **more: [pipeline.run(*given, **more)]
        faces = tuple(run(rgb, reduce_to_px=options.reduce_to_px))
    except CoreError as error:
        return Photograph(key, name, error=error)
    return Photograph(key, name, faces, preview(rgb))


def identify_all(
    pipeline: Pipeline,
    files: Sequence[UploadedFile],
    options: Options,
    on_progress: Callable[[int, int], None],
) -> list[Photograph]:
    """Recognise every file, cached ones from memory. An error in one is shown, and the others continue.

    `on_progress(done, total)` is called for new files only.
    """
    seen: dict[tuple[str, Options], Photograph] = st.session_state.setdefault(_SEEN, {})
    fresh = sum((file.file_id, options) not in seen for file in files)
    done, photographs = 0, []
    for file in files:
        key = (file.file_id, options)
        if key not in seen:
            on_progress(done, fresh)
            done += 1
            with feedback():
                seen[key] = identify(pipeline, file.name, file.getvalue(), options, file.file_id)
        if key in seen:
            photographs.append(seen[key])
    while len(seen) > 2 * MAX_UPLOADS:
        seen.pop(next(iter(seen)))
    return photographs


def table(photographs: Sequence[Photograph]) -> pd.DataFrame:
    """The table to download, one row per face (or per file without one): outcome, score and their conditions."""
    rows = [_row(photograph, number, face) for photograph in photographs for number, face in _numbered(photograph)]
    return pd.DataFrame(rows)


def _numbered(photograph: Photograph) -> list[tuple[int, Recognition | None]]:
    return list(enumerate(photograph.faces, start=1)) or [(0, None)]


def _row(photograph: Photograph, number: int, face: Recognition | None) -> dict[str, Any]:
    if face is None:
        reason = photograph.error.what if photograph.error else ""
        face = Recognition("unrecognisable", reason)
        outcome = "unreadable"
    else:
        outcome = face.outcome
    runner_up = face.top_k[1].name if len(face.top_k) > 1 else None
    return {
        "file": photograph.name,
        "face": number if face.probe is not None else None,
        "outcome": outcome,
        "identity": face.identity,
        "possible": POSSIBLE.join(face.possible) or None,
        "score": face.score,
        "threshold": face.threshold if outcome != "unreadable" else None,
        "threshold_is": "calibrated" if face.calibrated else "uncalibrated",
        "margin": face.margin,
        "closest": face.top_k[0].name if face.top_k else None,
        "runner_up": runner_up,
        "probe_px": round(face.probe_px, 1) if face.probe_px is not None else None,
        "recognisability": face.quality.recognisability if face.quality is not None else None,
        "upscaler": face.upscaler,
        "reason": face.reason,
        "warning": face.warning,
    }


def draft_of(pipeline: Pipeline, name: str, content: bytes | NDArray[np.uint8], face: Recognition) -> DraftPhoto:
    """A recognised face prepared for enrolment, from the original photograph even where a reduced one was recognised.

    Raises what `read_image` raises.
    """
    rgb = read_image(content, name=name)
    probes = _at_full_size(pipeline, rgb, face.probe)
    probe = nearest(face.probe, probes) or face.probe
    vector = pipeline.embed([probe])[0] if probe is not None else None
    return DraftPhoto(
        name, sha256_of(rgb.tobytes()), probe, vector, faces_found=max(1, len(probes)), made_by=pipeline.made_by
    )


def _at_full_size(pipeline: Pipeline, rgb: NDArray[np.uint8], wanted: Probe | None) -> list[Probe]:
    """The faces of a photograph; of one that was marked by hand, that face alone."""
    share = wanted.box_share if wanted is not None and wanted.taken == "box" else None
    if wanted is None or share is None:
        return pipeline.find(rgb)
    height, width = rgb.shape[:2]
    if wanted.frame_shape == (height, width):
        return [wanted]
    x0, y0, x1, y1 = (min(1.0, max(0.0, edge)) for edge in share)
    return pipeline.find(rgb, boxes=[(x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height)])


def nearest(wanted: Probe | None, probes: Sequence[Probe]) -> Probe | None:
    """The probe whose box centre is closest to that of `wanted`, in shares of the frame; None without boxes."""
    share = wanted.box_share if wanted is not None else None
    boxed = [(probe, probe.box_share) for probe in probes]
    if share is None:
        return None
    centre = _centre(share)
    near = [(abs(_centre(box) - centre), place) for place, (_, box) in enumerate(boxed) if box is not None]
    return probes[min(near)[1]] if near else None


def _centre(share: tuple[float, float, float, float]) -> complex:
    x0, y0, x1, y1 = share
    return complex((x0 + x1) / 2, (y0 + y1) / 2)
