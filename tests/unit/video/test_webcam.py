"""The window's loop before a camera that plays drawn faces and a window that presses keys; and the errors of a machine
without either."""

from __future__ import annotations

import numpy as np
import pytest

from core.dataset.synthetic.head import View, portray
from core.dataset.synthetic.looks import Expression, draw_looks
from core.faces.detect import Detector
from core.video.capture import CaptureSession
from core.video.guide import see
from core.video.webcam import CameraMissing, CaptureCancelled, TkWindow, camera_frames, capture


class Keys:
    """A window that keeps what it shows and presses each key in turn."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)
        self.shown: list[np.ndarray] = []

    def show(self, rgb: np.ndarray) -> None:
        self.shown.append(rgb)

    def key(self) -> str:
        return self.keys.pop(0) if self.keys else ""


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    looks = draw_looks(1, seed=0)[0]
    portrait = portray(looks, Expression(smile=0.0, open=0.0, brows=0.2, eyes=1.0), View()).rgb
    canvas = np.full((480, 640, 3), 110, np.uint8)
    canvas[64:416, 144:496] = np.repeat(np.repeat(portrait, 2, axis=0), 2, axis=1)
    return canvas


def session(captures: int = 3) -> CaptureSession:
    detector = Detector()
    return CaptureSession(lambda rgb: see(detector, rgb), captures)


def test_space_takes_pictures_until_all_are_there(frame):
    told: list[int] = []
    window = Keys("space", "", "space", "space")
    taken = capture([frame] * 10, window, session(), on_capture=lambda number, _: told.append(number))
    assert [one.step for one in taken] == ["front", "left", "right"]
    assert all(np.array_equal(one.frame, frame) for one in taken)
    assert told == [1, 2, 3]
    assert len(window.shown) == 4 and not np.array_equal(window.shown[0], frame), "the guide is drawn"


def test_escape_keeps_nothing(frame):
    kept = session()
    with pytest.raises(CaptureCancelled, match="no picture was kept"):
        capture([frame] * 10, Keys("space", "escape"), kept)
    assert kept.taken == ()


def test_a_camera_that_falls_silent_keeps_nothing(frame):
    kept = session()
    with pytest.raises(CameraMissing, match="stopped sending pictures"):
        capture([frame] * 2, Keys("space"), kept)
    assert kept.taken == ()


def test_a_machine_without_that_camera_says_so(capfd):
    with pytest.raises(CameraMissing, match="no camera 77"):
        next(camera_frames(77))
    assert capfd.readouterr().err == ""


def test_a_machine_without_a_display_says_so(monkeypatch):
    from core.video.webcam import NoDisplay

    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(NoDisplay, match="window can't be shown"):
        TkWindow("never shown")
