"""What the encoder is shown: the aligned crop shrunk and upscaled, or what the pipeline makes of a small photograph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.evaluation import embedding
from core.evaluation.hooks import RunHooks
from core.evaluation.pairs import Photo
from core.faces.align import align, probe_px
from core.faces.quality import Limits
from core.images import ImageUnreadable, read_image, resize
from core.pipeline import Pipeline, PipelineConfig, reduce_photograph
from tests.unit.evaluation.sets import embed_photographs

ALL = [Photo("Ada", 1), Photo("Ada", 2), Photo("Ada", 3), Photo("Bo", 1), Photo("Bo", 2)]
BLANK = 2


@pytest.fixture(scope="module")
def paths(photographs: Path) -> list[Path]:
    return [photo.path(photographs / "images") for photo in ALL]


def configured(pipeline: Pipeline, config: PipelineConfig) -> Pipeline:
    return Pipeline(config, pipeline.encoder, pipeline.upscaler, pipeline.detector, pipeline.gallery.store)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", a, b)


def test_every_mode_and_size_shows_the_encoder_what_it_says(pipeline: Pipeline, paths: list[Path]) -> None:
    embedded = embed_photographs(pipeline, paths, sizes=(None, 32, 16))
    assert list(embedded) == [(mode, size) for mode in ("aligned", "end to end") for size in (None, 32, 16)]
    there = [position for position in range(5) if position != BLANK]
    pictures = [read_image(paths[position]) for position in there]
    landmarks = [pipeline.detector.detect(rgb)[0].landmarks for rgb in pictures]
    crops = [align(rgb, points) for rgb, points in zip(pictures, landmarks, strict=True)]
    expected = {
        ("aligned", None): crops,
        ("aligned", 32): [resize(resize(crop, 32), 112) for crop in crops],
        ("aligned", 16): [resize(resize(crop, 16), 112) for crop in crops],
        ("end to end", None): crops,
    }
    real = configured(pipeline, PipelineConfig(faces="centre", aligned=False))
    for size in (32, 16):
        small = [
            reduce_photograph(rgb, probe_px(points), size) for rgb, points in zip(pictures, landmarks, strict=True)
        ]
        expected["end to end", size] = [real.find(rgb, every=False)[0].sr_image for rgb in small]
    for key, shown in expected.items():
        one = embedded[key]
        assert (one.mode, one.size_px) == key
        np.testing.assert_allclose(cosines(one.vectors[there], pipeline.encoder.encode(shown)), 1, atol=1e-4)
        assert list(one.acquired) == list(one.found) == [position != BLANK for position in range(5)]
        assert not one.vectors[BLANK].any()


def test_the_pipelines_own_choice_of_face_and_aligned_switch_do_not_matter(
    pipeline: Pipeline, paths: list[Path]
) -> None:
    usual = embed_photographs(pipeline, paths[:1], sizes=(16,), modes=("end to end",))
    forced = configured(pipeline, PipelineConfig(faces="largest", aligned=True))
    again = embed_photographs(forced, paths[:1], sizes=(16,), modes=("end to end",))
    np.testing.assert_array_equal(usual["end to end", 16].vectors, again["end to end", 16].vectors)


def test_what_the_product_calls_unrecognisable_is_not_acquired(pipeline: Pipeline, paths: list[Path]) -> None:
    strict = configured(pipeline, PipelineConfig(limits=replace(Limits(), severe_probe_px=20.0)))
    embedded = embed_photographs(strict, paths[:1], sizes=(None, 32, 16))
    assert embedded["end to end", 32].acquired.all()
    assert not embedded["end to end", 16].acquired.any()
    assert embedded["end to end", 16].found.all()
    assert embedded["aligned", 16].acquired.all()


def test_batches_keep_the_order_and_tell_their_progress(
    pipeline: Pipeline, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = embed_photographs(pipeline, paths, sizes=(16,), modes=("aligned",))["aligned", 16]
    monkeypatch.setattr(embedding, "_BATCH", 2)
    told: list[tuple[int, int]] = []
    hooks = RunHooks(on_event=lambda kind, **data: told.append((data["done"], data["total"])))
    parts = embed_photographs(pipeline, paths, sizes=(16,), modes=("aligned",), hooks=hooks)["aligned", 16]
    np.testing.assert_allclose(parts.vectors, whole.vectors, atol=1e-5)
    assert told == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("size", [0, 7, 112, 400])
def test_sizes_that_are_no_small_faces(pipeline: Pipeline, paths: list[Path], size: int) -> None:
    with pytest.raises(SettingsInvalid, match=f"not {size}"):
        embed_photographs(pipeline, paths, sizes=(size,))


def test_an_unreadable_photograph_is_named(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageUnreadable, match=r"broken\.jpg"):
        embed_photographs(pipeline, [tmp_path / "broken.jpg"], sizes=(None,))
