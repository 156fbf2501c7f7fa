"""Identify's camera and video without a browser: a session fed with frames, its words, sightings, runs that start."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest
from argon2 import PasswordHasher
from streamlit.testing.v1 import AppTest

from core.access.actor import NOBODY, Actor, acting_as, owner, resolve_with
from core.access.errors import NotAllowed
from core.access.roles import Role
from core.access.users import add_user
from core.gallery.store import Gallery
from core.images import read_image
from core.jobs.run_dir import create_run, list_runs, runs_root
from core.pipeline import PipelineConfig, build_pipeline
from core.settings import load_settings
from core.video.latest_frame_worker import LatestFrameStats
from core.video.live import LiveResult, LiveSettings
from core.video.sightings import LEAST_FRAMES, SightingRule, read_rule, sightings, write_rule
from dashboard.identify import video
from dashboard.identify.camera import LiveSession, speed_text
from dashboard.identify.view import CAMERA, VIDEO
from dashboard.shell import session as access
from tests.app.conftest import OpenPage, button, fill, shown
from tests.app.test_identify import enrol_people


def at(open_page: OpenPage, source: str) -> AppTest:
    app = open_page("identify")
    return app.segmented_control(key="identify_source").set_value(source).run()


def test_frames_fed_in_come_back_with_names_and_threads_end(ready: Path, astronaut: bytes) -> None:
    enrol_people(ready, {"Eileen Collins": astronaut})
    pipeline = build_pipeline(PipelineConfig(device="cpu", gallery_path=ready / "gallery.db"))
    with pipeline.gallery.store:
        write_rule(pipeline.gallery.store, SightingRule(kept=True))
        rgb = read_image(astronaut)
        before = set(threading.enumerate())
        session = LiveSession(pipeline, owner())
        assert (session.on_frame(rgb) == rgb).all(), "nothing is known at the first frame"
        for count in range(4):
            assert session._newest.wait(count, 60)
            drawn = session.on_frame(rgb)
        result = session.result()
        assert [face.recognition.identity for face in result.faces] == ["Eileen Collins"]
        assert drawn.shape == rgb.shape and (drawn != rgb).any()
        session.settings = LiveSettings(reduce_to_px=24)
        assert session._newest.wait(session.stats.worked, 60)
        session.on_frame(rgb)
        assert session._newest.wait(session.stats.worked, 60) or session.result().reduced_to_px == 24
        session.on_end()
        assert session.result() is None and session.error is None
        assert not set(threading.enumerate()) - before


@pytest.mark.parametrize("signed_in", [True, False])
def test_with_accounts_the_thread_logs_sightings_for_whoever_is_signed_in(
    ready: Path, astronaut: bytes, signed_in: bool
) -> None:
    with acting_as(owner()):
        enrol_people(ready, {"Eileen Collins": astronaut})
        quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        add_user(load_settings(), "ada", "four words quite apart", Role.ADMIN, hasher=quick)
        add_user(load_settings(), "vera", "four words quite apart", Role.VIEWER, hasher=quick)
        pipeline = build_pipeline(PipelineConfig(device="cpu", gallery_path=ready / "gallery.db"))
        write_rule(pipeline.gallery.store, SightingRule(kept=True))
    resolve_with(access.current)  # as the running dashboard does
    with acting_as(owner()), pipeline.gallery.store:
        session = LiveSession(pipeline, Actor("vera", Role.VIEWER) if signed_in else NOBODY)
        for count in range(LEAST_FRAMES + 1):
            session.on_frame(read_image(astronaut))
            assert session._newest.wait(count, 60)
        error = session.error
        session.on_end()
        seen = [each.name for each in sightings(pipeline.gallery.store)]
    assert seen == (["Eileen Collins"] if signed_in else [])
    assert error is None if signed_in else isinstance(error, NotAllowed)


def test_the_camera_is_offered_and_says_what_is_kept(open_page: OpenPage, ready: Path) -> None:
    app = at(open_page, CAMERA)
    assert not app.exception
    button(app, "Start the camera")
    assert "Nothing is stored unless" in shown(app)
    app.segmented_control(key="identify_live_size").set_value(16).run()
    assert app.toggle(key="identify_live_small").disabled


def test_speed_is_told_in_one_line() -> None:
    result = LiveResult((), 0.0, (480, 640), {"detect": 40.4, "encode": 9.6})
    stats = LatestFrameStats(submitted=20, worked=9, per_s=9.25, work_ms=60, latency_ms=84.6)
    assert speed_text(stats, 14.8, result) == (
        "9.2 results per second from 14.8 frames per second, 85 ms after each frame: detect 40 ms, encode 10 ms."
    )


def test_sightings_are_switched_on_seen_and_deleted(open_page: OpenPage, ready: Path) -> None:
    fill(ready, "Ada")
    with Gallery.open(ready / "gallery.db") as gallery:
        write_rule(gallery, SightingRule(kept=True))
        with gallery.database.transaction() as connection:
            now = gallery.database.now().isoformat(timespec="milliseconds")
            connection.execute(
                "INSERT INTO sighting(identity_id, began, ended, score, threshold, probe_px, frames, source) "
                "VALUES (?, ?, ?, 0.6, 0.35, 30, 9, 'hall')",
                (gallery.identity("Ada").id, now, now),
            )
    app = AppTest.from_function(_panel, default_timeout=60).run()
    assert not app.exception
    assert list(app.dataframe[0].value["person"]) == ["Ada"]
    app.toggle(key="identify_sightings_crops").set_value(True)
    app.number_input(key="identify_sightings_hours").set_value(5.0)
    button(app, "Save the rule").click().run()
    assert not app.exception
    with Gallery.open(ready / "gallery.db") as gallery:
        assert read_rule(gallery) == SightingRule(kept=True, crops=True, retention_h=5.0)
    button(app, "Delete for good").click().run()
    assert not app.exception and "No sightings yet" in shown(app)


def _panel() -> None:
    from dashboard.identify.sightings import _log, _rule
    from dashboard.shell.resources import gallery

    _rule(gallery())
    _log(gallery())


def test_a_source_that_is_none_starts_nothing(open_page: OpenPage, ready: Path) -> None:
    app = at(open_page, VIDEO)
    assert "No video analysed yet" in shown(app)
    button(app, "Analyse the video").click().run()
    assert "Choose a file or enter an address" in shown(app)
    app.text_input(key="identify_video_address").set_value("file:///etc/passwd")
    button(app, "Analyse the video").click().run()
    assert "address can't begin with" in shown(app).replace("\\", "").replace("\u2060", "")
    assert list_runs(runs_root(load_settings()), "video") == []


def test_a_stream_starts_a_run_whose_config_holds_no_password(
    open_page: OpenPage, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "launch", _created)
    app = at(open_page, VIDEO)
    app.text_input(key="identify_video_address").set_value("rtsp://guard:hunter2@10.0.0.7:554/cam")
    app.number_input(key="identify_video_seconds").set_value(20)
    button(app, "Analyse the video").click().run()
    assert not app.exception
    [run] = list_runs(runs_root(load_settings()), "video")
    assert run.config["seconds"] == 20 and "hunter2" not in (run.path / "config.json").read_text()
    assert "rtsp://guard:...@10.0.0.7:554/cam" in shown(app).replace("\\", "").replace("\u2060", "")


def _created(here, kind, config, slug, files):
    return create_run(runs_root(here), kind, slug, config, files=files)


def test_an_uploaded_film_lies_in_its_run_s_folder_and_nowhere_else(
    open_page: OpenPage, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "launch", _created)
    app = at(open_page, VIDEO)
    app.file_uploader(key="identify_video_file").set_value(("Ada at the door.MP4", b"a film", "video/mp4"))
    button(app, "Analyse the video").click().run()
    assert not app.exception and "Ada at the door.MP4" in shown(app).replace("\\", "").replace("\u2060", "")
    [run] = list_runs(runs_root(load_settings()), "video")
    assert run.config["uploaded"] and (run.path / run.config["source"]).read_bytes() == b"a film"
    assert [path for path in ready.rglob("*") if path.is_file() and path.read_bytes() == b"a film"] == [
        run.path / "upload.mp4"
    ]


def test_a_video_s_table_has_titles_and_no_empty_cells_that_read_none() -> None:
    rows = {"track": [1, 2], "outcome": ["match", "unknown"], "identity": ["Ada", None], "possible": [None, None]}
    shown = video.shown_table(pd.DataFrame({**rows, "score": [0.612, None], "from_s": [0.0, 1.5]}))
    assert list(shown.columns) == ["Face", "Outcome", "Person", "Score", "From (s)"]
    assert shown["Person"].tolist() == ["Ada", ""] and shown["Score"].tolist()[0] == 0.61


def test_a_session_without_frames_has_no_speed(ready: Path) -> None:
    session = LiveSession(None, NOBODY)  # type: ignore[arg-type]  # no frame comes, so no pipeline is asked
    assert session.frames_per_s == 0.0 and session.stats == LatestFrameStats() and session.looked() is None
