"""Numbers that stay: faces that move, cross a gap, come and go."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.video.track import KEEP_S, MOST_KEEP_S, Tracker


def numbers(tracker: Tracker, faces, at: float) -> list[int]:
    return [track.number for track in tracker.update(faces, at)]


def test_a_face_that_moves_keeps_its_number_and_another_gets_its_own(make_face) -> None:
    tracker = Tracker()
    assert numbers(tracker, [make_face(0, 0), make_face(300, 0)], 0.0) == [1, 2]
    for step in range(1, 20):
        assert numbers(tracker, [make_face(300 - 4 * step, 0), make_face(6 * step, 0)], 0.1 * step) == [2, 1]


def test_a_gap_shorter_than_a_second_is_bridged_a_longer_one_is_not(make_face) -> None:
    tracker = Tracker()
    numbers(tracker, [make_face(50, 50)], 0.0)
    assert numbers(tracker, [], 0.5) == []
    assert numbers(tracker, [make_face(52, 50)], KEEP_S) == [1]
    for tenths in range(1, 11):
        assert numbers(tracker, [], KEEP_S + tenths / 10) == []
    assert numbers(tracker, [make_face(52, 50)], 2 * KEEP_S + 0.1) == [2]


def test_where_looks_are_rare_a_track_outlives_the_time_between_them(make_face):
    tracker = Tracker()
    found = [numbers(tracker, [make_face(50, 50)], at)[0] for at in (0.0, 2.0, 4.0, 6.5, 8.0)]
    assert found[2:] == found[1:2] * 3, "after the first long wait it is known how long waits are"
    assert numbers(tracker, [make_face(50, 50)], 8.0 + MOST_KEEP_S + 0.1) != found[-1:]


def test_where_a_face_should_be_follows_its_speed(make_face) -> None:
    tracker = Tracker()
    for step in range(12):
        tracker.update([make_face(10 * step, 0)], 0.1 * step)
    [expected] = tracker.expected(0.1 * 11 + 0.2)
    assert np.isclose(expected.centre[0], make_face(130, 0).centre[0], atol=2)
    assert np.isclose(expected.centre[1], make_face(0, 0).centre[1], atol=0.5)


def test_two_who_pass_each_other_are_not_exchanged(make_face) -> None:
    tracker = Tracker()
    numbers(tracker, [make_face(0, 0), make_face(400, 30)], 0.0)
    last = []
    for step in range(1, 41):
        last = numbers(tracker, [make_face(10 * step, 0), make_face(400 - 10 * step, 30)], 0.1 * step)
    assert last == [1, 2]


def test_a_face_of_another_size_at_the_same_place_is_somebody_else(make_face) -> None:
    tracker = Tracker()
    numbers(tracker, [make_face(100, 100, px=40)], 0.0)
    assert numbers(tracker, [make_face(70, 70, px=100)], 0.1) == [2]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), max_size=8, unique=True), st.randoms())
def test_every_face_gets_one_track_and_no_track_two_faces(places, random) -> None:
    from core.faces.align import ARCFACE_TEMPLATE
    from core.faces.face import Face

    tracker = Tracker()
    for step in range(3):
        faces = []
        for x, y in places:
            left, top = 60.0 * x + random.random() * 20, 70.0 * y + random.random() * 20
            points = (ARCFACE_TEMPLATE * 0.4 + np.array([left, top])).astype(np.float32)
            faces.append(Face((left, top, left + 45, top + 45), points, 0.9))
        found = numbers(tracker, faces, 0.1 * step)
        assert len(found) == len(faces) == len(set(found))
