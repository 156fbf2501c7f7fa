"""Boxes drawn by a person: which ones are refused, and with what words; the answers for them."""

from __future__ import annotations

import numpy as np
import pytest

from core.enrolment.drafts import NothingToEnrol, prepare_enrolment
from core.enrolment.enrol import enrol
from core.faces.detect import Detector
from core.images import ImageUnreadable
from core.recognition.boxes import BoxInvalid, checked_boxes
from core.recognition.results import NO_FACE_IN_BOX

SHAPE = (200, 300, 3)
FACE = (178.0, 60.0, 90.0, 110.0)
"""Where the face of scikit-image's portrait is."""
NOTHING = (400.0, 400.0, 60.0, 60.0)


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detection finds nothing, as for faces that are too small or too dark for it."""
    monkeypatch.setattr(Detector, "detect", lambda self, rgb, **how: [])


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((10, 10, 5, 20), "is 5 x 20 px; at least 6 px a side are needed"),
        ((10, 10, -20, 20), "is -20 x 20 px"),
        ((290, 10, 20, 20), "isn't inside the photograph, which has 300 x 200 px"),
        ((-1, 10, 20, 20), "isn't inside"),
        ((10, 190, 20, 20), "isn't inside"),
        ((10, 10, 20), "four numbers"),
        ((10, 10, float("nan"), 20), "four numbers"),
        ((10, 10, float("inf"), 20), "four numbers"),
        (("a", 10, 20, 20), "four numbers"),
        (7, "four numbers"),
    ],
)
def test_a_box_that_cannot_be_used_is_refused(box, said: str) -> None:
    with pytest.raises(BoxInvalid) as refused:
        checked_boxes([box], SHAPE)
    assert said in refused.value.what and refused.value.next_step


def test_a_box_may_end_at_the_edges() -> None:
    assert checked_boxes([(0, 0, 300, 200), np.array([294, 194, 6, 6])], SHAPE)[1] == (294.0, 194.0, 6.0, 6.0)
    with pytest.raises(BoxInvalid, match="No box was given"):
        checked_boxes([], SHAPE)


def test_one_box_one_answer_in_order(make_pipeline, portrait, unseen) -> None:
    pipeline = make_pipeline()
    assert pipeline.run(portrait).reason.startswith("no face found")
    nothing, face = pipeline.run_all(portrait, boxes=[NOTHING, FACE])
    assert (nothing.outcome, nothing.reason, nothing.probe) == ("unrecognisable", NO_FACE_IN_BOX, None)
    assert (face.outcome, face.taken) == ("unknown", "box")
    assert face.box_xyxy[0] == pytest.approx(FACE[0], abs=25) and face.probe_px > 80
    assert pipeline.run(portrait, boxes=[FACE]).taken == "box"
    assert len(pipeline.find(portrait, boxes=[NOTHING, FACE])) == 1


def test_a_face_in_a_box_is_as_a_detected_one(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    pipeline.gallery.add("Eileen", pipeline.infer_embedding(portrait))
    match, again = pipeline.run_all(portrait, boxes=[FACE, FACE])
    assert match.identity == "Eileen" and match.score > 0.98
    assert again.outcome == "repeat", "a person is in a photograph once, in boxes too"


def test_distance_is_simulated_for_boxes_too(make_pipeline, portrait, unseen) -> None:
    nothing, face = make_pipeline().run_all(portrait, reduce_to_px=24, boxes=[NOTHING, FACE])
    assert face.probe_px == pytest.approx(24, abs=1) and face.size_px == 24 and nothing.probe is None
    assert face.probe.frame_shape[0] < portrait.shape[0]


def test_a_small_square_is_no_aligned_crop_where_a_box_is_given(make_pipeline, portrait) -> None:
    crop = make_pipeline().find(portrait)[0].aligned[::2, ::2]
    pipeline = make_pipeline()
    assert pipeline.run(crop).taken == "crop"
    assert pipeline.run(crop, boxes=[(8, 8, 40, 44)]).taken == "box"


def test_enrolment_takes_the_face_in_a_box(make_pipeline, portrait, unseen) -> None:
    pipeline = make_pipeline()
    draft = prepare_enrolment(pipeline, [portrait, portrait[:, ::-1]], ["a", "b"], boxes=[FACE, None])
    assert [(photo.usable, photo.reason) for photo in draft.photos] == [(True, ""), (False, "no face found")]
    assert enrol(pipeline, "Eileen", draft).templates == 1
    missed = prepare_enrolment(pipeline, [portrait], ["a"], boxes=[NOTHING])
    assert missed.photos[0].reason == "No face can be seen in the box"
    with pytest.raises(NothingToEnrol, match="No face can be seen in the box") as refused:
        enrol(pipeline, "Ben", missed)
    assert "from forehead to chin" in refused.value.next_step
    [outside] = prepare_enrolment(pipeline, [portrait], ["a"], boxes=[(500, 0, 90, 90)]).photos
    assert isinstance(outside.error, BoxInvalid)


def test_an_unreadable_picture_is_refused_before_its_box(make_pipeline) -> None:
    with pytest.raises(ImageUnreadable):
        make_pipeline().run(b"no picture", boxes=[FACE])
