"""An enrolment through the pipeline: looked at before it is stored, nothing twice, crops only when wanted."""

from __future__ import annotations

import numpy as np
import pytest

from core.enrolment.drafts import DraftOutdated, NothingToEnrol, prepare_enrolment, review_draft
from core.enrolment.enrol import EnrolOptions, enrol
from core.faces.align import align
from core.faces.quality import Limits

BLANK = np.full((200, 200, 3), 128, np.uint8)


def test_a_draft_that_another_pipeline_made_is_not_stored(make_pipeline, portrait) -> None:
    draft = prepare_enrolment(make_pipeline(), [portrait], ["one"])
    other = make_pipeline(limits=Limits(severe_sharpness=0.5))
    with pytest.raises(DraftOutdated, match="have changed"):
        enrol(other, "Eileen", draft)
    assert other.gallery.store.size == 0 and enrol(make_pipeline(), "Eileen", draft).photographs == 1


def test_an_enrolment_is_looked_at_before_it_is_stored(make_pipeline, portrait, tmp_path) -> None:
    pipeline = make_pipeline()
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    draft = prepare_enrolment(pipeline, [portrait, text, BLANK], ["a.png", "text.jpg", "blank.png"], person="Eileen")
    assert [photo.usable for photo in draft.photos] == [True, False, False]
    assert "text.jpg" in draft.photos[1].reason and draft.photos[2].reason == "no face found"
    assert any(f.code == "few_photographs" for f in draft.findings)
    assert pipeline.gallery.size == 0
    identity = enrol(pipeline, "Eileen", draft)
    assert identity.templates == 1 and identity.has_crops
    assert pipeline.run(portrait).identity == "Eileen"


def test_the_same_photograph_again_is_not_stored(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    twice = prepare_enrolment(pipeline, [portrait, portrait], ["a.png", "b.png"], person="Eileen")
    assert [photo.usable for photo in twice.photos] == [True, False]
    assert twice.photos[1].reason.startswith("the same photograph is there already")
    assert enrol(pipeline, "Eileen", twice).templates == 1
    for person in ("Eileen", ""):  # looked at for this person, and without knowing for whom
        again = prepare_enrolment(pipeline, [portrait], ["c.png"], person=person)
        with pytest.raises(NothingToEnrol, match=r"c\.png: the same photograph"):
            enrol(pipeline, "Eileen", again, options=EnrolOptions(add=True))
    first_left_out = review_draft(pipeline, twice.only(["b.png"]), "Somebody else")
    assert [photo.usable for photo in first_left_out.photos] == [True]


def test_crops_are_stored_only_when_wanted(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    draft = prepare_enrolment(pipeline, [portrait], ["a"], person="E")
    assert not enrol(pipeline, "E", draft, options=EnrolOptions(store_crops=False)).has_crops


def test_small_photographs_become_templates_of_their_size(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    [face] = pipeline.detector.detect(portrait)
    draft = prepare_enrolment(pipeline, [align(portrait, face.landmarks, 24)], ["small"], person="E")
    enrol(pipeline, "E", draft)
    [template] = pipeline.gallery.store.templates("E")
    assert (template.kind, template.size_px, template.probe_px) == ("sr", 24, 24.0)
