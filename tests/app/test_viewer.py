"""Every page for a viewer, with all that it can hold: nothing that writes or exports can be clicked."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import skimage.data
import torch
from argon2 import PasswordHasher
from streamlit.testing.v1 import AppTest

import dashboard.shell.session as access
from core.access.actor import Actor, acting_as, current_actor, owner
from core.access.errors import NotAllowed
from core.access.exports import audited_download
from core.access.roles import Role
from core.access.trail import read_trail
from core.access.users import add_user, change_role, find_user, remove_user
from core.enrolment.drafts import prepare_enrolment
from core.enrolment.enrol import enrol
from core.faces.detect import Detector
from core.gallery.store import Gallery
from core.jobs.run_dir import create_run, runs_root
from core.jobs.state import State, write_state
from core.pipeline import Pipeline, PipelineConfig
from core.settings import load_settings
from core.sr import bicubic
from core.video.sightings import LEAST_FRAMES, SightingRule, sightings, write_rule
from dashboard.identify.camera import LiveSession
from dashboard.shell.downloads import LOCKED
from tests.app.accuracy_runs import Measured
from tests.app.conftest import ROOT, fill, shown
from tests.app.training_runs import record
from tests.made_weights import save_dsr, save_encoder
from tests.unit.recognition.test_attack_check import Mean

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
LOOKING = {
    "All runs",
    "Another face",
    "Sample another camera",
    "All people",
    "Get the weights on Home",
    "Open",
    "Go to Identify",
    "Sign out",
}
"""Buttons that lead elsewhere or change the view alone."""


@pytest.fixture
def full(own_data_dir: Path, measured: Measured) -> dict[str, str]:
    """People, weights, a data set, and ended runs of every kind; their numbers by name."""
    settings = load_settings()
    with acting_as(owner()):
        save_encoder(own_data_dir / "models" / "made.safetensors", {"head": torch.zeros(1)})
        fill(own_data_dir, "Grace Hopper", "Alan Turing")
        add_user(settings, "ada", "four words quite apart", Role.ADMIN, hasher=QUICK)
        add_user(settings, "vera", "four words quite apart", Role.VIEWER, hasher=QUICK)
        (own_data_dir / "datasets").mkdir()
        (own_data_dir / "datasets" / "small").symlink_to(measured.dataset.root)
        done = record(own_data_dir, status="done")
        save_dsr(done.checkpoints / "best" / "upscaler.safetensors")
        return {
            "trained": done.id,
            "failed": record(own_data_dir, status="failed", error=("It failed.", "Try again.")).id,
            "measured": measured.done(settings).id,
            "calibrated": measured.calibrated(settings).id,
        }


def at(page: str, query: dict[str, str] | None = None, who: str = "vera", **state: object) -> AppTest:
    """The dashboard at that address for the viewer, or for somebody else."""
    now = time.time()
    app = AppTest.from_file(str(ROOT / "dashboard" / "Home.py"), default_timeout=120)
    stamp = find_user(load_settings(), who).stamp
    app.session_state["access_signed_in"] = access.SignedIn(who, stamp, now, now)
    for key, value in state.items():
        app.session_state[key] = value
    app.query_params.update(query or {})
    if page:
        app.switch_page(f"../pages/{page}.py")
    assert not app.run().exception
    return app


def offered(app: AppTest) -> set[str]:
    """What can be clicked, chosen or filled in that may write or take something out."""
    found = {each.label for each in app.button if not each.disabled}
    for each in app.get("download_button"):
        assert each.proto.disabled and each.proto.help == LOCKED, each.proto.label
    found |= {f"upload: {each.proto.label}" for each in app.get("file_uploader") if not each.proto.disabled}
    return {label for label in found - LOOKING if not label.startswith("Open ")}


PLACES = {
    "home": ("", {}, {}),
    "enrol": ("enroll", {}, {}),
    "access": ("access", {}, {}),
    "help": ("help", {}, {}),
    "gallery": ("gallery", {}, {}),
    "a person": ("gallery", {}, {"gallery_open": 1}),
    "data sets": ("dataset", {}, {}),
    "a data set": ("dataset", {"set": "small"}, {}),
    "training": ("training", {}, {}),
    "a training": ("training", {"run": "trained"}, {}),
    "a failed training": ("training", {"run": "failed"}, {}),
    "accuracy": ("accuracy", {}, {}),
    "thresholds": ("accuracy", {"accuracy_show": "thresholds"}, {"accuracy_show": "thresholds"}),
    "compare": ("accuracy", {"accuracy_show": "compare"}, {"accuracy_show": "compare"}),
    "a measurement": ("accuracy", {"run": "measured"}, {}),
    "a calibration": ("accuracy", {"run": "calibrated"}, {}),
    "diagnostics": ("diagnostics", {}, {}),
    "map": ("diagnostics", {}, {"diagnostics_section": "map"}),
    "similarity": ("diagnostics", {}, {"diagnostics_section": "similarity"}),
    "gallery health": ("diagnostics", {}, {"diagnostics_section": "gallery"}),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_viewer_finds_nothing_that_writes_or_exports(full, own_data_dir, place):
    page, query, state = PLACES[place]
    before = tree(own_data_dir)
    app = at(page, {key: full.get(value, value) for key, value in query.items()}, **state)
    assert offered(app) == set(), shown(app)
    assert tree(own_data_dir) == before


@pytest.mark.parametrize("place", ["a measurement", "a training", "data sets"])
def test_what_a_viewers_charts_save_is_the_picture_on_the_screen(full, place):
    page, query, state = PLACES[place]
    app = at(page, {key: full.get(value, value) for key, value in query.items()}, **state)
    charts = app.get("plotly_chart")
    assert charts
    for chart in charts:
        config = json.loads(chart.proto.config)
        buttons = {name for group in config.get("modeBarButtons", []) for name in group}
        shut = config.get("displayModeBar") is False or "toImage" in config.get("modeBarButtonsToRemove", [])
        assert shut or buttons == {"toImage"}, chart.proto.id
        assert not {"plotlyServerURL", "showSendToCloud", "showEditInChartStudio", "modeBarButtonsToAdd"} & set(config)


def tree(folder: Path) -> dict[str, int]:
    """The files with their times, but for what is cached and SQLite's own."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and "cache" not in path.parts and not path.name.endswith(("-wal", "-shm"))
    }


@pytest.fixture
def recognising(full, own_data_dir, shared_dir):
    """Real weights in use, a video that was looked at, and a sighting rule."""
    (own_data_dir / "weights").mkdir()
    shutil.copy(shared_dir / "weights" / "edgeface_xxs_q.pt", own_data_dir / "weights")
    (own_data_dir / "models" / "made.safetensors").unlink()
    with acting_as(owner()):
        run = create_run(runs_root(load_settings()), "video", "film", {"source": "film.mp4", "title": "film.mp4"})
        pd.DataFrame({"person": ["Grace Hopper"], "score": [0.5], "threshold": [0.4]}).to_csv(run.path / "faces.csv")
        people = [{"identity": "Grace Hopper", "seconds": 1.0, "score": 0.5}]
        run.write_report({"table": "faces.csv", "looks": 3, "looks_per_s": 1.0, "people": people, "text": "x"})
        write_state(run.path, State("done"))
        with Gallery.open(own_data_dir / "gallery.db") as gallery:
            write_rule(gallery, SightingRule(True, False, 2.0))


@pytest.mark.parametrize("source", ["Photographs", "Camera", "Video or stream"])
def test_a_viewer_identifies_and_starts_no_run(recognising, source):
    app = at("identify", identify_source=source, identify_sightings=True)
    looking = {"upload: Photographs", "upload: First photograph", "upload: Second photograph", "Start the camera"}
    assert offered(app) <= looking, offered(app)
    if source == "Video or stream":
        assert "needs the role operator" in shown(app) and not app.get("download_button")


@pytest.mark.parametrize("show", ["One face", "Many faces"])
def test_a_viewer_inspects_without_measuring_whole_sets(recognising, show):
    app = at("inspector", inspector_show=show)
    walking = {"Previous", "Next", "Sample again", "Train a super-resolution network"}
    assert offered(app) <= walking, offered(app)
    assert show == "One face" or "needs the role operator" in shown(app)


def test_an_operator_downloads_as_long_as_the_role_lasts(full, own_data_dir):
    settings = load_settings()
    with acting_as(owner()):
        add_user(settings, "otto", "four words quite apart", Role.OPERATOR, hasher=QUICK)
    app = at("accuracy", {"run": full["measured"]}, who="otto")
    assert [each.proto.disabled for each in app.get("download_button")].count(False) >= 2
    otto = Actor("otto", Role.OPERATOR)
    with acting_as(otto):
        give = audited_download(settings, "report", lambda: b"x", again=access.as_of_now)
    assert give() == b"x"
    with acting_as(owner()):
        assert read_trail(settings, 1)[0].actor == "otto"
    with acting_as(owner()):
        change_role(settings, "otto", Role.VIEWER)
    with pytest.raises(NotAllowed):
        give()
    with acting_as(owner()):
        remove_user(settings, "otto")
    assert access.as_of_now(otto).role is None


def test_what_a_viewers_camera_sees_is_logged_by_the_rule_from_the_videos_own_thread(full):
    """That thread has no session which says who looks: it works for whoever started the camera."""
    seen: list[object] = []
    with Gallery.open(":memory:") as gallery:
        pipeline = Pipeline(PipelineConfig(), Mean(), bicubic(), Detector(), gallery)
        rgb = skimage.data.astronaut()
        with acting_as(owner()):
            enrol(pipeline, "Ada", prepare_enrolment(pipeline, [rgb], ["a.png"]))
            write_rule(gallery, SightingRule(True, False, 2.0))
        with acting_as(Actor("vera", Role.VIEWER)):
            look = LiveSession(pipeline, current_actor())._worker()
        thread = threading.Thread(target=lambda: seen.extend(look(rgb) for _ in range(LEAST_FRAMES)))
        thread.start()
        thread.join()
        assert len(seen) == LEAST_FRAMES and [each.name for each in sightings(gallery)] == ["Ada"]
