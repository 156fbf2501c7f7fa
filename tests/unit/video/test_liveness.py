"""A head that turns passes; a photograph doesn't, however it is moved, tilted or exchanged."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
import skimage.data

from core.faces.detect import Detector
from core.faces.quality import head_angles_deg
from core.video.liveness import BACK_DEG, JUMP_DEG, TURN_DEG, Challenge, draw_turns


def told(challenge: Challenge, yaws: list[float | None], step_s: float = 0.1, begin_s: float = 0.0) -> float:
    for yaw in yaws:
        challenge.look(yaw, begin_s)
        begin_s += step_s
    return begin_s


def turn(direction: str) -> list[float]:
    sign = 1.0 if direction == "left" else -1.0
    return [sign * yaw for yaw in (0, 5, 10, 15, 20, 20, 15, 10, 5, 2)]


def test_a_head_that_turns_as_asked_passes():
    challenge = Challenge(random.Random(3))
    at = told(challenge, [1.0, 0.5, 0.0, 0.5])
    for direction in challenge.directions:
        assert not challenge.passed
        at = told(challenge, turn(direction), begin_s=at)
    assert challenge.passed
    assert challenge.look(0.0, at).passed


def test_the_wrong_way_begins_anew_with_other_turns():
    challenge = Challenge(random.Random(3))
    at = told(challenge, [0.0] * 4)
    wrong = "right" if challenge.directions[0] == "left" else "left"
    at = told(challenge, turn(wrong)[:5], begin_s=at)
    assert not challenge.passed
    state = challenge.look(0.0, at)
    assert state.done == 0 and "look straight" in state.text.lower()


def test_waiting_too_long_and_leaving_the_picture_begin_anew():
    challenge = Challenge(random.Random(1))
    at = told(challenge, [0.0] * 4)
    told(challenge, [0.0] * 120, begin_s=at)
    assert challenge.look(0.0, at + 12.1).done == 0
    assert "alone" in challenge.look(None, at + 12.2).text


def test_an_exchanged_photograph_jumps():
    challenge = Challenge(random.Random(3))
    at = told(challenge, [0.0] * 4)
    for direction in (*challenge.directions, *challenge.directions):
        sign = 1.0 if direction == "left" else -1.0
        at = told(challenge, [sign * (TURN_DEG + 4)] * 5 + [0.0] * 5, begin_s=at)
    assert not challenge.passed
    assert TURN_DEG > JUMP_DEG > BACK_DEG


def test_turns_are_drawn_and_all_orders_come():
    assert {draw_turns(random.Random(seed)) for seed in range(40)} == {
        ("left", "left"),
        ("left", "right"),
        ("right", "left"),
        ("right", "right"),
    }


def held_before_the_camera(picture: np.ndarray, about_x: float, about_y: float, roll: float) -> np.ndarray:
    """A photograph, 1.6 of its widths away, turned about its axes (degrees), as a pinhole camera sees it."""
    side = picture.shape[0]
    x, y, r = np.deg2rad([about_x, about_y, roll])
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    turn_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turn_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    there = corners @ (turn_z @ turn_x @ turn_y).T + (0, 0, 3.2)
    seen = there[:, :2] / there[:, 2:] * 3.2 * 170 + (320, 240)
    flat = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, seen.astype(np.float32))
    return cv2.warpPerspective(picture, matrix, (640, 480), borderValue=(90, 90, 90))


@pytest.mark.parametrize("how", ["moved", "tilted", "swung"])
def test_a_still_photograph_does_not_pass_however_it_is_held(how):
    picture = cv2.resize(skimage.data.astronaut()[0:260, 90:350], (400, 400))
    detector = Detector()
    ways = {
        "moved": [(0.0, 0.0, roll) for roll in (0, 8, -8, 0, 12)],
        "tilted": [(tilt, 0.0, 0.0) for tilt in (0, 15, -15, 25, 0)],
        "swung": [(0.0, swing, 0.0) for swing in (0, 15, 30, 40, 30, 15, 0, -15, -30, -40, -30, -15, 0)],
    }
    yaws: list[float | None] = []
    for way in ways[how]:
        found = detector.detect(held_before_the_camera(picture, *way), small_faces=False)
        yaws.append(head_angles_deg(found[0].landmarks)[0] if found else None)
    known = [yaw for yaw in yaws if yaw is not None]
    assert len(known) >= len(yaws) - 2
    assert max(known) - min(known) < TURN_DEG, known
    challenge = Challenge(random.Random(0))
    at = told(challenge, yaws[:1] * 4)
    for _ in range(6):
        at = told(challenge, yaws, begin_s=at)
    assert not challenge.passed
