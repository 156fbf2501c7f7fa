"""Templates of an enrolled face at 32, 24 and 16 px: what they are made of, and what the gallery makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from core.enrolment.drafts import prepare_enrolment
from core.enrolment.enrol import EnrolOptions, enrol
from core.errors import SettingsInvalid
from core.gallery.records import one_per_photograph
from core.images import read_image, resize
from core.recognition.matched_templates import MATCHED_SIZES_PX, matched_templates


def test_each_size_is_the_face_reduced_and_enlarged_again(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    draft = prepare_enrolment(pipeline, [portrait], ["portrait"])
    [photo] = draft.usable
    made = matched_templates(pipeline.encoders, pipeline.upscaler, pipeline.detector, draft.usable)
    assert [(t.kind, t.size_px, t.probe_px) for t in made] == [("sr", px, float(px)) for px in (32, 24, 16)]
    aligned = photo.probe.aligned
    for template in made:
        by_hand = pipeline.encoder.encode([resize(resize(aligned, template.size_px), 112)])[0]
        assert template.vector == pytest.approx(by_hand, abs=1e-5)
        assert template.image_sha256 == photo.image_sha256
        crop = read_image(template.crop)
        assert [template.recognisability] == pipeline.detector.recognisability([crop])
        assert crop.shape == (template.size_px, template.size_px, 3) and len(template.crop) < 3000
        again = pipeline.encoder.encode([resize(crop, 112)])[0]
        assert again == pytest.approx(template.vector, abs=1e-5), "the stored crop can be embedded again"


def test_a_small_photograph_is_its_own_size_already(make_pipeline, portrait) -> None:
    pipeline = make_pipeline(small_faces=True)
    small = resize(portrait, (portrait.shape[1] // 5, portrait.shape[0] // 5))
    draft = prepare_enrolment(pipeline, [small], ["small"])
    assert len(draft.usable) == 1 and draft.usable[0].probe.size_px is not None
    assert matched_templates(pipeline.encoders, pipeline.upscaler, pipeline.detector, draft.usable) == []


def test_another_size_is_refused(make_pipeline) -> None:
    pipeline = make_pipeline()
    with pytest.raises(SettingsInvalid, match="20 px"):
        matched_templates(pipeline.encoders, pipeline.upscaler, pipeline.detector, [], [32, 20])


def test_enrolled_they_find_the_small_face_and_count_as_one_photograph(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    draft = prepare_enrolment(pipeline, [portrait], ["portrait"])
    enrol(pipeline, "Plain", draft)
    person = enrol(pipeline, "Matched", draft, options=EnrolOptions(matched_sizes=MATCHED_SIZES_PX, store_crops=False))
    assert (person.templates, person.photographs, person.has_crops) == (4, 1, False)
    templates = pipeline.gallery.store.templates("Matched")
    assert [t.kind for t in one_per_photograph(templates)] == ["hr"]
    crop = resize(draft.usable[0].probe.aligned, 16)
    found = pipeline.run(np.ascontiguousarray(crop))
    assert found.top_k[0].name == "Matched"
    assert (found.top_k[0].kind, found.top_k[0].size_px) == ("sr", 16)
    assert found.top_k[0].score == pytest.approx(1.0, abs=1e-3)
    assert found.top_k[1].score < found.top_k[0].score
