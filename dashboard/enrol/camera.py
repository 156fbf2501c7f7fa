"""Enrolment with a camera: consent, a live picture with guidance, captures, and a draft to save.

Frames are kept in memory only, and dropped when the visitor cancels, when the draft is made, and 20 s after the page is
left.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.images import encode_image, read_image
from core.recognition.results import EnrolmentDraft
from core.system.text import count
from core.video.capture import Capture, CaptureSession, CaptureView
from core.video.guide import FEWEST, MOST, USUAL, see, step_text
from core.video.latest_frame_worker import LatestFrameWorker
from core.video.liveness import Challenge
from core.video.preview import draw_preview
from dashboard.camera import stream
from dashboard.shell.error_display import feedback
from dashboard.shell.resources import detector
from dashboard.shell.session import Permission, allowed
from dashboard.ui.markdown import markup
from dashboard.ui.pictures import Picture, faces_html, image_address

if TYPE_CHECKING:
    from core.faces.detect import Detector
    from core.pipeline import Pipeline

LIVE, SINGLE = "Live picture", "Single pictures"
LEFT_S = 20.0
"""Seconds without a sign of the page after which its captures are dropped."""

_KEY = "enroll_live"
_TITLES = {"front": "Front", "left": "Your left", "right": "Your right", "expression": "Expression"}


class LiveEnrolment:
    """One visitor's captures, and the thread that analyses frames while the camera runs."""

    def __init__(self, detector: Detector, captures: int, *, challenge: bool) -> None:
        asked = Challenge(random.SystemRandom()) if challenge else None
        self.session = CaptureSession(lambda rgb: see(detector, rgb), captures, challenge=asked)
        self.settings = (captures, challenge)
        self.singles = 0
        self.view: CaptureView | None = None
        self._newest: LatestFrameWorker[NDArray[np.uint8], CaptureView] | None = None
        self._lock = threading.Lock()
        self._touched = time.monotonic()

    def on_frame(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Submit a frame for analysis and return it with the latest result drawn in. Runs on the video thread."""
        with self._lock:
            if self._newest is None or self._newest.closed:
                self._newest = LatestFrameWorker(self.session.look, "enrol")
            newest = self._newest
        newest.submit(rgb)
        latest = newest.latest()
        if latest is not None:
            self.view = latest
        return draw_preview(rgb, latest)

    def look_at(self, rgb: NDArray[np.uint8]) -> CaptureView:
        """Capture one still picture; the returned view gives the reason where it was refused."""
        self.session.take()
        self.view = self.session.look(rgb)
        return self.view

    def on_end(self) -> None:
        """End the thread when the camera has stopped, and drop the captures if the page was left too."""
        with self._lock:
            newest, self._newest = self._newest, None
        if newest is not None:
            newest.close()
        self.view = None
        while self.session.taken and time.monotonic() - self._touched < LEFT_S:
            time.sleep(1.0)
            if self._newest is not None:  # the camera runs again; its own end does the rest
                return
        self.session.clear()

    def touch(self) -> None:
        """Record that the page is still open."""
        self._touched = time.monotonic()


def live_enrol(load: Callable[[], Pipeline]) -> EnrolmentDraft | None:
    """Show the camera part of the page; returns the draft once the visitor continues with the captures.

    `load` returns the pipeline, which is needed only then: the guidance uses the detector alone, which loads at once.
    """
    enrolment: LiveEnrolment | None = st.session_state.get(f"{_KEY}_session")
    how = LIVE
    if enrolment is not None and stream.running(_KEY):
        # Consent and settings are hidden while the camera runs, to make room for the picture.
        st.caption("Consent given. Nothing is stored before you save. Cancel discards every picture.")
    else:
        if not _consent():
            return None
        enrolment, how = _settings(enrolment)
    enrolment.touch()
    left, right = st.columns([3, 2], gap="medium")
    with left, feedback():
        if how == LIVE:
            state = stream.video(_KEY, enrolment.on_frame, on_end=enrolment.on_end)
            st.session_state[f"{_KEY}_playing"] = state.playing
        else:
            _single(enrolment)
    with right:
        # While nothing plays, this only records that the page is still open.
        every_s = 1.0 if st.session_state.get(f"{_KEY}_playing") else 5.0
        st.fragment(_side, run_every=every_s)(enrolment, live=how == LIVE)
    if not st.session_state.get(f"{_KEY}_go_on"):
        return None
    draft = _draft(load, enrolment)
    # Removed only now, so that a rerun in the meantime continues here.
    st.session_state.pop(f"{_KEY}_go_on", None)
    return draft


def forget_live() -> None:
    """Drop all frames and the consent, so that the next person is asked again."""
    enrolment = st.session_state.pop(f"{_KEY}_session", None)
    if enrolment is not None:
        enrolment.session.clear()
    stream.end(_KEY)
    for name in ("agreed", "go_on"):
        st.session_state.pop(f"{_KEY}_{name}", None)
    st.session_state[f"{_KEY}_person"] = st.session_state.get(f"{_KEY}_person", 0) + 1


def _consent() -> bool:
    st.markdown(
        "The camera runs until you stop it. Its pictures stay in this machine's memory and are discarded when you "
        "cancel or leave. Nothing is stored until you choose **Save** in the next step. The gallery on this machine "
        "then stores, for each picture, an embedding of 512 numbers and optionally the face at 112 px, with the name "
        "and a note."
    )
    agreed = st.checkbox(
        "The person in front of the camera has been informed of this and consents to being enrolled",
        value=bool(st.session_state.get(f"{_KEY}_agreed")),
        # One key per person: the browser would otherwise keep the previous tick.
        key=f"{_KEY}_consent_{st.session_state.get(f'{_KEY}_person', 0)}",
    )
    st.session_state[f"{_KEY}_agreed"] = agreed
    return agreed


def _settings(earlier: LiveEnrolment | None) -> tuple[LiveEnrolment, str]:
    """The number of pictures, the challenge and the way of taking them; changed settings start a new session."""
    usual = earlier.settings if earlier is not None else (USUAL, False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        captures = st.number_input(
            "Pictures",
            FEWEST,
            MOST,
            usual[0],
            key=f"{_KEY}_captures",
            width=140,
            help="Five are enough for most faces.",
        )
        challenge = st.toggle(
            "Check that a person is there",
            value=usual[1],
            key=f"{_KEY}_challenge",
            help="Asks for turns of the head first. A photograph doesn't pass; a video might.",
        )
    how = st.segmented_control(
        "How", [LIVE, SINGLE], default=LIVE, required=True, key=f"{_KEY}_how", label_visibility="collapsed"
    )
    if earlier is not None and earlier.settings == (int(captures), challenge):
        return earlier, how
    if earlier is not None:
        earlier.session.clear()
    enrolment = LiveEnrolment(detector(), int(captures), challenge=challenge)
    st.session_state[f"{_KEY}_session"] = enrolment
    return enrolment, how


def _single(enrolment: LiveEnrolment) -> None:
    """Take pictures one at a time with the browser's own camera widget."""
    session = enrolment.session
    position = next((n for n, capture in enumerate(session.captures) if capture is None), None)
    if position is None:
        st.success("All pictures have been taken.", icon=":material/check_circle:")
        return
    key = f"{_KEY}_single_{enrolment.singles}"
    taken = st.camera_input(f"{position + 1}. {step_text(session.steps[position])}", key=key)
    if taken is None:
        if refused := st.session_state.get(f"{_KEY}_refused"):
            st.warning(refused, icon=":material/no_photography:")
        return
    view = enrolment.look_at(read_image(taken.getvalue(), name="the picture"))
    st.session_state[f"{_KEY}_refused"] = view.refused
    enrolment.singles += 1  # a new widget, which is empty
    st.session_state.pop(key, None)
    st.rerun()


def _side(enrolment: LiveEnrolment, *, live: bool) -> None:
    """Draw the guidance, the captures with their quality, and the buttons; redrawn every second."""
    if not allowed(Permission.ENROL):  # the session has ended or the role was removed; the page reports it
        forget_live()
        st.rerun()
    enrolment.touch()
    session = enrolment.session
    captures, taken = session.captures, len(session.taken)
    complete = taken == len(captures)
    if live and st.session_state.get(f"{_KEY}_playing"):
        st.html(_guide_html(enrolment.view))
        if not complete:
            st.button(
                "Take picture",
                icon=":material/photo_camera:",
                key=f"{_KEY}_take",
                shortcut="Space",
                on_click=session.take,
                help="Or press the space bar.",
            )
    st.html(f"<div class='ef-quiet'>{taken} of {count(len(captures), 'picture')}</div>")
    if taken:
        _way_on(taken, complete=complete)
    with st.container(horizontal=True, gap="small", key=f"{_KEY}_cards"):
        for position, capture in enumerate(captures):
            with st.container(width=80, gap=None):
                st.html(_card_html(session.steps[position], capture))
                if capture is not None:
                    st.button(
                        "Retake",
                        key=f"{_KEY}_retake_{position}",
                        type="tertiary",
                        on_click=session.retake,
                        args=(position,),
                        icon=":material/replay:",
                    )


def _way_on(taken: int, *, complete: bool) -> None:
    few = taken < FEWEST
    with st.container(horizontal=True):
        if st.button(
            f"Continue with {count(taken, 'picture')}",
            type="primary" if complete else "secondary",
            icon=":material/arrow_forward:",
            key=f"{_KEY}_next",
            disabled=few,
            help=f"At least {FEWEST} are needed." if few else None,
        ):
            st.session_state[f"{_KEY}_go_on"] = True
            st.rerun()
        if st.button("Cancel", key=f"{_KEY}_cancel", icon=":material/close:"):
            forget_live()
            st.rerun()


def _guide_html(view: CaptureView | None) -> str:
    text = "Looking for your face" if view is None else (view.refused or view.text)
    return f"<div class='ef-name' role='status' aria-live='polite'>{markup(text)}</div>"


def _card_html(step: str, capture: Capture | None) -> str:
    title = f"<div class='ef-quiet'>{markup(_TITLES[step])}</div>"
    if capture is None or capture.sight.crop is None or capture.sight.quality is None:
        return f"<div class='ef-noface' style='aspect-ratio:1'>not yet</div>{title}"
    quality = capture.sight.quality
    picture = Picture(image_address(encode_image(capture.sight.crop)), alt=f"{_TITLES[step]}: picture taken")
    face = faces_html([picture], 80).replace("class='ef-faces'", "class='ef-faces ef-one'")
    facts = (f"{quality.probe_px:.0f} px, {abs(quality.yaw_deg or 0):.0f}°", quality.worth_text)
    return f"{face}{title}<div class='ef-quiet' style='font-size:.75rem'>{'<br>'.join(map(markup, facts))}</div>"


def _draft(load: Callable[[], Pipeline], enrolment: LiveEnrolment) -> EnrolmentDraft | None:
    """The draft made of the captures, as of uploaded photographs; the camera stops and the frames are dropped."""
    from core.enrolment.drafts import prepare_enrolment

    taken = enrolment.session.taken
    names = [f"camera {number} ({capture.step})" for number, capture in enumerate(taken, start=1)]
    draft: EnrolmentDraft | None = None
    with feedback(), st.spinner(f"Finding faces in {count(len(taken), 'picture')}", show_time=True):
        draft = prepare_enrolment(load(), [capture.frame for capture in taken], names)
    if draft is not None:
        forget_live()
    return draft
