"""The job: a clip becomes a table and an annotated film; a row for each face, judged by the majority of its looks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.enrolment.drafts import prepare_enrolment
from core.enrolment.enrol import enrol
from core.errors import SettingsInvalid
from core.faces.quality import Quality
from core.gallery.store import Gallery
from core.jobs.context import JobContext
from core.jobs.errors import JobStopped
from core.jobs.run_dir import create_run, delete_run, runs_root
from core.jobs.state import write_state
from core.pipeline import PipelineConfig, build_pipeline
from core.recognition.results import Probe, Recognition
from core.settings import load_settings
from core.video import job
from core.video.appearances import Appearances
from core.video.live import LiveFace, LiveResult
from core.video.sightings import SightingRule, sightings, write_rule
from core.video.sources import SourceUnusable, frames_of_file, source_of


@pytest.fixture
def context(clip: Path, portrait: np.ndarray, random_weights: Path, monkeypatch):
    """A context for the clip, with its person enrolled. Random weights pass for healthy ones."""
    from core.encoder import encode

    monkeypatch.setattr(encode, "require_healthy", lambda *_: None)
    settings = load_settings()
    pipeline = build_pipeline(PipelineConfig(weights=random_weights, skip_dsr=True, gallery_path=settings.gallery_path))
    enrol(pipeline, "Eileen", prepare_enrolment(pipeline, [portrait], ["one"]))
    pipeline.gallery.store.close()

    def make(should_stop=lambda: False, files=None, **changes) -> JobContext:
        config = {
            "source": str(clip),
            "seconds": 1.0,
            "looks_per_s": 5,
            "annotate": True,
            "keep_faces": True,
            "weights": str(random_weights),
            "skip_dsr": True,
            "gallery": str(settings.gallery_path),
            **changes,
        }
        run = create_run(runs_root(settings), "video", "clip", config, files=files)
        told: list[tuple[str, dict]] = []
        made = JobContext(run, config, lambda kind, /, **data: told.append((kind, data)), should_stop, False)
        object.__setattr__(made, "told", told)
        return made

    return make


def test_a_clip_becomes_a_table_a_film_and_a_report(context) -> None:
    here = context(log_sightings=True)
    with Gallery.open(here.config["gallery"]) as gallery:
        write_rule(gallery, SightingRule(kept=True))
    report = job.run(here)
    table = pd.read_csv(here.run.path / report["table"])
    assert list(table["outcome"]) == ["match"] and list(table["identity"]) == ["Eileen"]
    assert table["looks"][0] == report["looks"] == 5
    assert (report["gallery_size"], report["elsewhere"]) == (1, 0) and "re-embed" not in report["text"]
    assert table["to_s"][0] == pytest.approx(0.8) and table["score"][0] > 0.9
    assert report["people"][0]["identity"] == "Eileen" and report["counts"] == {
        "match": 1,
        "unknown": 0,
        "unrecognisable": 0,
    }
    film = list(frames_of_file(source_of(str(here.run.path / report["video"]))))
    assert len(film) == 10 and film[0].rgb.shape == (480, 640, 3)
    assert [path.name for path in (here.run.path / "faces").iterdir()] == ["1.png"]
    with Gallery.open(here.config["gallery"]) as gallery:
        assert [each.name for each in sightings(gallery)] == ["Eileen"]


def test_a_visitor_s_film_is_looked_at_in_the_run_s_folder_and_goes(context, clip) -> None:
    here = context(
        files={"upload.mp4": clip.read_bytes()}, source="upload.mp4", uploaded=True, seconds=0.3, annotate=False
    )
    assert job.run(here)["looks"] >= 1
    assert not list(here.run.path.glob("upload*"))


def test_a_visitor_s_film_goes_with_a_run_that_failed(context, clip) -> None:
    here = context(files={"upload.mp4": b"no film"}, source="upload.mp4", uploaded=True)
    with pytest.raises(SourceUnusable):
        job.run(here)
    assert (here.run.path / "upload.mp4").exists(), "it is needed to resume"
    write_state(here.run.path, replace(here.run.state(), status="failed"))
    delete_run(here.run)
    assert not list(load_settings().data_dir.rglob("*upload*"))


def test_a_file_that_is_stopped_leaves_no_half_film(context) -> None:
    looks = iter([False, False, True])
    here = context(lambda: next(looks, True))
    with pytest.raises(JobStopped):
        job.run(here)
    assert not list(here.run.path.glob("*.mp4")) and not list(here.run.path.glob(".*part"))


def test_a_rate_that_makes_no_sense_is_refused(context) -> None:
    with pytest.raises(SettingsInvalid, match="looks_per_s"):
        job.run(context(looks_per_s=1000))


def result_of(at: float, *faces: tuple[int, str, str | None, float | None]) -> LiveResult:
    crop = np.zeros((24, 24, 3), np.uint8)
    probe = Probe(crop, crop, crop, 24.0, 24, Quality(24.0, 1.0, 100.0, 40.0), (), None, (480, 640), "bicubic")
    made = [
        LiveFace(number, (0, 0, 0.1, 0.1), Recognition(outcome, "", identity, score, 0.35, probe=probe), 1, True)
        for number, outcome, identity, score in faces
    ]
    return LiveResult(tuple(made), at, (480, 640), {})


def test_a_face_is_what_most_of_its_looks_say() -> None:
    seen = Appearances()
    for at, (identity, score) in enumerate([("Ada", 0.5), ("Ben", 0.9), ("Ada", 0.7), ("Ada", 0.6)]):
        seen.add(result_of(float(at), (1, "match", identity, score)))
    [row] = seen.table().to_dict("records")
    assert (row["identity"], row["score"], row["agreement"], row["looks"]) == ("Ada", 0.6, 0.75, 4)
    assert (row["from_s"], row["to_s"]) == (0.0, 3.0)
    assert seen.people() == [{"identity": "Ada", "seconds": 3.0, "from_s": 0.0, "to_s": 3.0, "score": 0.6, "tracks": 1}]


def test_a_tie_stands_in_the_table_with_its_names_and_names_nobody() -> None:
    seen = Appearances()
    for at in (0.0, 1.0):
        result = result_of(at, (1, "tie", None, 0.7))
        [face] = result.faces
        tie = replace(face, recognition=replace(face.recognition, possible=("Ada", "Ben")))
        seen.add(replace(result, faces=(tie,)))
    [row] = seen.table().to_dict("records")
    assert (row["outcome"], row["identity"], row["possible"]) == ("tie", None, "Ada; Ben")
    assert seen.people() == []


@pytest.mark.parametrize(("asked", "used"), [({}, 0.35), ({"threshold": 0}, 0.0), ({"threshold": -1}, -1.0)])
def test_a_threshold_that_was_asked_for_stays_also_zero(context, asked, used) -> None:
    here = context(annotate=False, keep_faces=False, **asked)
    job.run(here)
    assert set(pd.read_csv(here.run.path / job.TABLE)["threshold"]) == {used}


def test_the_margin_of_a_tie_is_a_setting_of_the_run(context, portrait) -> None:
    here = context(annotate=False, tie_margin=1.0)
    pipeline = build_pipeline(
        PipelineConfig(weights=here.config["weights"], skip_dsr=True, gallery_path=here.config["gallery"])
    )
    [[candidate]] = pipeline.gallery.search(pipeline.embed(pipeline.find(portrait)), k=1)
    [template, *_] = pipeline.gallery.store.templates(candidate.name)
    alike = template.vector + 0.5 * np.eye(512)[0]
    pipeline.gallery.add("Zita", alike / np.linalg.norm(alike))
    pipeline.gallery.store.close()
    assert job.run(here)["counts"] == {"match": 0, "tie": 1, "unknown": 0, "unrecognisable": 0}
    assert job.run(context(annotate=False))["counts"]["match"] == 1


def test_a_pattern_seen_once_is_left_out_and_nobody_gives_an_empty_table() -> None:
    seen = Appearances()
    assert seen.table().empty and seen.table().columns[0] == "track" and seen.people() == []
    seen.add(result_of(0.0, (1, "unknown", None, 0.1), (2, "match", "Ada", 0.5)))
    assert list(seen.table()["track"]) == [2]


def test_a_long_video_keeps_no_pictures_unless_asked() -> None:
    seen = Appearances()
    for at in range(300):
        seen.add(result_of(at / 10, (1, "match", "Ada", 0.5)))
    assert list(seen.faces()) == []
    [track] = seen._tracks.values()
    assert all(told.probe.crop.size == 0 for kept in track.recognitions.values() for told in kept)
