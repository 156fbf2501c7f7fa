"""Live identification on real frames: steady names, one batch a frame, thresholds by size, a simulated distance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.images import resize
from core.video.draw import draw, draw_result, label_of
from core.video.live import EMBED_EVERY_S, FACES_A_FRAME, LiveIdentifier, LiveSettings
from core.video.synthetic_clip import actors, clip_frames, drawn_people, frame_at


@pytest.fixture(scope="module")
def group(portrait) -> np.ndarray:
    """Two faces, the left one twice as large."""
    frame = np.full((512, 800, 3), 90, np.uint8)
    frame[:, :512] = portrait
    frame[100:356, 530:786] = resize(portrait[:, ::-1], 256)
    return frame


def test_a_face_is_named_by_its_frames_together(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    pipeline.gallery.add("Eileen", pipeline.infer_embedding(portrait))
    identifier = LiveIdentifier(pipeline)
    for number in range(4):
        result = identifier.look(portrait, 0.1 * number)
    [face] = result.faces
    assert (face.number, face.frames, face.fresh) == (1, 4, True)
    assert (face.recognition.outcome, face.recognition.identity) == ("match", "Eileen")
    assert face.recognition.score == pytest.approx(1, abs=1e-3)
    assert label_of(face) == "1 Eileen 1.00"
    assert set(result.timings_ms) == {"detect", "align and enlarge", "encode", "search"}
    x0, y0, x1, y1 = face.share
    assert 0 < x0 < x1 < 1 and 0 < y0 < y1 < 1


def test_all_faces_of_a_frame_are_embedded_in_one_batch(make_pipeline, group, monkeypatch) -> None:
    pipeline = make_pipeline()
    batches: list[int] = []
    embed = pipeline.embed
    monkeypatch.setattr(pipeline, "embed", lambda probes: batches.append(len(probes)) or embed(probes))
    result = LiveIdentifier(pipeline).look(group, 0.0)
    assert batches == [2]
    assert [face.number for face in result.faces] == [1, 2]
    assert result.faces[0].recognition.probe_px > result.faces[1].recognition.probe_px


def test_each_face_is_judged_by_the_threshold_of_its_own_size(make_pipeline, group, monkeypatch) -> None:
    pipeline = make_pipeline()
    asked: list[float] = []
    judge = pipeline.judge
    monkeypatch.setattr(pipeline, "judge", lambda p, v, sizes, **how: asked.extend(sizes) or judge(p, v, sizes, **how))
    result = LiveIdentifier(pipeline).look(group, 0.0)
    assert asked == pytest.approx([face.recognition.probe_px for face in result.faces])


def test_of_many_faces_those_that_waited_longest_are_embedded_and_none_waits_half_a_second(make_pipeline) -> None:
    identifier = LiveIdentifier(make_pipeline())
    cast = actors(drawn_people(7), size_px=40)
    frame = frame_at(cast, 0.0)
    last: dict[int, float] = {}
    for step in range(12):
        at = step / 10
        result = identifier.look(frame, at)
        fresh = [face.number for face in result.faces if face.fresh]
        assert len(fresh) <= max(FACES_A_FRAME, sum(at - last.get(n, -9) > EMBED_EVERY_S for n in range(1, 9)))
        last.update(dict.fromkeys(fresh, at))
        assert all(at - last.get(face.number, at - 0.3) <= 0.5 for face in result.faces)
    assert len(result.faces) >= 6


def test_another_person_in_the_same_place_loses_the_name_within_two_frames(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    pipeline.gallery.add("Eileen", pipeline.infer_embedding(portrait))
    vectors = {"now": pipeline.infer_embedding(portrait).numpy()}
    pipeline.embed = lambda probes: np.stack([vectors["now"] for _ in probes])
    identifier = LiveIdentifier(pipeline)
    for number in range(5):
        identifier.look(portrait, 0.1 * number)
    other = np.random.default_rng(5).normal(size=512)
    other -= (other @ vectors["now"]) * vectors["now"]
    vectors["now"] = (other / np.linalg.norm(other)).astype(np.float32)
    assert identifier.look(portrait, 0.5).faces[0].recognition.identity == "Eileen"
    assert identifier.look(portrait, 0.6).faces[0].recognition.outcome == "unknown"


def test_a_simulated_distance_starts_from_small_frames_and_can_be_changed(make_pipeline, portrait) -> None:
    identifier = LiveIdentifier(make_pipeline(), LiveSettings(reduce_to_px=24))
    small = identifier.look(portrait, 0.0).faces[0].recognition
    assert small.size_px == 24 and small.probe.crop.shape[0] == pytest.approx(24, abs=3)
    assert max(small.probe.frame_shape) < 200
    identifier.settings = LiveSettings()
    [large] = identifier.look(portrait, 0.1).faces
    assert large.recognition.probe_px > 90 and large.frames == 1


def test_an_empty_frame_has_no_faces(make_pipeline) -> None:
    result = LiveIdentifier(make_pipeline()).look(np.full((240, 320, 3), 99, np.uint8), 0.0)
    assert result.faces == () and result.shape == (240, 320)


def test_drawing_leaves_the_frame_alone_and_marks_the_face(make_pipeline, portrait) -> None:
    before = portrait.copy()
    result = LiveIdentifier(make_pipeline(), LiveSettings(reduce_to_px=16)).look(portrait, 0.0)
    drawn = draw_result(portrait, result)
    assert (portrait == before).all() and drawn.shape == portrait.shape
    x0, y0, _, _ = (round(edge * 512) for edge in result.faces[0].share)
    assert (drawn[y0 : y0 + 6, x0 : x0 + 40] != portrait[y0 : y0 + 6, x0 : x0 + 40]).any()
    assert (drawn[4:6, 6:60] == 255).all(), "the small face has a white frame in the corner"
    assert (draw_result(portrait, None) == portrait).all()
    assert (draw(portrait, ()) == portrait).all()


def test_a_clip_shows_its_faces_at_the_size_asked_for() -> None:
    from core.faces.align import probe_px
    from core.faces.detect import Detector

    frames = list(clip_frames(actors(drawn_people(2), size_px=64), 0.2, rate=10))
    assert len(frames) == 2 and frames[0].shape == (480, 640, 3)
    sizes = [probe_px(face.landmarks) for face in Detector().detect(frames[1])]
    assert sizes == pytest.approx([64, 64], rel=0.15)


def test_one_name_at_two_faces_of_a_frame_stays_with_the_better_one(make_pipeline, group) -> None:
    pipeline = make_pipeline()
    e = pipeline.infer_embedding(group).numpy()
    pipeline.gallery.add("Eileen", e)
    away = np.roll(e, 1)
    away = away - (away @ e) * e
    less = 0.8 * e + 0.6 * away / np.linalg.norm(away)
    pipeline.embed = lambda probes: np.stack([e if probe.probe_px > 80 else less for probe in probes])
    result = LiveIdentifier(pipeline).look(group, 0.0)
    first, second = result.faces
    assert (first.recognition.outcome, first.recognition.identity) == ("match", "Eileen")
    assert (second.recognition.outcome, second.recognition.possible) == ("repeat", ("Eileen",))
    assert label_of(second) == "2 Eileen again? 0.80"
    long = replace(second.recognition, possible=("Maximiliane Wilhelmine von und zu Hohenfels",))
    assert label_of(replace(second, recognition=long)) == "2 Maximiliane W… again? 0.80"


def test_a_tie_is_drawn_with_both_names_and_no_other(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    long = "Maximiliane Wilhelmine von und zu Hohenfels"
    for name in (long, "Zita"):
        pipeline.gallery.add(name, pipeline.infer_embedding(portrait))
    [face] = LiveIdentifier(pipeline).look(portrait, 0.0).faces
    assert (face.recognition.outcome, face.recognition.identity) == ("tie", None)
    assert label_of(face) == "1 Maximiliane W… or Zita? 1.00"
