"""What an operator may name: folders of this installation and listed ones, public addresses and listed ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.access.actor import Actor, acting_as
from core.access.errors import NotAllowed
from core.access.places import require_host, require_path, require_places
from core.access.roles import Role
from core.dataset.errors import SourceInvalid
from core.dataset.scan import scan
from core.jobs.errors import JobError
from core.jobs.launch import launch, resume
from core.jobs.run_dir import create_run, list_runs, runs_root
from core.jobs.state import write_state
from core.settings import PROJECT_ROOT, load_settings
from core.video.stream_credentials import store_address

OPERATOR, ADMIN = Actor("otto", Role.OPERATOR), Actor("ada", Role.ADMIN)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    (tmp_path / "listed").mkdir()
    (tmp_path / "listed" / "away").symlink_to("/etc")
    monkeypatch.setenv("EDGEFACE_FOLDERS", str(tmp_path / "listed"))
    return tmp_path / "listed"


def test_an_operator_names_folders_of_the_installation_and_listed_ones(own_data_dir, listed):
    settings = load_settings()
    inside = [
        own_data_dir / "datasets" / "faces",
        own_data_dir / "runs" / "x" / "film.mp4",
        settings.gallery_path,
        settings.models_dir / "dsr.safetensors",
        listed,
        listed / "people",
    ]
    outside = [
        "/etc/passwd",
        "/",
        own_data_dir,
        own_data_dir / "users.json",
        own_data_dir / "x" / ".." / "access.db",
        listed / "..",
        listed / "away" / "passwd",
        f"{listed}-beside",
        "~",
        PROJECT_ROOT / "data",
    ]
    for path in inside:
        with acting_as(OPERATOR):
            require_path(settings, type(listed)(path))
    for path in outside:
        with acting_as(OPERATOR), pytest.raises(NotAllowed, match="Only an admin"):
            require_path(settings, type(listed)(path))
        with acting_as(ADMIN):
            require_path(settings, type(listed)(path))


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://127.0.0.1:554/x",
        "http://localhost/x",
        "http://169.254.169.254/latest/meta-data",
        "rtsp://10.0.0.7/x",
        "rtsp://user:word@192.168.7.20/x",
        "http://[::1]/x",
        "http://[::ffff:10.0.0.7]/x",
        "http://[fe80::1]/x",
        "http://0/x",
        "http://2130706433/x",
        "udp://224.0.0.1:5000",
        "http://",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::a00:7]/",
        "http://[2002:7f00:1::]/",
        "http://[fec0::1]/",
        "http://[fd00::1]/",
        "http://localhost./",
        "http://user@127.0.0.1/",
        "http://127.0.0.1\\@1.1.1.1/",
        "rtmp://1.1.1.1 tcUrl=rtmp://10.0.0.7/",
        "http://①②⑦.⓪.⓪.①/",
    ],
)
def test_an_operator_names_no_private_address_unless_it_is_listed(address, monkeypatch):
    with acting_as(OPERATOR), pytest.raises(NotAllowed, match="Only an admin"):
        require_host(address)
    with acting_as(ADMIN):
        require_host(address)
    monkeypatch.setenv("EDGEFACE_HOSTS", "192.168.7.0/24, localhost")
    for allowed in ("rtsp://192.168.7.20/x", "http://LOCALHOST:8080/x", "https://1.1.1.1/x"):
        with acting_as(OPERATOR):
            require_host(allowed)


@pytest.mark.parametrize(
    "address", ["rtsp://user:word@10.0.0.7/x", "http://127.0.0.1:8501/?token=x", "rtsp://10.0.0.7/x"]
)
def test_an_address_with_a_password_is_put_away_for_who_may_name_it(own_data_dir, address):
    with acting_as(OPERATOR), pytest.raises(NotAllowed, match="Only an admin"):
        store_address(load_settings(), address)
    assert not (own_data_dir / "cameras.json").exists()


def test_links_and_tables_in_a_listed_folder_lead_nowhere_else(own_data_dir, listed, tmp_path):
    private = tmp_path / "private" / "Somebody"
    private.mkdir(parents=True)
    Image.new("RGB", (120, 120)).save(private / "a.png")
    (listed / "linked").mkdir()
    (listed / "linked" / "Somebody").symlink_to(private)
    (listed / "table.csv").write_text(f"path,identity\n{private}/a.png,Somebody\n")
    for source in (listed / "linked", listed / "table.csv"):
        with acting_as(OPERATOR), pytest.raises((NotAllowed, SourceInvalid)):
            scan(source)
    with acting_as(ADMIN):
        assert len(scan(listed / "table.csv").frame) == 1


def test_a_run_starts_with_places_that_its_starter_may_name(own_data_dir):
    settings = load_settings()
    for config in (
        {"address": "rtsp://10.0.0.7/x"},
        {"systems": [{"weights": "/etc/passwd"}]},
        {"images": "core/../../.."},
        {"photographs": Path("/etc")},
    ):
        with acting_as(OPERATOR):
            with pytest.raises(NotAllowed):
                launch(settings, "evaluate", config, slug="x")
            require_places(
                settings, {"address": "/dev/video0", "title": "A/B", "size": 3, "out": str(own_data_dir / "runs" / "x")}
            )
    assert list_runs(runs_root(settings)) == []


def test_a_run_goes_on_with_places_that_whoever_resumes_it_may_name(own_data_dir):
    settings = load_settings()
    with acting_as(ADMIN):
        run = create_run(runs_root(settings), "evaluate", "x", {"images": "/etc"})
        write_state(run.path, replace(run.state(), status="stopped"))
    with acting_as(OPERATOR), pytest.raises(NotAllowed, match="/etc"):
        resume(run, settings)
    assert run.state().status == "stopped"


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "..", ""])
def test_a_file_of_a_run_stays_in_its_folder(own_data_dir, name):
    with pytest.raises(JobError, match="can't name a file"):
        create_run(runs_root(load_settings()), "video", "x", {}, files={name: b"x"})
    assert list_runs(runs_root(load_settings())) == []
