"""The stream without a browser: what the page says to each answer, frames on the video thread, one clean end."""

from __future__ import annotations

import threading

import av
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.camera import stream as live_stream
from dashboard.camera.permission import TROUBLES
from dashboard.camera.stream import StreamState, _callback, _Stream
from tests.app.conftest import button, shown


def page() -> None:
    import streamlit as st

    from dashboard.camera import stream as live_stream

    state = live_stream.video("test_live", lambda rgb: rgb)
    st.session_state["seen"] = state


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(page, default_timeout=60).run()


def test_nothing_starts_by_itself_and_cancelling_goes_back(app: AppTest) -> None:
    assert app.session_state["seen"] == StreamState()
    button(app, "Start the camera").click().run()
    assert not app.exception
    assert "Allow this page" in shown(app) and app.session_state["seen"].connecting
    button(app, "Cancel").click().run()
    button(app, "Start the camera")
    assert app.session_state["seen"] == StreamState()


@pytest.mark.parametrize("verdict", ["refused", "absent", "taken", "unsupported", "insecure"])
def test_each_refusal_is_said_with_its_remedy_and_can_be_tried_again(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    monkeypatch.setattr(live_stream, "ask_camera", lambda key: verdict)
    monkeypatch.setattr(live_stream, "link", lambda *given, **more: None)  # links need the whole dashboard
    button(app, "Start the camera").click().run()
    assert not app.exception
    assert TROUBLES[verdict].what in shown(app) and TROUBLES[verdict].next_step in shown(app)
    assert app.session_state["seen"].trouble == verdict
    monkeypatch.setattr(live_stream, "ask_camera", lambda key: "")
    button(app, "Start the camera").click().run()
    assert TROUBLES[verdict].what not in shown(app)


def test_frames_go_through_and_a_fault_shows_the_plain_picture(caplog: pytest.LogCaptureFixture) -> None:
    stream = _Stream()
    stream.enter("asking")
    rgb = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    out = _callback(stream, stream.asked, lambda given: given[::-1])(frame)
    assert np.array_equal(out.to_ndarray(format="rgb24"), rgb[::-1])
    assert stream.size_px == (64, 48) and stream.seen_at > 0 and not stream.fault

    def broken(given: np.ndarray) -> np.ndarray:
        raise ValueError("a name that must not be logged")

    for _ in range(3):
        assert np.array_equal(_callback(stream, stream.asked, broken)(frame).to_ndarray(format="rgb24"), rgb)
    assert stream.fault
    [logged] = [record.getMessage() for record in caplog.records]
    assert logged == "live video: unexpected ValueError while processing a frame"


def test_whoever_comes_first_ends_it_once() -> None:
    ended = threading.Event()
    calls: list[str] = []

    def on_end() -> None:
        calls.append(threading.current_thread().name)
        ended.set()

    stream = _Stream()
    stream.enter("asking")
    stream.enter("streaming")
    stream.on_end = on_end
    stream.ended(stream.asked)
    assert not stream.over and not calls, "before the first frame it may connect again"
    stream.look(stream.asked, np.zeros((4, 4, 3), np.uint8), lambda given: given)
    assert not ended.is_set()
    stream.ended(stream.asked)
    stream.enter("stopping", "lost")
    stream.enter("idle")
    assert ended.wait(30)
    assert calls == ["live-video-end"] and stream.trouble == "lost"
    stream.enter("asking")
    assert stream.trouble == "" and stream.asked == 2


def test_what_comes_late_from_a_connection_that_is_over_changes_nothing() -> None:
    """A frame on its way when the camera stops would set up once more what has just been let go, and for good."""
    stream = _Stream()
    looked: list[int] = []

    def is_looked_at(connection: int) -> bool:
        rgb = np.zeros((4, 4, 3), np.uint8)
        before = len(looked)
        stream.look(connection, rgb, lambda given: looked.append(connection) or given)  # type: ignore[func-returns-value]
        return len(looked) > before

    assert not is_looked_at(0), "nothing was asked for"
    stream.enter("asking")
    first = stream.asked
    assert is_looked_at(first)
    stream.enter("idle")
    assert not is_looked_at(first), "the camera has stopped"
    stream.enter("asking")
    stream.on_end = lambda: None
    second = stream.asked
    assert is_looked_at(second) and not is_looked_at(first)
    stream.ended(first)
    assert is_looked_at(second) and stream.on_end is not None, "the earlier connection's end is not this one's"
    stream.enter("idle")
    assert not is_looked_at(second) and stream.on_end is None
