"""From image to decision: outcomes, reasons, sizes, and the names that the notes use."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import SettingsInvalid
from core.faces.attack import AttackCheck, AttackModel
from core.faces.quality import Limits
from core.gallery.encoder_view import EncoderView
from core.gallery.records import NewTemplate, Space
from core.images import ImageUnreadable, resize
from core.models.errors import WeightsMissing
from core.pipeline import NoFace, PipelineConfig, build_pipeline
from tests.unit.faces.onnx_model import write_model

BLANK = np.full((200, 200, 3), 128, np.uint8)


def test_an_enrolled_face_is_matched_by_the_same_photograph(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    pipeline.gallery.add("Eileen", pipeline.infer_embedding(portrait))
    result = pipeline.run(portrait)
    assert (result.outcome, result.identity) == ("match", "Eileen")
    assert result.score == pytest.approx(1, abs=1e-4)
    assert result.margin is None, "there is no runner-up"
    assert "reaches the threshold 0.35" in result.reason
    assert not result.calibrated


def test_results_answer_in_brackets_too(make_pipeline, portrait) -> None:
    result = make_pipeline().run(portrait)
    for name in ("identity", "score", "threshold", "outcome", "probe_px", "quality", "crop", "sr_image", "timings_ms"):
        assert result[name] is getattr(result, name)
    for missing in ("label", "__class__", "_x"):
        with pytest.raises(KeyError):
            result[missing]


def test_an_empty_gallery_knows_nobody(make_pipeline, portrait) -> None:
    result = make_pipeline().run(portrait)
    assert (result.outcome, result.identity, result.score) == ("unknown", None, None)
    assert result.reason == "the gallery is empty"


def test_people_of_other_weights_are_not_an_empty_gallery(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    template = NewTemplate(np.eye(512, dtype=np.float32)[0], "hr", 112.0)
    pipeline.gallery.store.enrol("Ada", [template], space=Space("other", "b" * 64, "bicubic", False))
    result = pipeline.run(portrait)
    assert (result.outcome, result.score, pipeline.gallery.elsewhere) == ("unknown", None, 1)
    assert result.reason.startswith("nobody is enrolled with these weights; 1 person is, with others")


def test_the_fingerprint_follows_everything_that_an_answer_rests_on(make_pipeline, portrait, tmp_path) -> None:
    pipeline = make_pipeline()
    before, made_by = pipeline.fingerprint, pipeline.made_by
    assert (make_pipeline().fingerprint, make_pipeline().made_by) == (before, made_by)
    for changed in ({"recognition_threshold": 0.4}, {"tie_margin": 0.0}, {"top_k": 3}):
        other = make_pipeline(**changed)
        assert other.fingerprint != before and other.made_by == made_by, changed
    for changed in (
        {"limits": Limits(severe_sharpness=0.5)},
        {"faces": "centre"},
        {"aligned": False},
        {"small_faces": True},
    ):
        other = make_pipeline(**changed)
        assert other.fingerprint != before and other.made_by != made_by, changed
    model = write_model(tmp_path / "m.onnx", np.zeros((3, 2), np.float32), np.float32([0, 0]), 32)
    checks = [AttackCheck(model, AttackModel(32, attack=(1,), limit=limit)) for limit in (0.5, 0.6)]
    others = []
    for check in checks:
        other = make_pipeline()
        other.attack_check = check
        others.append(other.made_by)
    assert len({made_by, *others}) == 3
    pipeline.gallery.add("Eileen", pipeline.infer_embedding(portrait))
    assert pipeline.fingerprint != before and pipeline.made_by == made_by


def test_the_threshold_is_inclusive_and_decides(make_pipeline, portrait) -> None:
    """Candidates with known cosines: e and a vector at 60 degrees from it."""
    pipeline = make_pipeline(recognition_threshold=0.5)
    e = pipeline.infer_embedding(portrait).numpy()
    other = np.random.default_rng(0).normal(size=512)
    other -= (other @ e) * e
    sixty = 0.51 * e + np.sqrt(1 - 0.51**2) * other / np.linalg.norm(other)
    pipeline.gallery.add("At 0.51", sixty)
    pipeline.gallery.add("At 0", other)
    result = pipeline.run(portrait)
    assert result.identity == "At 0.51"
    assert result.score == pytest.approx(0.51, abs=1e-3)
    assert result.margin == pytest.approx(0.51, abs=1e-3)
    assert [c.name for c in result.top_k] == ["At 0.51", "At 0"]
    strict = make_pipeline(recognition_threshold=0.6)
    strict.gallery = pipeline.gallery
    unknown = strict.run(portrait)
    assert (unknown.outcome, unknown.identity) == ("unknown", None)
    assert "0.51 is below the threshold 0.60" in unknown.reason
    assert unknown.top_k[0].name == "At 0.51", "who came closest is still told"


def test_no_face_is_unrecognisable(make_pipeline) -> None:
    result = make_pipeline().run(BLANK)
    assert (result.outcome, result.crop, result.identity) == ("unrecognisable", None, None)
    assert "no face found" in result.reason


@pytest.mark.parametrize(
    ("crop", "why"),
    [
        (np.zeros((24, 24, 3), np.uint8), "dark"),
        (np.full((24, 24, 3), 130, np.uint8), "contrast"),
        (np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8), "too small"),
    ],
    ids=["black", "plain", "8 px"],
)
def test_what_cannot_be_recognised_gets_no_name(make_pipeline, crop, why) -> None:
    pipeline = make_pipeline(recognition_threshold=-1.0, aligned=True)
    pipeline.gallery.add("Anybody", np.ones(512))
    result = pipeline.run(crop)
    assert (result.outcome, result.identity, result.score, result.top_k) == ("unrecognisable", None, None, ())
    assert why in result.reason


def test_a_batch_gives_what_single_runs_give(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    pipeline.gallery.add("Eileen", pipeline.infer_embedding(portrait))
    images = [portrait, BLANK, np.ascontiguousarray(portrait[:, ::-1])]
    batch = pipeline.run_many(images)
    assert [r.outcome for r in batch] == [pipeline.run(image).outcome for image in images]
    assert batch[0].score == pytest.approx(1, abs=1e-4)
    assert pipeline.run_many([]) == []


def test_every_face_of_a_group_is_answered_the_chosen_first(make_pipeline, portrait) -> None:
    small = resize(portrait, 256)
    group = np.concatenate([portrait, np.full((512, 300, 3), 90, np.uint8)], axis=1)
    group[100:356, 540:796] = small
    results = make_pipeline().run_all(group)
    assert len(results) == 2
    assert results[0].probe_px > results[1].probe_px
    assert results[1].box_xyxy[0] > 512
    x0, y0, x1, y1 = results[1].probe.box_share
    assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


def test_timings_name_the_steps(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    assert set(pipeline.run(portrait).timings_ms) == {"detect and align", "encode", "search"}


def test_upscale_and_embedding_as_in_the_notes(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    sr = pipeline.upscale(portrait)
    assert sr.shape == (112, 112, 3) and sr.dtype == np.uint8
    embedding = pipeline.infer_embedding(sr)
    assert isinstance(embedding, torch.Tensor) and embedding.shape == (512,)
    assert embedding.norm().item() == pytest.approx(1, abs=1e-5)
    mean = torch.mean(torch.stack([embedding, pipeline.infer_embedding(portrait[:, ::-1].copy())]), dim=0)
    pipeline.gallery.add("new_user", mean)
    assert pipeline.gallery.size == 1 and pipeline.gallery._labels == ["new_user"]
    with pytest.raises(NoFace):
        pipeline.upscale(BLANK)


@pytest.mark.parametrize("embedding", [np.zeros(512), np.ones(100), np.full(512, np.nan)], ids=["zero", "short", "NaN"])
def test_a_wrong_embedding_is_refused(make_pipeline, embedding) -> None:
    gallery = make_pipeline().gallery
    with pytest.raises(SettingsInvalid, match="512 finite values"):
        gallery.add("x", embedding)
    assert gallery.size == 0


def test_templates_of_another_space_never_meet(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    e = pipeline.infer_embedding(portrait).numpy()
    for change in ({"weights_sha256": "f" * 64}, {"flip_tta": True}):
        foreign = type(pipeline.space)(**{**pipeline.space.__dict__, **change})
        EncoderView(pipeline.gallery.store, foreign).add(f"Foreign {change}", e)
    sr = NewTemplate(vector=e, kind="sr", probe_px=16, size_px=16)
    other_upscaler = type(pipeline.space)(**{**pipeline.space.__dict__, "upscaler": "a" * 64})
    pipeline.gallery.store.enrol("Other upscaler", [sr], space=other_upscaler)
    assert pipeline.run(portrait).outcome == "unknown"
    assert pipeline.gallery.size == 0 and pipeline.gallery.store.size == 3


def test_comparing_says_same_different_or_cannot_say(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    same = pipeline.compare(portrait, portrait)
    assert same.same is True and same.score == pytest.approx(1, abs=1e-4)
    nothing = pipeline.compare(portrait, BLANK)
    assert nothing.same is None and nothing.score is None
    assert nothing.reason.startswith("second image: no face found")


def test_bad_pictures_raise_by_name(make_pipeline, tmp_path) -> None:
    path = tmp_path / "text.jpg"
    path.write_text("not a picture")
    with pytest.raises(ImageUnreadable, match=r"text\.jpg"):
        make_pipeline().run(path)


@pytest.mark.parametrize("settings", [{"recognition_threshold": 1.5}, {"top_k": 0}])
def test_impossible_settings_are_refused(settings) -> None:
    with pytest.raises(SettingsInvalid):
        PipelineConfig(**settings)


def test_without_weights_nothing_is_built_and_the_way_is_told(own_data_dir) -> None:
    with pytest.raises(WeightsMissing) as refused:
        build_pipeline()
    assert "weights fetch" in refused.value.next_step


def test_an_absent_device_is_refused_before_loading() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(SettingsInvalid, match="'cuda' isn't available"):
        build_pipeline(PipelineConfig(device="cuda"))
