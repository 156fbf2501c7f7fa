"""Advice by hand-made faces: landmarks of a turned head follow from the geometry that the estimate inverts."""

from __future__ import annotations

import numpy as np
import pytest

from core.dataset.synthetic.head import View, portray
from core.dataset.synthetic.looks import Expression, draw_looks
from core.errors import SettingsInvalid
from core.faces.detect import Detector
from core.faces.face import Face
from core.faces.quality import Quality
from core.video.guide import GuideLimits, Sight, advise, mouth_of, see, steps_for

SHAPE = (480, 640)


def face(x: float = 320, y: float = 240, width: float = 160, mouth: float = 1.0) -> Face:
    """A face whose mouth is `mouth` eye distances wide."""
    eye = width / 4
    points = [(-eye, -eye), (eye, -eye), (0, 0), (-mouth * eye, eye), (mouth * eye, eye)]
    landmarks = np.array(points, dtype=np.float32) + np.array([x, y])
    return Face((x - width / 2, y - width / 2, x + width / 2, y + width / 2), landmarks.astype(np.float32), 0.9)


def sight(*faces: Face, **measures: float) -> Sight:
    values = {"probe_px": 160.0, "sharpness": 1.0, "brightness": 120.0, "contrast": 40.0, "yaw_deg": 0.0}
    angles = {"pitch_deg": 0.0, "roll_deg": 0.0}
    quality = Quality(**{**values, **angles, **measures})
    return Sight(faces or (face(),), SHAPE, quality, np.zeros((112, 112, 3), np.uint8))


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (Sight((), SHAPE), "no_face"),
        (sight(face(), face(x=500, width=100)), "two_faces"),
        (sight(face(width=430)), "too_near"),
        (sight(face(x=60)), "off_centre"),
        (sight(probe_px=60), "too_far"),
        (sight(brightness=30), "too_dark"),
        (sight(brightness=230), "too_bright"),
        (sight(sharpness=0.4), "blurred"),
        (sight(roll_deg=-30), "upright"),
        (sight(pitch_deg=30), "level"),
        (sight(yaw_deg=14), "pose"),
        (sight(), "good"),
    ],
)
def test_each_fault_gets_its_own_words(seen, code):
    advice = advise(seen, "front")
    assert advice.code == code
    assert advice.text and advice.good == (code == "good")


def test_a_small_face_in_the_background_is_nobody_to_ask_away():
    assert advise(sight(face(), face(x=500, width=60)), "front").good


def test_left_and_right_are_the_persons_own():
    # A face turned towards the image's right has turned to its own left.
    assert "to your right" in advise(sight(yaw_deg=14), "front").text
    assert "to your left" in advise(sight(yaw_deg=-14), "front").text
    assert advise(sight(yaw_deg=10), "left").good
    assert advise(sight(yaw_deg=10), "right").text.endswith("to your right")
    assert advise(sight(yaw_deg=-10), "right").good


def test_a_turn_is_measured_from_the_persons_own_front():
    front = sight(yaw_deg=6)
    assert advise(sight(yaw_deg=10), "left", front=front).code == "pose"
    assert advise(sight(yaw_deg=12), "left", front=front).good
    assert advise(sight(yaw_deg=0), "right", front=front).good
    assert "turn back" in advise(sight(yaw_deg=22), "left", front=front).text
    assert "turn back" in advise(sight(yaw_deg=-20), "right").text


def test_another_expression_is_another_mouth():
    front = sight(face(mouth=1.0))
    assert advise(sight(face(mouth=1.0)), "expression", front=front).code == "expression"
    assert advise(sight(face(mouth=1.08)), "expression", front=front).good
    assert mouth_of(face(mouth=1.0)) == pytest.approx((1.0, 0.5))
    still = GuideLimits(mouth=0.1)
    assert advise(sight(face(mouth=1.08)), "expression", front=front, limits=still).code == "expression"


def test_steps_begin_with_the_front_and_have_all_poses():
    assert steps_for(3) == ("front", "left", "right")
    assert steps_for(5) == ("front", "left", "right", "expression", "front")
    assert len(steps_for(10)) == 10
    for captures in (2, 11):
        with pytest.raises(SettingsInvalid, match="3 to 10"):
            steps_for(captures)


def test_a_drawn_head_is_seen_and_its_turn_is_told_apart():
    detector = Detector()
    looks = draw_looks(1, seed=0)[0]

    def drawn(yaw: float) -> np.ndarray:
        portrait = portray(looks, Expression(smile=0.0, open=0.0, brows=0.2, eyes=1.0), View(yaw_deg=yaw)).rgb
        frame = np.full((480, 640, 3), 110, np.uint8)
        frame[64:416, 144:496] = np.repeat(np.repeat(portrait, 2, axis=0), 2, axis=1)
        return frame

    front, left, right = (see(detector, drawn(yaw)) for yaw in (0.0, 9.0, -9.0))
    assert front.shape == SHAPE and front.crop is not None and front.crop.shape == (112, 112, 3)
    assert advise(front, "front").good
    assert advise(left, "left", front=front).good
    assert advise(right, "right", front=front).good
    assert see(detector, np.full((480, 640, 3), 90, np.uint8)).face is None
