"""Enrol before a camera: consent first, then a live picture with a guide, captures as they come, and a draft to save.

Frames are in memory only. They go when the person cancels, when the draft is made, and soon after the page is left.
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
from core.video.latest_frame_worker import NewestFrame
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
"""Without a sign of the page for so long, its captures are forgotten."""

_KEY = "enroll_live"
_TITLES = {"front": "Front", "left": "Your left", "right": "Your right", "expression": "Expression"}


class LiveEnrolment:
    """One visitor's captures, and the thread that looks at the frames while the camera runs."""

    def __init__(self, detector: Detector, captures: int, *, challenge: bool) -> None:
        asked = Challenge(random.SystemRandom()) if challenge else None
        self.session = CaptureSession(lambda rgb: see(detector, rgb), captures, challenge=asked)
        self.settings = (captures, challenge)
        self.singles = 0
        self.view: CaptureView | None = None
        self._newest: NewestFrame[NDArray[np.uint8], CaptureView] | None = None
        self._lock = threading.Lock()
        self._touched = time.monotonic()

    def on_frame(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """On the video thread: hand the frame on, and draw what is known by now."""
        with self._lock:
            if self._newest is None or self._newest.closed:
                self._newest = NewestFrame(self.session.look, "enrol")
            newest = self._newest
        newest.submit(rgb)
        latest = newest.latest()
        if latest is not None:
            self.view = latest
        return draw_preview(rgb, latest)

    def look_at(self, rgb: NDArray[np.uint8]) -> CaptureView:
        """Take one still picture, or say why not."""
        self.session.take()
        self.view = self.session.look(rgb)
        return self.view

    def on_end(self) -> None:
        """The camera has stopped: end the thread, and forget everything if the page is gone too."""
        with self._lock:
            newest, self._newest = self._newest, None
        if newest is not None:
            newest.close()
        self.view = None
        while self.session.taken and time.monotonic() - self._touched < LEFT_S:
            time.sleep(1.0)
            if self._newest is not None:  # the camera runs again, and its own end looks after the rest
                return
        self.session.clear()

    def touch(self) -> None:
        """The page is still there."""
        self._touched = time.monotonic()


def live_enrol(load: Callable[[], Pipeline]) -> EnrolmentDraft | None:
    """The camera's part of the page; gives the draft once the person goes on with the captures.

    `load` gives the pipeline, which is needed only then: the guide goes by the detector alone, and opens at once.
    """
    enrolment: LiveEnrolment | None = st.session_state.get(f"{_KEY}_session")
    how = LIVE
    if enrolment is not None and stream.running(_KEY):
        # Room for the picture: what was agreed and chosen is settled while the camera runs.
        st.caption("Agreed to. Nothing is stored before Save; Cancel forgets every picture.")
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
        # While nothing plays nothing changes by itself; the page only shows that it is still there.
        every_s = 1.0 if st.session_state.get(f"{_KEY}_playing") else 5.0
        st.fragment(_side, run_every=every_s)(enrolment, live=how == LIVE)
    if not st.session_state.get(f"{_KEY}_go_on"):
        return None
    draft = _draft(load, enrolment)
    # Taken back only now: whatever made the page run anew meanwhile, that run takes it up again.
    st.session_state.pop(f"{_KEY}_go_on", None)
    return draft


def forget_live() -> None:
    """Let go of every frame that is held, and of the consent: the next person is asked anew."""
    enrolment = st.session_state.pop(f"{_KEY}_session", None)
    if enrolment is not None:
        enrolment.session.clear()
    stream.end(_KEY)
    for name in ("agreed", "go_on"):
        st.session_state.pop(f"{_KEY}_{name}", None)
    st.session_state[f"{_KEY}_person"] = st.session_state.get(f"{_KEY}_person", 0) + 1


def _consent() -> bool:
    st.markdown(
        "The camera runs until you stop it. Its pictures stay in this machine's memory, and are forgotten when you "
        "cancel or leave. Only **Save**, in the next step, stores something in the gallery on this machine: for each "
        "picture 512 numbers and, if you like, the face at 112 px; the name and a note."
    )
    agreed = st.checkbox(
        "The person before the camera knows this and agrees to be enrolled",
        value=bool(st.session_state.get(f"{_KEY}_agreed")),
        # A box of its own for each person: the browser would keep the last one's tick, whatever is forgotten here.
        key=f"{_KEY}_consent_{st.session_state.get(f'{_KEY}_person', 0)}",
    )
    st.session_state[f"{_KEY}_agreed"] = agreed
    return agreed


def _settings(earlier: LiveEnrolment | None) -> tuple[LiveEnrolment, str]:
    """How many pictures, whether a challenge comes first, and how they are taken; other settings begin anew."""
    usual = earlier.settings if earlier is not None else (USUAL, False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        captures = st.number_input(
            "Pictures", FEWEST, MOST, usual[0], key=f"{_KEY}_captures", width=140, help="Five show a face well enough."
        )
        challenge = st.toggle(
            "Check that a person is there",
            value=usual[1],
            key=f"{_KEY}_challenge",
            help="Asks for turns of the head first. A photograph doesn't pass; a film might.",
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
    """Without a live picture: one at a time, by the browser's own camera widget."""
    session = enrolment.session
    position = next((n for n, capture in enumerate(session.captures) if capture is None), None)
    if position is None:
        st.success("All pictures are taken.", icon=":material/check_circle:")
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
    """Again and again: what to do now, the captures with their quality, and the way on."""
    if not allowed(Permission.ENROL):  # the time is over, or the role was taken: the page says so
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
                "Take this one",
                icon=":material/photo_camera:",
                key=f"{_KEY}_take",
                shortcut="Space",
                on_click=session.take,
                help="Or the space bar.",
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
            f"Go on with {count(taken, 'picture')}",
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
    picture = Picture(image_address(encode_image(capture.sight.crop)), alt=f"{_TITLES[step]}: the picture taken")
    face = faces_html([picture], 80).replace("class='ef-faces'", "class='ef-faces ef-one'")
    facts = (f"{quality.probe_px:.0f} px, {abs(quality.yaw_deg or 0):.0f}°", f"sharpness {quality.sharpness:.1f}")
    return f"{face}{title}<div class='ef-quiet' style='font-size:.75rem'>{'<br>'.join(map(markup, facts))}</div>"


def _draft(load: Callable[[], Pipeline], enrolment: LiveEnrolment) -> EnrolmentDraft | None:
    """What was taken, looked at as photographs are; the camera stops and the frames go."""
    from core.enrolment.enrol import prepare_enrolment

    taken = enrolment.session.taken
    names = [f"camera {number} ({capture.step})" for number, capture in enumerate(taken, start=1)]
    draft: EnrolmentDraft | None = None
    with feedback(), st.spinner(f"Looking at {count(len(taken), 'picture')}", show_time=True):
        draft = prepare_enrolment(load(), [capture.frame for capture in taken], names)
    if draft is not None:
        forget_live()
    return draft
