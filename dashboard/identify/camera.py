"""Identification with a camera: names and scores on every face, the faces in words, the speed, and the sighting log."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.access.actor import Actor, acting_as
from core.errors import CoreError
from core.recognition.attack_check import UNPROTECTED
from core.recognition.results import Recognition
from core.system.text import count
from core.video.draw import draw_result, label_of
from core.video.face_search import FaceSearchSettings
from core.video.latest_frame_worker import LatestFrameStats, LatestFrameWorker
from core.video.live import LiveFace, LiveIdentifier, LiveResult, LiveSettings
from core.video.sightings import SightingLog
from dashboard.camera import stream
from dashboard.identify.card import SIGNS, in_words
from dashboard.identify.session import choose_size, draft_of
from dashboard.identify.sightings import sightings_panel
from dashboard.shell.error_display import feedback, show_error, show_surprise
from dashboard.shell.navigation import go
from dashboard.shell.session import Permission, allowed, current
from dashboard.ui.handoff import carry
from dashboard.ui.markdown import plain
from dashboard.ui.pictures import Picture, faces_html

if TYPE_CHECKING:
    from core.pipeline import Pipeline

_KEY = "identify_live"
_SOURCE = "camera in the browser"
LISTED = 6
"""Faces described next to the picture; every face is labelled in it."""

LOOK_EVERY_S = 0.5
_STALE_S = 2.0


@dataclass(frozen=True, eq=False)
class _Looked:
    frame: NDArray[np.uint8]
    result: LiveResult


class LiveSession:
    """One visitor's stream: its tracks, and the thread that analyses frames while the camera runs.

    All visitors share the pipeline. `actor` is the visitor on whose behalf the thread works; the page updates it on
    every redraw, so that signing out or losing a role takes effect at once.
    """

    def __init__(self, pipeline: Pipeline, actor: Actor) -> None:
        self.pipeline = pipeline
        self.actor = actor
        self.settings = LiveSettings()
        self._newest: LatestFrameWorker[NDArray[np.uint8], _Looked] | None = None
        self._lock = threading.Lock()
        self._came: deque[float] = deque(maxlen=120)

    def on_frame(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Submit a frame for analysis and return it with the latest result drawn in. Runs on the video thread."""
        with self._lock:
            if self._newest is None or self._newest.closed:
                self._newest = LatestFrameWorker(self._worker(), "identify")
            newest = self._newest
        self._came.append(time.monotonic())
        newest.submit(rgb)
        return draw_result(rgb, self.result())

    def _worker(self) -> Callable[[NDArray[np.uint8]], _Looked]:
        identifier = LiveIdentifier(self.pipeline, self.settings)
        log = SightingLog(self.pipeline.gallery.store, _SOURCE)

        def look(rgb: NDArray[np.uint8]) -> _Looked:
            identifier.settings = self.settings
            with acting_as(self.actor):  # a new thread has no actor
                result = identifier.look(rgb, time.monotonic())
                log.note(result.faces)
            return _Looked(rgb, result)

        return look

    def looked(self) -> _Looked | None:
        """The last analysed frame with its result; None where it is outdated."""
        newest = self._newest
        latest = newest.latest() if newest is not None else None
        if newest is None or latest is None:
            return None
        # On a busy machine results are further apart.
        fresh_s = max(_STALE_S, 3 * (newest.stats.latency_ms or 0.0) / 1000)
        return latest if time.monotonic() - latest.result.at < fresh_s else None

    def result(self) -> LiveResult | None:
        looked = self.looked()
        return looked.result if looked is not None else None

    @property
    def stats(self) -> LatestFrameStats:
        newest = self._newest
        return newest.stats if newest is not None else LatestFrameStats()

    @property
    def error(self) -> Exception | None:
        newest = self._newest
        return newest.error if newest is not None else None

    @property
    def frames_per_s(self) -> float:
        """Frames per second sent by the browser."""
        came = list(self._came)
        recent = [at for at in came if came[-1] - at <= 5.0] if came else []
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0

    def on_end(self) -> None:
        """End the thread and drop the frames when the camera has stopped."""
        with self._lock:
            newest, self._newest = self._newest, None
            self._came.clear()
        if newest is not None:
            newest.close()


def live_identify(pipe: Pipeline) -> None:
    """Show the camera part of the page."""
    session = _session(pipe)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        reduce_to_px = choose_size(f"{_KEY}_size", "every frame")
        small = st.toggle(
            "Search for small faces",
            key=f"{_KEY}_small",
            disabled=reduce_to_px is not None,
            help="Also searches for small faces while large ones are visible, by enlarging one part of each frame "
            "in turn. Slower.",
        )
    session.actor = current()
    session.settings = LiveSettings(reduce_to_px, FaceSearchSettings(small_faces=True if small else None))
    left, right = st.columns([3, 2], gap="medium")
    with left, feedback():
        state = stream.video(_KEY, session.on_frame, on_end=session.on_end)
        if not state.playing and not state.connecting:
            st.caption(
                "Pictures stay in this machine's memory. Nothing is stored unless sightings are switched on below."
            )
            if pipe.attack_check is None:
                st.caption(UNPROTECTED)
    with right:
        st.fragment(_side, run_every=LOOK_EVERY_S if state.playing else None)(session, playing=state.playing)
    draft = st.session_state.pop(f"{_KEY}_enrol", None)
    if draft is not None:
        stream.end(_KEY)
        carry(draft)
        go("enroll")
    sightings_panel(pipe.gallery.store)


def _session(pipe: Pipeline) -> LiveSession:
    """This visitor's session; a new one where the pipeline has changed."""
    session: LiveSession | None = st.session_state.get(f"{_KEY}_session")
    if session is None or session.pipeline is not pipe:
        if session is not None:
            session.on_end()
        session = LiveSession(pipe, current())
        st.session_state[f"{_KEY}_session"] = session
    return session


def _side(session: LiveSession, *, playing: bool) -> None:
    """Describe the current result; redrawn every half second."""
    if not playing:
        st.markdown("Each face is labelled with a name and a score; the reasons are listed here.")
        return
    session.actor = current()
    if not allowed(Permission.VIEW):  # the session has ended or the role was removed; the page reports it
        stream.end(_KEY)
        st.rerun()
    error = session.error
    if isinstance(error, CoreError):
        show_error(error)
    elif error is not None:
        show_surprise(error)
    looked = session.looked()
    if looked is None:
        st.markdown(":gray[:material/hourglass_top: Waiting for the first picture]")
        return
    side_body(session, looked.frame, looked.result)


def side_body(session: LiveSession, frame: NDArray[np.uint8], result: LiveResult) -> None:
    """The faces of a result and the time per step."""
    with st.container(height=430, border=False, key=f"{_KEY}_list"):
        if not result.faces:
            st.markdown(":gray[:material/visibility_off:] No face visible")
        for face in result.faces[:LISTED]:
            stranger = _face(face)
            if stranger is not None:
                with feedback() as attempt:
                    draft = draft_of(session.pipeline, "from the camera", frame, stranger)
                if attempt.ok:
                    st.session_state[f"{_KEY}_enrol"] = draft
                    st.rerun()
        if len(result.faces) > LISTED:
            st.caption(f"{len(result.faces) - LISTED} more, labelled in the picture")
    st.caption(plain(speed_text(session.stats, session.frames_per_s, result)))


def _face(face: LiveFace) -> Recognition | None:
    """One face: picture, name and reason. Returns it where "Enrol this person" was pressed."""
    found = face.recognition
    if found is None or found.probe is None:
        st.html(f"<div class='ef-quiet'>{face.number}: being analysed</div>")
        return None
    with st.container(border=True, key=f"{_KEY}_face_{face.number}", gap="small"):
        st.markdown(f"{SIGNS[found.outcome]} **{plain(label_of(face))}**")
        pictures = [Picture(found.probe.crop, f"{found.probe.crop.shape[0]} px", "Face as seen", pixels=True)]
        if found.probe.crop.shape[0] < found.probe.sr_image.shape[0]:
            pictures.append(Picture(found.probe.sr_image, f"by {found.probe.upscaler}", "Enlarged face"))
        st.html(faces_html(pictures, 72))
        st.caption(f"{in_words(found)} Based on {count(face.frames or 1, 'frame')}.")
        may = found.outcome == "unknown" and allowed(Permission.ENROL)
        asked = may and st.button("Enrol this person", key=f"{_KEY}_enrol_{face.number}", icon=":material/person_add:")
        return found if asked else None


def speed_text(stats: LatestFrameStats, frames_per_s: float, result: LiveResult) -> str:
    """ "9.2 results per second from 14.8 frames per second, 85 ms after each frame: detect 40 ms, ..." """
    after = "" if stats.latency_ms is None else f", {stats.latency_ms:.0f} ms after each frame"
    steps = ", ".join(f"{step} {ms:.0f} ms" for step, ms in result.timings_ms.items())
    return f"{stats.per_s:.1f} results per second from {frames_per_s:.1f} frames per second{after}: {steps}."
