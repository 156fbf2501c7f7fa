"""When a capture is taken by itself, by hand, and not at all; retaking and forgetting."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.faces.face import Face
from core.faces.quality import Quality
from core.video.capture import HOLD_S, REST_S, CaptureSession
from core.video.guide import Sight
from core.video.liveness import Challenge

LANDMARKS = np.array([[280, 200], [360, 200], [320, 240], [285, 280], [355, 280]], np.float32)


def look_like(
    yaw: float = 0.0, sharpness: float = 1.0, faces: int = 1, brightness: float = 120.0, **also: float
) -> Sight:
    """A frame's sight: as many faces, all at one place, with the measures named."""
    quality = Quality(160.0, sharpness, brightness, 40.0, yaw, 0.0, 0.0, 0.9, **also)
    there = tuple(Face((240.0, 160.0, 400.0, 320.0), LANDMARKS, 0.9) for _ in range(faces))
    return Sight(there, (480, 640), quality if faces else None, np.zeros((112, 112, 3), np.uint8) if faces else None)


class Scene:
    """A session before a clock that the test moves; a frame's first pixel stands for the sight that it shows."""

    def __init__(self, captures: int = 3, challenge: Challenge | None = None) -> None:
        self.now = 0.0
        self.sights: dict[int, Sight] = {}
        self.session = CaptureSession(
            lambda frame: self.sights[int(frame[0, 0, 0])], captures, challenge=challenge, clock=lambda: self.now
        )

    def show(self, sight: Sight, seconds: float = 0.1):
        frame = np.zeros((4, 4, 3), np.uint8)
        frame[0, 0, 0] = len(self.sights)
        self.sights[len(self.sights)] = sight
        view = self.session.look(frame)
        self.now += seconds
        return view

    def hold(self, sight: Sight, seconds: float):
        end, view = self.now + seconds, self.show(sight)
        while self.now < end:
            view = self.show(sight)
        return view


def test_a_good_moment_is_taken_at_its_sharpest():
    scene = Scene()
    view = scene.show(look_like(sharpness=0.8))
    assert view.advice.good and view.taken == 0
    scene.show(look_like(sharpness=1.4))
    assert 0 < scene.show(look_like(sharpness=0.9)).held < 1
    scene.hold(look_like(sharpness=0.9), HOLD_S)
    [capture] = scene.session.taken
    assert (capture.step, capture.by) == ("front", "itself")
    assert capture.sight.quality is not None and capture.sight.quality.sharpness == 1.4
    assert int(capture.frame[0, 0, 0]) == 1


def test_a_good_moment_is_taken_where_it_can_be_recognised_best():
    scene = Scene()
    for sharpness, recognisability in ((1.4, 0.6), (0.9, 0.8), (1.0, 0.7)):
        scene.show(look_like(sharpness=sharpness, recognisability=recognisability))
    scene.hold(look_like(recognisability=0.5), HOLD_S)
    [capture] = scene.session.taken
    assert capture.sight.quality is not None and capture.sight.quality.recognisability == 0.8


def test_a_moment_that_is_broken_begins_anew():
    scene = Scene()
    scene.hold(look_like(), HOLD_S * 0.8)
    scene.show(look_like(brightness=20))
    assert scene.hold(look_like(), HOLD_S * 0.7).taken == 0


def test_three_poses_complete_a_session_and_each_waits_for_its_own():
    scene = Scene(captures=3)
    scene.hold(look_like(), HOLD_S + 0.2)
    assert len(scene.session.taken) == 1
    assert scene.hold(look_like(), 3.0).taken == 1, "the same pose isn't the next step's"
    view = scene.hold(look_like(yaw=10), REST_S + HOLD_S + 0.2)
    assert view.taken == 2 and view.step == "right"
    view = scene.hold(look_like(yaw=-10), REST_S + HOLD_S + 0.3)
    assert view.complete and view.text == "All pictures are taken"
    assert [capture.step for capture in scene.session.taken] == ["front", "left", "right"]
    assert scene.show(look_like()).taken == 3


def test_after_a_capture_there_is_a_rest():
    scene = Scene(captures=5)
    scene.hold(look_like(), HOLD_S + 0.1)
    before = scene.now
    while len(scene.session.taken) < 2:
        scene.show(look_like(yaw=10))
    assert scene.now - before >= REST_S + HOLD_S - 0.2


def test_by_hand_any_pose_is_taken_but_never_nobody_or_two():
    scene = Scene()
    scene.session.take()
    assert scene.show(look_like(yaw=25, brightness=40)).taken == 1
    assert scene.session.taken[0].by == "hand"
    for faces, words in ((0, "No face"), (2, "one at a time")):
        scene.session.take()
        view = scene.show(look_like(faces=faces))
        assert view.taken == 1 and words in view.refused
    scene.session.take()
    assert "blurred" in scene.show(look_like(sharpness=0.2)).refused
    assert scene.show(look_like(yaw=25)).taken == 1, "one wish takes one look"


def test_retaking_one_asks_for_its_step_again_and_keeps_the_others():
    scene = Scene()
    for yaw in (0, 10, -10):
        scene.session.take()
        scene.show(look_like(yaw=yaw))
    first, _, last = scene.session.captures
    scene.session.retake(1)
    assert scene.session.captures == (first, None, last)
    view = scene.show(look_like())
    assert (view.position, view.step, view.complete) == (1, "left", False)
    assert scene.hold(look_like(yaw=10), REST_S + HOLD_S + 0.2).complete
    with pytest.raises(IndexError):
        scene.session.retake(7)


def test_clearing_forgets_every_picture():
    scene = Scene()
    scene.session.take()
    scene.show(look_like())
    scene.session.clear()
    assert scene.session.taken == ()
    assert scene.session.captures == (None, None, None)


def test_nothing_is_taken_before_the_challenge_is_passed():
    challenge = Challenge(random.Random(5))
    scene = Scene(challenge=challenge)
    assert scene.hold(look_like(), 3.0).taken == 0
    scene.session.take()
    view = scene.show(look_like())
    assert view.taken == 0 and view.refused and view.liveness is not None and not view.liveness.passed
    assert view.text == view.liveness.text
    while not challenge.passed:
        sign = 1 if challenge.directions[view.liveness.done if view.liveness else 0] == "left" else -1
        for yaw in (6, 12, 18, 12, 6, 0):
            view = scene.show(look_like(yaw=sign * yaw))
    assert scene.hold(look_like(), REST_S + HOLD_S + 0.2).taken == 1


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(-30, 30), st.booleans()), max_size=40), st.integers(3, 10))
def test_whatever_is_shown_captures_never_exceed_what_was_asked(shown, captures):
    scene = Scene(captures)
    for faces, yaw, by_hand in shown:
        if by_hand:
            scene.session.take()
        view = scene.show(look_like(yaw=yaw, faces=faces), seconds=0.4)
        assert view.taken == len(scene.session.taken) <= captures
        assert view.complete == (view.taken == captures)
        assert all(len(capture.sight.faces) == 1 for capture in scene.session.taken)
