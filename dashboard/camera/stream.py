"""Live video from the visitor's camera over WebRTC: start, stop, error messages, and a clean end.

    state = video("enroll_live", on_frame)   # on_frame(rgb) -> rgb, on the video thread: quick, no Streamlit calls

The camera runs only between "Start" and "Stop". It ends when the page is left, reloaded or closed, and never restarts
automatically.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.system.logs import logger
from dashboard.camera.permission import Verdict, ask_camera, say_trouble, trouble_of_address
from dashboard.camera.settings import LiveSettings, live_settings
from dashboard.shell.navigation import link

if TYPE_CHECKING:
    import av

Phase = Literal["idle", "asking", "loading", "streaming", "stopping"]
"""Phases of a stream: the browser is asked for the camera, loads the component, is connected, and disconnects."""

OnFrame = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

LONG_S, GIVE_UP_S, SILENT_S, CLOSE_S = 10.0, 180.0, 20.0, 8.0
"""Seconds of connecting after which the page reports a delay, and after which it gives up; without a new frame after
which the video counts as lost (a busy machine may pause); and of closing after which the page doesn't wait for the
browser."""

_log = logger(__name__)
_VIDEO = {
    "autoPlay": True,
    "controls": False,
    "muted": True,
    "playsInline": True,
    "style": {"width": "100%", "borderRadius": "10px", "display": "block"},
}


@dataclass(frozen=True)
class StreamState:
    """State of a stream. `playing`: frames arrive. `connecting`: requested, no frame yet. `trouble`: why it ended or
    didn't start, else "". `size_px`: (width, height) of the last frame, None before the first."""

    playing: bool = False
    connecting: bool = False
    trouble: Verdict = ""
    size_px: tuple[int, int] | None = None


@dataclass
class _Stream:
    """A stream in the visitor's session. `asked` numbers its connections, so that late frames and events of an ended
    one are ignored. The video thread writes `seen_at`, `size_px` and `fault`."""

    phase: Phase = "idle"
    trouble: Verdict = ""
    asked: int = 0
    since: float = 0.0
    played: bool = False
    shown: bool = False
    seen_at: float = 0.0
    size_px: tuple[int, int] | None = None
    fault: bool = False
    over: bool = True
    on_end: Callable[[], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, phase: Phase, trouble: Verdict = "") -> None:
        self.phase, self.since, self.shown = phase, time.monotonic(), False
        if phase == "asking":
            self.asked, self.trouble, self.fault, self.played = self.asked + 1, "", False, False
            self.seen_at, self.size_px, self.over = 0.0, None, False
        elif trouble:
            self.trouble = trouble
        if phase == "idle":
            self.end(self.asked)

    def look(self, connection: int, rgb: NDArray[np.uint8], on_frame: OnFrame) -> NDArray[np.uint8]:
        """Process a frame of a connection on the video thread; the frame itself once the connection has ended."""
        with self.lock:  # `end` waits for a frame in progress, and none is processed after it
            if self.over or connection != self.asked:
                return rgb
            self.seen_at, self.size_px = time.monotonic(), (rgb.shape[1], rgb.shape[0])
            try:
                return on_frame(rgb)
            except Exception as error:  # noqa: BLE001 - the last handler of the video thread; the page reports it
                if not self.fault:
                    _log.error("live video: unexpected %s while processing a frame", error, exc_info=error)
                self.fault = True
                return rgb

    def ended(self, connection: int) -> None:
        """Called by the video's event loop when a connection ends. One without any frame may be retried."""
        if self.seen_at:
            self.end(connection)

    def end(self, connection: int) -> None:
        """End the processing of a connection's frames, once: the page or the video's event loop calls it."""
        with self.lock:
            if connection != self.asked:
                return
            self.over = True
            on_end, self.on_end = self.on_end, None
        if on_end is not None:
            # Closing may wait for work in progress, and the video's event loop serves all visitors.
            threading.Thread(target=on_end, name="live-video-end", daemon=True).start()


def video(
    key: str,
    on_frame: OnFrame,
    *,
    on_end: Callable[[], None] | None = None,
    start: str = "Start the camera",
    stop: str = "Stop the camera",
) -> StreamState:
    """Show the start button, the live video as `on_frame` returns it, or an error with its remedy.

    `on_frame` receives as many frames as it can keep up with, uint8 RGB (H, W, 3), and returns the image to show, of
    any size. It runs on its own thread, where Streamlit can't be used, and must return quickly. `on_end` is called once
    after each stream, on its own thread. Call `video` outside a fragment: the page is rerun when the stream starts and
    ends. Raises SettingsInvalid for a wrong [webrtc] table.
    """
    settings = live_settings()
    stream = _known(key)
    if stream.phase == "idle":
        _offer(key, stream, start)
        return StreamState(trouble=stream.trouble)
    if stream.phase == "asking":
        verdict = ask_camera(f"{key}_ask_{stream.asked}")
        if verdict:
            stream.enter("loading" if verdict == "ok" else "idle", verdict if verdict != "ok" else "")
            st.rerun()
        st.info("Allow this page to use the camera when your browser asks.", icon=":material/videocam:")
        _stop_button(key, stream, "Cancel")
        return StreamState(connecting=True)
    if not stream.over:
        stream.on_end = on_end
    playing = _stream(key, stream, settings, on_frame)
    if stream.phase != "stopping":
        _stop_button(key, stream, stop)
    st.fragment(_watch, run_every=1.0)(key)
    return StreamState(playing, stream.phase != "stopping" and not playing, "", stream.size_px)


def running(key: str) -> bool:
    """Whether the stream called `key` was started and hasn't ended."""
    return _known(key).phase in ("asking", "loading", "streaming")


def end(key: str) -> None:
    """Close the connection of the stream called `key`; the video disappears at the page's next run."""
    stream = _known(key)
    if stream.phase == "idle":
        return
    stream.enter("idle")
    # streamlit-webrtc ends a connection publicly only by showing its component again; the version is pinned.
    worker = getattr(st.session_state.get(f"{key}_webrtc"), "_get_worker", lambda: None)()
    if worker is not None:
        threading.Thread(target=worker.stop, name="live-video-stop", daemon=True).start()


def _known(key: str) -> _Stream:
    stream: _Stream = st.session_state.setdefault(f"{key}_stream", _Stream())
    if stream.shown and f"{key}_stop" not in st.session_state:
        # A widget's state is dropped when a page runs without it: the visitor left the page, and the camera is off.
        stream.enter("idle")
    return stream


def _offer(key: str, stream: _Stream, label: str) -> None:
    trouble = stream.trouble or trouble_of_address(st.context.url)
    say_trouble(trouble)
    if trouble in ("insecure", "refused", "unreached"):
        link("help", "Cameras in browsers", icon=":material/help:", topic="camera")
    if not trouble:
        st.html("<div class='ef-noface' style='aspect-ratio: 4 / 3'>The video appears here</div>")
    if st.button(label, type="primary", icon=":material/videocam:", key=f"{key}_start"):
        stream.enter("asking")
        st.rerun()


def _stop_button(key: str, stream: _Stream, label: str) -> None:
    stream.shown = True
    if st.button(label, icon=":material/videocam_off:", key=f"{key}_stop"):
        stream.enter("stopping" if stream.phase in ("loading", "streaming") else "idle")
        st.rerun()


def _stream(key: str, stream: _Stream, settings: LiveSettings, on_frame: OnFrame) -> bool:
    """Show the video component, follow its state, and return whether it plays.

    It is mounted first and connected after. If it connects while it loads, streamlit-webrtc opens a connection for each
    run of the page and mixes up their answers, which fails after 15 seconds.
    """
    from streamlit_webrtc import WebRtcMode, webrtc_streamer
    from streamlit_webrtc.webrtc import SignallingTimeoutError

    connection = stream.asked
    try:
        context = webrtc_streamer(
            f"{key}_webrtc",
            mode=WebRtcMode.SENDRECV,
            rtc_configuration=settings.rtc_configuration,
            media_stream_constraints=settings.constraints,
            desired_playing_state=stream.phase == "streaming",
            video_frame_callback=_callback(stream, connection, on_frame),
            on_video_ended=lambda: stream.ended(connection),
            video_html_attrs=_VIDEO,
            sendback_audio=False,
            media_toggle_controls=False,
        )
    except SignallingTimeoutError:
        stream.enter("stopping", "unreached")
        st.rerun()
    over = not context.state.playing and not context.state.signalling
    if stream.phase == "loading":
        said = context._component_value_snapshot  # the version is pinned
        if said is not None and said.component_value is not None:
            stream.enter("streaming")
            st.rerun()
    if stream.phase == "stopping" and over:
        stream.enter("idle")
        st.rerun()
    if stream.phase == "streaming" and stream.played and over:
        stream.enter("idle", "lost")
        st.rerun()
    stream.played = stream.played or context.state.playing
    return stream.phase == "streaming" and context.state.playing


def _callback(stream: _Stream, connection: int, on_frame: OnFrame) -> Callable[[av.VideoFrame], av.VideoFrame]:
    import av

    def each(frame: av.VideoFrame) -> av.VideoFrame:
        rgb = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
        shown = stream.look(connection, rgb, on_frame)
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="rgb24")

    return each


def _watch(key: str) -> None:
    """Once a second, report slow connecting, and end a stream that doesn't start, has stopped or fails."""
    said = st.empty()  # always present: a fragment that shows nothing would leave its last output
    stream: Any = st.session_state.get(f"{key}_stream")
    if stream is None or stream.phase in ("idle", "asking"):
        return
    now = time.monotonic()
    waited = now - stream.since
    if stream.phase == "stopping":
        if waited > CLOSE_S:
            stream.enter("idle")
            st.rerun()
        return
    if stream.fault:
        stream.enter("stopping", "fault")
        st.rerun()
    if stream.seen_at and now - stream.seen_at > SILENT_S:
        stream.enter("stopping", "lost")
        st.rerun()
    if not stream.seen_at and waited > GIVE_UP_S:
        stream.enter("stopping", "unreached")
        st.rerun()
    if not stream.seen_at:
        slow = "Still connecting. The machine may be busy, or a TURN server between the networks is missing."
        said.caption("Connecting to the camera" if waited < LONG_S else slow)
