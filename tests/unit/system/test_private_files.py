"""What the command, a worker and the dashboard leave behind is for its owner alone, whatever the umask was."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from core.diagnostics.doctor import check_private
from core.images import encode_image
from core.jobs.run_dir import create_run, runs_root
from core.settings import PROJECT_ROOT, load_settings
from core.system.private_files import make_private, open_to_others

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


def run_with_wide_umask(*arguments: str) -> None:
    """A process of its own, begun as a shell would begin it: what it makes is readable by everybody by default."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT_ROOT,
        umask=0o022,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def test_a_command_and_the_run_that_it_starts_leave_nothing_readable_by_others(own_data_dir, tmp_path, portrait):
    own_data_dir.chmod(0o755)
    (tmp_path / "in" / "Eileen").mkdir(parents=True)
    (tmp_path / "in" / "Eileen" / "1.png").write_bytes(encode_image(portrait, "png"))
    run_with_wide_umask("-m", "core", "dataset", "ingest", str(tmp_path / "in"))
    run_with_wide_umask("-m", "core", "users", "list")
    made = names(own_data_dir)
    assert {"events.jsonl", "output.log", "state.json", "checkpoints", "access.db", "datasets"} <= made, made
    assert open_to_others([own_data_dir]) == []


def test_a_worker_started_by_itself_does_too(own_data_dir, monkeypatch):
    monkeypatch.setenv("EDGEFACE_ACTOR", "local")
    monkeypatch.setenv("EDGEFACE_ROLE", "admin")
    earlier = os.umask(0o022)
    try:
        config = {"out": str(own_data_dir / "datasets" / "demo"), "identities": 2, "images": 2}
        run = create_run(runs_root(load_settings()), "demo", "demo", config)
    finally:
        os.umask(earlier)
    run_with_wide_umask("-m", "core.jobs.worker", str(run.path))
    assert run.state().status == "done"
    assert not [path for path in open_to_others([own_data_dir]) if path.is_file()]
    assert open_to_others([own_data_dir / "datasets"]) == []


def test_the_dashboard_s_first_page_makes_its_process_private(own_data_dir):
    own_data_dir.chmod(0o755)
    code = (
        "from streamlit.testing.v1 import AppTest\n"
        "AppTest.from_file('dashboard/Home.py', default_timeout=120).run()\n"
        "from core.models.active_file import write_active\n"
        "from core.settings import load_settings\n"
        "write_active(load_settings(), retention=None)\n"
        "(load_settings().data_dir / 'cache').mkdir()\n"
        "(load_settings().data_dir / 'cache' / 'film.mp4').write_bytes(b'1')\n"
    )
    run_with_wide_umask("-c", code)
    assert {"gallery.db", "film.mp4", "active.json"} <= names(own_data_dir)
    assert open_to_others([own_data_dir]) == []


def test_what_is_there_from_before_is_repaired_and_counted(own_data_dir, tmp_path):
    photograph = tmp_path / "mine.jpg"
    photograph.write_bytes(b"a photograph of the operator's own")
    photograph.chmod(0o644)
    folder = own_data_dir / "runs" / "video"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    for name, mode in (("film.mp4", 0o644), ("state.json", 0o600), ("script.sh", 0o755)):
        (folder / name).write_bytes(b"1")
        (folder / name).chmod(mode)
    os.link(folder / "film.mp4", folder / "again.mp4")
    os.link(photograph, folder / "linked.jpg")
    (folder / "link").symlink_to(photograph)
    (own_data_dir / "runs").chmod(0o700)
    row = check_private(load_settings())
    assert row.state == "ok" and "4 files and folders" in row.detail, row.detail
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {
        "film.mp4": 0o600,
        "again.mp4": 0o600,
        "state.json": 0o600,
        "script.sh": 0o700,
        "linked.jpg": 0o644,
        "link": 0o644,
    }
    assert "removed" not in check_private(load_settings()).detail, "nothing is left to repair"
    assert make_private([own_data_dir]).count == 0


def test_no_code_sets_wider_permissions():
    """The one function that sets permissions takes some away."""
    found = [
        path.relative_to(PROJECT_ROOT).as_posix()
        for folder in ("core", "dashboard", "pages")
        for path in (PROJECT_ROOT / folder).rglob("*.py")
        if any(
            word in path.read_text()
            for word in ("chmod(", "0o6" + "44", "0o7" + "55", "copymode", "copystat", "copy2(")
        )
    ]
    assert found == ["core/system/private_files.py"]
