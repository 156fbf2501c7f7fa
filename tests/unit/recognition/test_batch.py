"""Many files at once: the same decisions as one by one, in order, and a bad file stops nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.pipeline import Pipeline, PipelineConfig, build_pipeline
from core.recognition.batch import recognise_files

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def pipeline(shared_dir: Path) -> Pipeline:
    pipeline = build_pipeline(PipelineConfig(weights=shared_dir / "weights" / "edgeface_xxs_q.pt", precision="float32"))
    for name in ("Colin_Powell", "Tony_Blair"):
        photograph = shared_dir / "data" / "lfw" / "images" / name / f"{name}_0001.jpg"
        pipeline.gallery.add(name, pipeline.infer_embedding(photograph))
    return pipeline


@pytest.fixture(scope="module")
def photographs(shared_dir: Path) -> list[Path]:
    images = shared_dir / "data" / "lfw" / "images"
    return [images / name / f"{name}_000{i}.jpg" for i in (2, 3) for name in ("Colin_Powell", "Tony_Blair")]


@pytest.mark.parametrize("reduce_to_px", [None, 24])
@pytest.mark.parametrize("batch", [1, 3, 32])
def test_batches_decide_as_single_runs_do(pipeline, photographs, batch, reduce_to_px):
    results = list(recognise_files(pipeline, photographs, batch=batch, reduce_to_px=reduce_to_px))
    assert [result.path for result in results] == photographs
    for result in results:
        [face] = result.faces
        alone = pipeline.run(result.path, reduce_to_px=reduce_to_px)
        assert (face.outcome, face.identity) == (alone.outcome, alone.identity)
        assert face.score == pytest.approx(alone.score, abs=1e-4)
        assert result.error is None


def test_a_file_that_cannot_be_read_stands_in_its_place_and_stops_nobody(pipeline, photographs, tmp_path):
    letter, missing = tmp_path / "letter.jpg", tmp_path / "missing.jpg"
    letter.write_text("no photograph")
    mixed = [letter, photographs[0], missing, tmp_path, photographs[1]]
    results = list(recognise_files(pipeline, mixed, batch=2))
    assert [result.path for result in results] == mixed
    assert [result.error is not None for result in results] == [True, False, True, True, False]
    assert [result.faces[0].identity for result in results if not result.error] == ["Colin_Powell", "Tony_Blair"]


def test_a_photograph_without_a_face_is_unrecognisable(pipeline, tmp_path):
    Image.new("RGB", (200, 200), (90, 90, 90)).save(tmp_path / "grey.png")
    [result] = recognise_files(pipeline, [tmp_path / "grey.png"])
    [face] = result.faces
    assert (face.outcome, face.identity, face.probe) == ("unrecognisable", None, None)
    assert "no face" in face.reason


def test_every_face_of_a_group_comes_with_the_first_one_first(pipeline, photographs, tmp_path):
    left, right = (np.asarray(Image.open(path).convert("RGB")) for path in photographs[:2])
    Image.fromarray(np.hstack([left, right])).save(tmp_path / "group.png")
    [result] = recognise_files(pipeline, [tmp_path / "group.png"], every=True)
    assert {"Colin_Powell", "Tony_Blair"} <= {face.identity for face in result.faces}
    [alone] = recognise_files(pipeline, [tmp_path / "group.png"])
    assert len(alone.faces) == 1
    assert alone.faces[0].identity == result.faces[0].identity


def test_one_name_is_once_in_each_photograph_and_again_in_the_next(pipeline, photographs, tmp_path):
    first, second = (np.asarray(Image.open(path).convert("RGB")) for path in (photographs[0], photographs[2]))
    for name in ("a.png", "b.png"):
        Image.fromarray(np.hstack([first, second])).save(tmp_path / name)
    results = list(recognise_files(pipeline, [tmp_path / "a.png", tmp_path / "b.png"], every=True))
    for result in results:
        told = sorted(face.title for face in result.faces if face.outcome != "unknown")
        assert told == ["Colin_Powell", "Colin_Powell again?"]
    assert [face.title for face in pipeline.run_all(tmp_path / "a.png")] == [face.title for face in results[0].faces]


def test_nothing_gives_nothing(pipeline):
    assert list(recognise_files(pipeline, [])) == []
