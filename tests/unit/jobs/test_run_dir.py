"""Run folders: whole or not there, found by what people type, never removed while at work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StorageFailed
from core.jobs import processes
from core.jobs.errors import JobError, RunNotFound
from core.jobs.json_values import json_value, to_json
from core.jobs.processes import is_alive, process_start
from core.jobs.run_dir import create_run, delete_run, find_run, list_runs, slugged
from core.jobs.state import State, locked, read_state, stored_state, write_state

AT = datetime(2026, 11, 24, 3, 4, 5, 678_000, tzinfo=UTC)


def ended(run, status="done") -> None:
    with locked(run.path):
        write_state(run.path, State(status))


@pytest.fixture()
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_new_run_has_its_config_and_is_queued_by_its_maker(tmp_path):
    run = create_run(tmp_path, "ingest", "LFW, all of it!", {"source": Path("/a"), "sizes": (16, 24)}, at=AT)
    assert run.path == tmp_path / "ingest" / "20261124T030405678Z-lfw-all-of-it"
    assert run.created == AT and run.kind == "ingest" and run.root == tmp_path
    assert run.config == {"source": "/a", "sizes": [16, 24]}
    state = run.state()
    assert (state.status, state.pid, state.attempts, state.live) == ("queued", os.getpid(), 1, True)
    assert run.checkpoints.is_dir() and run.report is None
    assert sorted(path.name for path in (tmp_path / "ingest").iterdir()) == [run.name]


def test_runs_of_one_moment_get_names_of_their_own_in_order(tmp_path):
    runs = [create_run(tmp_path, "ingest", "x", {"n": n}, at=AT) for n in range(5)]
    assert len({run.path for run in runs}) == 5
    assert [run.config["n"] for run in list_runs(tmp_path)] == [4, 3, 2, 1, 0]


def test_threads_that_make_runs_at_once_each_get_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: create_run(tmp_path, "ingest", "x", {"n": n}, at=AT), range(16)))
    assert [run.config["n"] for run in runs] == list(range(16))
    assert len(list_runs(tmp_path)) == 16


def test_listing_passes_over_what_is_no_run(tmp_path):
    assert list_runs(tmp_path / "nowhere") == []
    run = create_run(tmp_path, "ingest", "x", {}, at=AT)
    other = create_run(tmp_path, "build", "y", {})
    (tmp_path / "ingest" / ".new-abc").mkdir()
    (tmp_path / "ingest" / ".new-abc" / "config.json").write_text("{}")
    (tmp_path / "ingest" / "20261124T030405679Z-empty").mkdir()
    (tmp_path / "note.txt").write_text("x")
    assert list_runs(tmp_path) == [other, run]
    assert list_runs(tmp_path, "ingest") == [run]
    assert list_runs(tmp_path, "*") == list_runs(tmp_path, "../x") == []


def test_a_run_is_found_by_what_people_type(tmp_path):
    run = create_run(tmp_path, "ingest", "lfw", {}, at=AT)
    other = create_run(tmp_path, "ingest", "olivetti", {})
    for text in (run.id, run.name, "lfw", "20261124T0304"):
        assert find_run(tmp_path, text) == run
    assert find_run(tmp_path, "last") == other
    with pytest.raises(RunNotFound, match="2 runs match"):
        find_run(tmp_path, "ingest")
    for text in ("", " ", "nothing", "../..", str(run.path)):
        with pytest.raises(RunNotFound, match="no run"):
            find_run(tmp_path, text)


@pytest.mark.parametrize("kind", ["", "../x", "Ingest", "a/b", ".x", "1"])
def test_a_kind_that_could_leave_the_folder_is_refused(tmp_path, kind):
    with pytest.raises(JobError):
        create_run(tmp_path, kind, "x", {})
    assert list(tmp_path.iterdir()) == []


def test_a_config_without_a_plain_form_leaves_nothing(tmp_path):
    with pytest.raises(JobError, match="JSON values"):
        create_run(tmp_path, "ingest", "x", {"model": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StorageFailed, match="runs"):
        create_run(tmp_path / "runs", "ingest", "x", {})


@given(st.text())
@settings(deadline=None)
def test_a_slug_is_safe_in_any_file_system(text):
    slug = slugged(text)
    assert 0 < len(slug) <= 40 and slug.isascii() and slug.strip("-") == slug
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_only_a_run_at_rest_is_removed(tmp_path):
    run = create_run(tmp_path, "ingest", "x", {})
    with pytest.raises(JobError, match="still active"):
        delete_run(run)
    ended(run)
    delete_run(run)
    assert list((tmp_path / "ingest").iterdir()) == []
    for ask in (delete_run, lambda run: run.state(), lambda run: run.config):
        with pytest.raises(RunNotFound):
            ask(run)


def test_a_report_is_replaced_as_a_whole(tmp_path):
    run = create_run(tmp_path, "ingest", "x", {})
    run.write_report({"accuracy": np.float32(0.5), "loss": float("nan")})
    run.write_report({"accuracy": 0.25})
    assert run.report == {"accuracy": 0.25}
    (run.path / "report.json").write_text("[]")
    with pytest.raises(StorageFailed):
        _ = run.report


# State ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_dead_process_shows_as_interrupted(tmp_path, dead_pid, status):
    run = create_run(tmp_path, "ingest", "x", {})
    write_state(run.path, State(status, pid=dead_pid, process_start=process_start(os.getpid())))
    assert run.state().status == "interrupted" and run.state().resumable
    assert stored_state(run.path).status == status, "what is stored stays as it is"


def test_another_process_with_the_same_pid_is_not_taken_for_it(tmp_path):
    run = create_run(tmp_path, "ingest", "x", {})
    here = process_start(os.getpid())
    write_state(run.path, State("running", pid=os.getpid(), process_start=here))
    assert run.state().status == "running"
    write_state(run.path, State("running", pid=os.getpid(), process_start=f"{here}1"))
    assert run.state().status == "interrupted"


@pytest.mark.parametrize("status", ["done", "failed", "stopped"])
def test_what_has_ended_stays_so_whatever_its_pid_does(tmp_path, status):
    run = create_run(tmp_path, "ingest", "x", {})
    written = State(status, 3, AT, AT, AT, os.getpid(), "x", True, "what", "next")
    write_state(run.path, written)
    assert read_state(run.path) == written


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"status": "interrupted"}', b"\xff", b"null", None])
def test_a_damaged_state_can_be_resumed(tmp_path, content):
    run = create_run(tmp_path, "ingest", "x", {})
    (run.path / "state.json").unlink()
    if content is not None:
        (run.path / "state.json").write_bytes(content)
    assert run.state().resumable and "state.json" in run.state().error


def test_a_run_that_ends_between_the_two_looks_is_done_not_interrupted(tmp_path, monkeypatch):
    """It is read as running, then ends properly, and only then its process is looked for."""
    run = create_run(tmp_path, "ingest", "x", {})

    def gone(pid, start) -> bool:
        write_state(run.path, State("done"))
        return False

    monkeypatch.setattr("core.jobs.state.is_alive", gone)
    assert run.state().status == "done"


def test_a_zombie_is_dead():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start(process.pid)
    assert start is not None and is_alive(process.pid, start)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, not yet reaped
    assert not is_alive(process.pid, start)
    process.communicate()
    assert not is_alive(process.pid, start) and not is_alive(None, start) and not is_alive(0, None)


def test_psutil_tells_processes_apart_where_there_is_no_proc(dead_pid):
    start = processes._start_elsewhere(os.getpid())
    assert start is not None and start == processes._start_elsewhere(os.getpid())
    assert processes._start_elsewhere(dead_pid) is None


# Plain values --------------------------------------------------------------------------------------------------------

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(PLAIN)
@settings(deadline=None)
def test_plain_values_stay_what_they_are(value):
    assert json.loads(to_json(value)) == value
    assert b"\n" not in to_json(value)


def test_numbers_of_other_libraries_paths_and_nan_become_plain():
    value = {1: np.int64(3), "a": (np.float32(0.5), float("inf")), "t": AT, "p": Path("x"), "s": {2, 1}, "b": np.True_}
    at = "2026-11-24T03:04:05.678+00:00"
    assert json_value(value) == {"1": 3, "a": [0.5, None], "t": at, "p": "x", "s": [1, 2], "b": True}
    with pytest.raises(TypeError, match="object"):
        json_value(object())
