"""Enrol's camera without a browser: consent comes first, single pictures lead to a draft, cancelling keeps nothing."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from core.faces.detect import Detector
from core.gallery.store import Gallery
from dashboard.enrol.camera import SINGLE, LiveEnrolment
from dashboard.enrol.view import CAMERA
from tests.app.conftest import button, png, shown
from tests.app.test_enroll import variants


def jpeg(content: bytes) -> tuple[str, bytes, str]:
    """A picture as the browser's camera widget hands it over."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(content)).convert("RGB").save(buffer, "JPEG", quality=95)
    return ("camera.jpg", buffer.getvalue(), "image/jpeg")


def at_the_camera(open_page):
    app = open_page("enroll")
    app.segmented_control(key="enroll_source").set_value(CAMERA).run()
    return app


@pytest.mark.shared
def test_the_camera_is_offered_after_consent_only(open_page, ready):
    app = at_the_camera(open_page)
    assert not app.exception
    said = shown(app)
    assert "512 numbers" in said and "discarded when you cancel or leave" in said
    assert all(each.label != "Start the camera" for each in app.button)
    app.checkbox(key="enroll_live_consent_0").check().run()
    assert not app.exception
    button(app, "Start the camera")
    assert "0 of 5 pictures" in shown(app)


@pytest.mark.shared
def test_single_pictures_become_a_draft_that_is_saved_with_matched_sizes(open_page, ready, astronaut):
    app = at_the_camera(open_page)
    app.checkbox(key="enroll_live_consent_0").check().run()
    app.number_input(key="enroll_live_captures").set_value(3).run()
    app.segmented_control(key="enroll_live_how").set_value(SINGLE).run()
    for number, (_, content, _) in enumerate(variants(astronaut)):
        widget = app.get("camera_input")[0]
        assert widget.label.startswith(f"{number + 1}. ")
        widget.set_value(jpeg(content)).run()
        assert not app.exception
        assert f"{number + 1} of 3 pictures" in shown(app)
    assert "All pictures have been taken" in shown(app)
    button(app, "Continue with 3 pictures").click().run()
    assert not app.exception
    app.text_input(key="enroll_name").set_value("Eileen").run()
    app.checkbox(key="enroll_matched").check().run()
    assert "12 embeddings of 512 numbers" in shown(app)
    button(app, "Save").click().run()
    assert "Eileen is enrolled" in shown(app)
    with Gallery.open(ready / "gallery.db") as gallery:
        [person] = gallery.identities()
        assert (person.photographs, person.templates) == (3, 12)
        assert {template.size_px for template in gallery.templates("Eileen")} == {None, 32, 24, 16}
        assert {template.source for template in gallery.templates("Eileen")} == {
            "camera 1 (front)",
            "camera 2 (left)",
            "camera 3 (right)",
        }
    assert "enroll_live_session" not in app.session_state


@pytest.mark.shared
def test_a_picture_without_a_face_is_refused_in_words_and_cancelling_forgets(open_page, ready, astronaut):
    app = at_the_camera(open_page)
    app.checkbox(key="enroll_live_consent_0").check().run()
    app.segmented_control(key="enroll_live_how").set_value(SINGLE).run()
    blank = png(np.full((240, 320, 3), 120, np.uint8))
    app.get("camera_input")[0].set_value(jpeg(blank)).run()
    assert "Not taken. No face to be seen" in shown(app)
    app.get("camera_input")[0].set_value(jpeg(astronaut)).run()
    assert "1 of 5 pictures" in shown(app)
    button(app, "Retake").click().run()
    assert "0 of 5 pictures" in shown(app)
    app.get("camera_input")[0].set_value(jpeg(astronaut)).run()
    button(app, "Cancel").click().run()
    assert "0 of 5 pictures" not in shown(app), "consent is asked for again"
    assert not app.checkbox(key="enroll_live_consent_1").value, "by a box that the browser knows nothing of"
    assert "enroll_live_session" not in app.session_state
    with Gallery.open(ready / "gallery.db") as gallery:
        assert gallery.size == 0


def test_frames_are_looked_at_off_the_video_thread_and_forgotten_when_the_page_is_gone(monkeypatch):
    monkeypatch.setattr("dashboard.enrol.camera.LEFT_S", 0.0)
    enrolment = LiveEnrolment(Detector(), 3, challenge=False)
    frame = np.full((480, 640, 3), 110, np.uint8)
    assert enrolment.on_frame(frame).shape == frame.shape
    newest = enrolment._newest
    assert newest is not None and newest.wait(0, 30.0)
    enrolment.on_frame(frame)
    assert enrolment.view is not None and enrolment.view.advice.code == "no_face"
    enrolment.session._slots[0] = object()  # type: ignore[call-overload]  # a picture that was taken
    time.sleep(0.01)
    enrolment.on_end()
    assert newest.closed and enrolment.session.taken == ()
