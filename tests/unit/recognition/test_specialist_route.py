"""From image to name with a specialist: small faces go through it, large ones don't, and old templates are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.encoder.encode import Encoder
from core.enrolment.drafts import prepare_enrolment
from core.enrolment.enrol import EnrolOptions, enrol
from core.enrolment.reembed import reembed
from core.faces.detect import Detector
from core.gallery.store import Gallery
from core.images import reduce_photograph, resize
from core.models.errors import SpecialistRefused
from core.pipeline import Pipeline, PipelineConfig, build_pipeline
from core.settings import load_settings
from core.sr import bicubic, load_upscaler
from tests.made_weights import STARTER, random_encoder

Make = Callable[..., Pipeline]


@pytest.fixture
def make(starter: Encoder, specialist_file: Path) -> Make:
    def made(*, specialist: bool = True, store: Gallery | None = None, **settings: object) -> Pipeline:
        upscaler = load_upscaler(specialist_file) if specialist else bicubic()
        detector = Detector()
        return Pipeline(PipelineConfig(**settings), starter, upscaler, detector, store or Gallery.open(":memory:"))

    return made


def at(portrait: np.ndarray, px: int) -> np.ndarray:
    """The portrait from so far that its face, of about 100 px, has about that size."""
    return reduce_photograph(portrait, 130, px)


def test_a_probe_goes_by_its_size(make: Make, portrait: np.ndarray, starter: Encoder, small_encoder: Encoder) -> None:
    pipeline = make(small_faces=True)
    probes = [probe for px in (20, 60, 44, 28) for probe in pipeline.find(at(portrait, px), every=False)]
    sizes = [probe.probe_px for probe in probes]
    assert [px <= 48 for px in sizes] == [True, False, True, True]
    by_hand = [
        (small_encoder if probe.probe_px <= 48 else starter).encode([probe.aligned])[0] for probe in probes
    ]  # the crop cut at 112 px in one step, by interpolation alone
    np.testing.assert_allclose(pipeline.embed(probes), by_hand, atol=1e-5)
    assert [probe.upscaler for probe in probes] == ["small", "bicubic", "small", "small"]
    assert probes[1].upscaler_because == "small is for faces of up to 48 px"


def test_large_faces_load_no_specialist(make: Make, portrait: np.ndarray) -> None:
    pipeline = make()
    plain = make(specialist=False)
    assert plain.encoders.specialist is None
    vector = pipeline.infer_embedding(portrait)
    assert pipeline.encoders.specialist is None
    np.testing.assert_array_equal(vector, plain.infer_embedding(portrait))


def test_a_crop_goes_by_the_size_that_is_said(make: Make, portrait: np.ndarray, small_encoder: Encoder) -> None:
    pipeline = make()
    small = at(portrait, 24)
    crop = pipeline.upscale(small)
    px = pipeline.find(small, every=False)[0].probe_px
    np.testing.assert_allclose(pipeline.infer_embedding(crop, probe_px=px), small_encoder.encode([crop])[0], atol=1e-5)
    np.testing.assert_allclose(pipeline.infer_embedding(small), small_encoder.encode([crop])[0], atol=1e-5)
    np.testing.assert_allclose(pipeline.infer_embedding(crop), pipeline.encoder.encode([crop])[0], atol=1e-5)


def test_enrolled_templates_name_the_specialist_where_it_took_part(
    make: Make, portrait: np.ndarray, small_encoder: Encoder
) -> None:
    pipeline = make()
    draft = prepare_enrolment(pipeline, [portrait], ["portrait"])
    enrol(pipeline, "Eileen", draft, options=EnrolOptions(matched_sizes=(32, 16)))
    templates = pipeline.gallery.store.templates("Eileen")
    own = pipeline.upscaler.id
    assert [(t.size_px, t.space.upscaler) for t in templates] == [(None, ""), (32, own), (16, own)]
    aligned = draft.usable[0].probe.aligned
    for template in templates[1:]:
        by_hand = small_encoder.encode([resize(resize(aligned, template.size_px), 112)])[0]
        np.testing.assert_allclose(template.vector, by_hand, atol=1e-5)


def test_a_gallery_from_before_the_specialist_stays_valid(make: Make, portrait: np.ndarray) -> None:
    before = make(specialist=False)
    draft = prepare_enrolment(before, [portrait], ["portrait"])
    enrol(before, "Large", draft)
    small = prepare_enrolment(before, [at(portrait, 30)], ["from afar"])
    enrol(before, "Small", small)
    after = make(store=before.gallery.store)
    assert list(after.gallery) == ["Large", "Small"]
    found = after.run(at(portrait, 30))
    assert found.top_k[0].name == "Small" and found.top_k[0].score > 0.8, "two encoders, one space"
    large, small_before = (after.gallery.store.templates(name)[0] for name in ("Large", "Small"))
    assert reembed(after, after.gallery.store).made == 1, "the small one, which is better by the specialist"
    assert small_before.space.upscaler != after.upscaler.id == after.gallery.store.templates("Small")[0].space.upscaler
    np.testing.assert_array_equal(after.gallery.store.templates("Large")[0].vector, large.vector)
    assert reembed(after, after.gallery.store).made == 0


def test_re_embedding_goes_by_size_too(
    make: Make, portrait: np.ndarray, specialist_file: Path, small_encoder: Encoder, starter: Encoder
) -> None:
    other = Pipeline(PipelineConfig(), random_encoder(), bicubic(), Detector(), Gallery.open(":memory:"))
    draft = prepare_enrolment(other, [portrait], ["portrait"])
    enrol(other, "Eileen", draft, options=EnrolOptions(matched_sizes=(16,)))
    crops = {t.size_px: t.crop for t in other.gallery.store.templates("Eileen")}
    assert None not in crops.values()
    pipeline = make(store=other.gallery.store)
    assert reembed(pipeline, other.gallery.store).made == 2
    large, small = pipeline.gallery.store.templates("Eileen")
    assert (large.space.upscaler, small.space.upscaler) == ("", pipeline.upscaler.id)
    seen = resize(resize(draft.usable[0].probe.aligned, 16), 112)
    np.testing.assert_allclose(small.vector, small_encoder.encode([seen])[0], atol=1e-5)
    assert float(large.vector @ starter.encode([draft.usable[0].probe.aligned])[0]) > 0.99


def test_keys_of_caches_tell_the_routes_apart(make: Make) -> None:
    assert make().made_by != make(specialist=False).made_by
    assert make().space.any_upscaler and not make(specialist=False).space.any_upscaler


def test_beside_other_weights_no_pipeline_is_built(specialist_file: Path, random_weights: Path) -> None:
    with pytest.raises(SpecialistRefused, match="edgeface-xxs-starter"):
        build_pipeline(PipelineConfig(weights=random_weights, upscaler=specialist_file), load_settings())
    with pytest.raises(SpecialistRefused):
        Pipeline(
            PipelineConfig(), random_encoder(), load_upscaler(specialist_file), Detector(), Gallery.open(":memory:")
        )


def test_named_by_its_path_beside_its_weights_it_is_built_with_its_encoders_settings(specialist_file: Path) -> None:
    config = PipelineConfig(weights=STARTER, upscaler=specialist_file, use_tta=True, device="cpu", precision="float32")
    pipeline = build_pipeline(config, load_settings())
    assert pipeline.upscaler.name == "small" and pipeline.space.flip_tta
    pipeline.encode(np.zeros((1, 112, 112, 3), np.uint8), [16.0])
    assert pipeline.encoders.specialist is not None
    assert pipeline.encoders.specialist.info.flip_tta and pipeline.encoders.specialist.info.precision == "float32"
