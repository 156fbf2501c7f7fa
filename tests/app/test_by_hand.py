"""Faces marked by hand, on Identify and on Enrol: what to do, the answer, and the next step where none is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.faces.detect import Detector
from core.gallery.store import Gallery
from core.recognition.boxes import Box
from dashboard.ui import box_drawing
from dashboard.ui.box_drawing import Canvas, canvas_of
from tests.app.conftest import OpenPage, button, png, shown
from tests.app.test_enroll import look
from tests.app.test_identify import enrol_people, upload

pytestmark = pytest.mark.shared

FACE, NOTHING = (178.0, 60.0, 110.0, 110.0), (400.0, 400.0, 60.0, 60.0)
DRAW = "Draw a square around one face"


class Hand:
    """Draws on the photograph in the browser's place, and keeps what the browser was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.box: Box | None = None

    def component(self, *, key: str, data: dict[str, Any], on_box_change: Callable[[], None]) -> None:
        self.given.append(data)
        if self.box is not None:
            st.session_state[key] = {"box": list(self.box)}
            self.box = None
            on_box_change()

    def draws(self, app: AppTest, box: Box) -> AppTest:
        """One run in which the square is drawn, and the one that follows it."""
        self.box = box
        return app.run().run()


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    hand = Hand()
    monkeypatch.setattr(box_drawing, "_component", hand.component)
    return hand


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, detection finds nothing."""
    return lambda: monkeypatch.setattr(Detector, "detect", lambda self, rgb, **how: [])


def test_a_missed_face_is_marked_and_named(open_page: OpenPage, ready: Path, astronaut, hand: Hand, unseen) -> None:
    enrol_people(ready, {"Eileen": astronaut})
    unseen()
    app = upload(open_page("identify"), ("a.png", astronaut, "image/png"))
    assert DRAW in shown(app) and "1 photograph, 0 faces" in shown(app)
    assert (hand.given[-1]["width"], hand.given[-1]["answered"], hand.given[-1]["missed"]) == (512, 0, None)

    app = hand.draws(app, NOTHING)
    assert "No face can be seen in this square. Draw it around one face" in app.warning[0].value
    assert (hand.given[-1]["answered"], hand.given[-1]["missed"]) == (1, list(NOTHING))

    app = hand.draws(app, FACE)
    said = shown(app)
    assert "1 photograph, 1 face" in said and "1 match" in said and "marked by hand" in said and not app.warning
    assert len(hand.given[-1]["faces"]) == 1 and hand.given[-1]["missed"] is None

    app.segmented_control(key="identify_size").set_value(24).run()
    assert "marked by hand" in shown(app) and "probe 24 px" in shown(app)
    button(app, "Remove the 2 squares").click().run()
    assert "1 photograph, 0 faces" in shown(app) and DRAW in shown(app) and not app.exception


def test_beside_a_found_face_the_place_to_draw_waits_until_it_is_asked_for(
    open_page: OpenPage, ready: Path, astronaut, hand: Hand
) -> None:
    app = upload(open_page("identify"), ("a.png", astronaut, "image/png"))
    assert not hand.given and "Add a face by hand" in [each.label for each in app.expander]
    [(file_id, _)] = app.session_state["identify_seen"]
    app.session_state[f"identify_by_hand_{file_id}"] = True
    app = hand.draws(app.run(), FACE)
    assert app.info[-1].value == "The face in this square was found already." and "1 photograph, 1 face" in shown(app)


def test_a_stranger_marked_by_hand_is_enrolled_from_the_photograph_as_it_is(
    open_page: OpenPage, ready: Path, astronaut, hand: Hand, unseen
) -> None:
    unseen()
    app = open_page("identify")
    app.segmented_control(key="identify_size").set_value(24).run()
    app = hand.draws(upload(app, ("a.png", astronaut, "image/png")), FACE)
    button(app, "Enrol this person").click().run()
    [photo] = app.session_state["enroll_draft"].photos
    assert photo.usable and photo.probe.taken == "box" and photo.probe.probe_px > 64


def test_a_photograph_without_a_found_face_is_enrolled(
    open_page: OpenPage, ready: Path, astronaut, hand: Hand, unseen
) -> None:
    unseen()
    app = look(open_page("enroll"), [("a.png", astronaut, "image/png"), ("b.png", b"no picture", "image/png")])
    assert "Mark a face by hand, or choose others" in app.warning[0].value and DRAW in shown(app)

    app = hand.draws(app, NOTHING)
    assert "No face can be seen in this square" in app.warning[-1].value
    app = hand.draws(app, FACE)
    assert "Marked by hand" in shown(app) and not app.warning and DRAW not in shown(app)

    app.text_input(key="enroll_name").set_value("Eileen").run()
    button(app, "Save").click().run()
    with Gallery.open(ready / "gallery.db") as gallery:
        assert [person.photographs for person in gallery.identities()] == [1]
    assert "enroll_contents" not in app.session_state, "the photograph isn't kept"


def test_of_several_photographs_one_is_chosen_to_draw_on(
    open_page: OpenPage, ready: Path, astronaut, hand: Hand, unseen
) -> None:
    unseen()
    app = look(open_page("enroll"), [("a.png", astronaut, "image/png"), ("b.png", astronaut, "image/png")])
    [which] = [each for each in app.selectbox if each.label == "Photograph"]
    app = hand.draws(which.set_value("b.png").run(), FACE)
    assert [photo.usable for photo in app.session_state["enroll_draft"].photos] == [False, True]


def test_a_large_photograph_is_shown_smaller_and_drawn_in_its_own_pixels() -> None:
    import numpy as np

    canvas = canvas_of("large", png(np.zeros((1000, 5000, 3), np.uint8)), "large.png")
    assert (canvas.width_px, canvas.height_px) == (5000, 1000) and canvas.address.startswith("data:image/jpeg")
    assert box_drawing._whole([4990, -2, 20, 20], Canvas("", 5000, 1000)) == (4990.0, 0.0, 10.0, 20.0)
