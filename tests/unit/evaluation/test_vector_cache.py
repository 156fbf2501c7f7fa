"""Embeddings kept: nothing is embedded twice, nothing is taken for another system's, damage is made good."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.evaluation import embedding
from core.evaluation.embedding import embed
from core.evaluation.evaluation_spec import SystemSpec
from core.evaluation.hooks import RunHooks
from core.evaluation.pairs import Photo
from core.evaluation.pictures import Picture, data_sha256, pictures_of_photos
from core.evaluation.systems import PipelineLoader, System, open_system, system_of
from core.evaluation.vector_cache import QUALITY, EmbeddingCache, EmbeddingRow, embedding_cache
from core.evaluation.views import View
from core.jobs.errors import JobStopped
from core.pipeline import Pipeline

ALL = [Photo("Ada", 1), Photo("Ada", 2), Photo("Ada", 3), Photo("Bo", 1), Photo("Bo", 2)]
VIEWS = [View("aligned"), View("aligned", 16), View("aligned", 16, "camera"), View("end to end", 24)]


@pytest.fixture(scope="module")
def pictures(photographs: Path) -> list[Picture]:
    return pictures_of_photos(ALL, photographs / "images")


@pytest.fixture()
def store(tmp_path: Path) -> EmbeddingCache:
    return embedding_cache(tmp_path / "embeddings")


@pytest.fixture()
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of pictures that are looked at, as they are."""
    seen: list[str] = []
    real = embedding.show

    def watched(pipeline, picture, views, *others):
        seen.append(f"{picture.name} {len(views)}")
        return real(pipeline, picture, views, *others)

    monkeypatch.setattr(embedding, "show", watched)
    return seen


def test_what_is_kept_is_not_embedded_again(pipeline: Pipeline, pictures, store, counted) -> None:
    system = system_of(pipeline)
    first = embed(system, pictures, VIEWS, RunHooks(store=store))
    assert len(counted) == 5
    again = embed(system, list(reversed(pictures)), VIEWS, RunHooks(store=store))
    assert len(counted) == 5, "nothing was looked at again"
    for view in VIEWS:
        np.testing.assert_array_equal(first[view].vectors, again[view].vectors[::-1])
        np.testing.assert_array_equal(first[view].acquired, again[view].acquired[::-1])
        np.testing.assert_array_equal(first[view].quality, again[view].quality[::-1])
    embed(system, pictures, [*VIEWS, View("aligned", 32)], RunHooks(store=store))
    assert len(counted) == 10 and all(name.endswith(" 1") for name in counted[5:]), "only the new view was made"


def test_with_everything_kept_nothing_is_loaded(pipeline: Pipeline, pictures, store) -> None:
    loaded = system_of(pipeline)
    embed(loaded, pictures, VIEWS[:2], RunHooks(store=store))
    cold = System(
        name=loaded.name,
        encoder_sha256=loaded.encoder_sha256,
        upscaler_name="bicubic",
        upscaler_id="bicubic",
        flip_tta=False,
        key=loaded.key,
        loader=PipelineLoader(lambda: pytest.fail("the pipeline was loaded")),
    )
    got = embed(cold, pictures, VIEWS[:2], RunHooks(store=store))
    assert cold.loader.loaded is None
    assert got[VIEWS[0]].vectors.any()
    assert cold.loader.facts["encoder"] == "edgeface_xxs", "what it is was kept beside the vectors"


def test_other_weights_views_and_seeds_never_meet(pipeline: Pipeline, pictures, store) -> None:
    system = system_of(pipeline)
    keys = {
        str(store.path(embedding._key(system, view, pictures, seed)))
        for view in (*VIEWS, View("end to end"), View("aligned", 24))
        for seed in (0, 1)
    }
    # Only the camera's draws depend on the seed: six views, one of them twice.
    assert len(keys) == 7
    key = embedding._key(system, VIEWS[0], pictures, 0)
    for change in ({"encoder": "f" * 64}, {"flip": True}, {"precision": "bfloat16"}, {"upscaler": "a" * 64}):
        assert store.path({**key, **change}) != store.path(key)


def test_a_damaged_file_is_made_anew(pipeline: Pipeline, pictures, store, counted) -> None:
    system = system_of(pipeline)
    whole = embed(system, pictures, VIEWS[:1], RunHooks(store=store))
    [path] = store.folder.glob("*.db")
    path.write_bytes(b"no database" * 999)
    again = embed(system, pictures, VIEWS[:1], RunHooks(store=store))
    np.testing.assert_array_equal(whole[VIEWS[0]].vectors, again[VIEWS[0]].vectors)
    assert len(counted) == 10


def test_a_stop_keeps_what_was_done(pipeline: Pipeline, pictures, store, counted, monkeypatch) -> None:
    monkeypatch.setattr(embedding, "_BATCH", 2)
    asked = iter([False, True])
    with pytest.raises(JobStopped):
        embed(system_of(pipeline), pictures, VIEWS[:1], RunHooks(store=store, should_stop=lambda: next(asked)))
    first = counted[:2]
    assert len(counted) <= 4, "the pictures after those may have been read ahead"
    embed(system_of(pipeline), pictures, VIEWS[:1], RunHooks(store=store))
    assert len(set(counted)) == 5 and not set(first) & set(counted[2:]), "the first two weren't looked at again"


def test_rows_come_back_as_they_went_in(store: EmbeddingCache) -> None:
    quality = np.arange(len(QUALITY), dtype=np.float32)
    rows = {
        "ab" * 32: EmbeddingRow(True, True, np.array([0.6, 0.8], np.float32), quality),
        "cd" * 32: EmbeddingRow(False, False, None, np.full(len(QUALITY), np.nan, np.float32)),
    }
    store.write({"x": 1}, rows, {"encoder": "some"})
    got = store.read({"x": 1}, [*rows, "ef" * 32])
    assert set(got) == set(rows)
    np.testing.assert_array_equal(got["ab" * 32].vector, np.array([0.6, 0.8], np.float32))
    np.testing.assert_array_equal(got["ab" * 32].quality, quality)
    assert got["cd" * 32].vector is None and not got["cd" * 32].found
    assert store.read({"x": 2}, list(rows)) == {} and store.about({"x": 1})["encoder"] == "some"


def test_a_system_is_known_by_hashes_before_it_is_loaded(random_weights: Path) -> None:
    system = open_system(SystemSpec(weights=str(random_weights), use_tta=True))
    assert len(system.encoder_sha256) == 64 and system.upscaler_id == "bicubic"
    assert system.label == "random, direct feed + flip" and system.loader.loaded is None


def test_end_to_end_needs_photographs(pipeline: Pipeline, pictures) -> None:
    crops = [Picture(p.path, p.identity, p.name, True, p.sha256) for p in pictures]
    with pytest.raises(SettingsInvalid, match="aligned before"):
        embed(system_of(pipeline), crops, [View("end to end")])
    with pytest.raises(SettingsInvalid, match="no VLR of 16 px"):
        embed(system_of(pipeline), crops, [View("aligned", 16, "stored")])


def test_the_datas_hash_knows_pictures_and_names_but_no_order(pictures) -> None:
    assert data_sha256(pictures) == data_sha256(pictures[::-1])
    renamed = [Picture(p.path, "Eve", p.name, p.aligned, p.sha256) for p in pictures]
    assert data_sha256(renamed) != data_sha256(pictures) != data_sha256(pictures[1:])
