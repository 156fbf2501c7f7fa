"""The looking glass: mirrored picture, marks at the face, words that fit."""

from __future__ import annotations

import numpy as np
import pytest

from core.faces.face import Face
from core.faces.quality import Quality
from core.video.capture import CaptureView
from core.video.guide import Advice, Sight
from core.video.preview import draw_preview


def view(text: str = "Good: hold still", *, held: float = 0.0, taken: int = 0) -> CaptureView:
    landmarks = np.array([[80, 200], [120, 200], [100, 220], [85, 240], [115, 240]], np.float32)
    face = Face((60.0, 160.0, 140.0, 260.0), landmarks, 0.9)
    sight = Sight((face,), (480, 640), Quality(160.0, 1.0, 120.0, 40.0, 0.0, 0.0, 0.0, 0.9))
    return CaptureView(sight, Advice("good", text), taken, 5, 0, "front", held)


def test_the_picture_is_mirrored_and_the_frame_untouched():
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[300:, :320] = 200
    before = frame.copy()
    shown = draw_preview(frame, None)
    assert shown.shape == frame.shape and np.array_equal(frame, before)
    assert shown[400, 600].tolist() == [200, 200, 200] and shown[400, 40].tolist() == [0, 0, 0]


def test_box_and_landmarks_lie_on_the_mirrored_face():
    changed = draw_preview(np.full((480, 640, 3), 60, np.uint8), view())[80:440].sum(axis=2) != 180
    _, columns = np.nonzero(changed)
    assert columns.min() >= 490 and columns.max() <= 590, "the face at 60 to 140 px is shown at 500 to 580"
    assert changed[200 - 80, 640 - 1 - 100 + 20], "an eye"


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (1080, 1920)])
def test_words_fit_every_size(size):
    shown = draw_preview(np.zeros((*size, 3), np.uint8), view("Look straight ahead: turn a little to your right"))
    band = shown[: round(size[0] * 0.11) // 2 + 4, :, 0] > 100
    columns = np.nonzero(band.any(axis=0))[0]
    assert len(columns) and columns.min() > 0 and columns.max() < size[1] - 1


def test_a_held_moment_and_taken_captures_show():
    frame = np.zeros((480, 640, 3), np.uint8)
    none, half = draw_preview(frame, view()), draw_preview(frame, view(held=0.5, taken=2))
    assert half[55, 300].any() and not none[55, 300].any() and not half[55, 400].any()
    assert (half[440:] != none[440:]).any()
