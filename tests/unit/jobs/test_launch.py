"""Runs from launch to end: what a job is given, what its end leaves, turns, stopping."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_runs import WORKER, until

from core.access.actor import Actor, acting_as
from core.access.roles import Role
from core.errors import SettingsInvalid
from core.jobs.errors import JobError
from core.jobs.events import read_events
from core.jobs.launch import follow, launch, stop
from core.jobs.policy import Policy, read_policy, write_policy
from core.jobs.run_dir import delete_run
from core.jobs.state import stored_state, write_state
from core.jobs.worker import KINDS, find_job
from core.models.active_file import write_active
from core.settings import load_settings


def kinds(run) -> list[str]:
    return [event.kind for event in read_events(run.events_path)[0]]


def test_a_run_goes_from_queue_to_report(jobs):
    run = jobs.launch("count", to=3)
    assert [event.kind for event in follow(run)] == ["queued", "started", "counted", "counted", "counted", "done"]
    state = run.state()
    assert (state.status, state.attempts, state.error) == ("done", 1, "")
    assert state.queued <= state.started <= state.ended
    assert run.report["lines"][2] == "2 squared is 4" and run.config == {"to": 3}
    with pytest.raises(JobError, match="is done"):
        jobs.resume(run)
    with pytest.raises(JobError, match="isn't active"):
        stop(run)
    done = subprocess.run([*WORKER, str(run.path)], capture_output=True, text=True, cwd=Path.cwd(), check=False)
    assert done.returncode == 2 and "is done" in done.stderr
    assert run.state() == state


def test_a_job_is_alone_polite_and_light(jobs, own_data_dir):
    write_policy(jobs.settings, Policy(niceness=os.nice(0) + 3, threads=1))
    run = jobs.launch("look")
    assert jobs.ended(run) == "done", run.log_path.read_text()
    assert run.report == {
        "actor": ["local", "admin"],
        "nice": os.nice(0) + 3,
        "alone": True,
        "heavy": [],
        "OMP_NUM_THREADS": "1",
        "EDGEFACE_DATA_DIR": str(own_data_dir),
    }
    started, printed, done = run.log_path.read_text().splitlines()
    assert printed == "Hello from the job"
    assert started.endswith(f"INFO core.jobs.worker: run {run.log_id}: started")
    assert f"INFO core.jobs.worker: run {run.log_id}: done after " in done


def test_an_unknown_log_level_is_reported_and_the_run_goes_on(jobs, monkeypatch):
    monkeypatch.setenv("EDGEFACE_LOG_LEVEL", "loud")
    run = jobs.launch("count", to=2)
    assert jobs.ended(run) == "done", run.log_path.read_text()
    assert "WARNING core.system.logs: EDGEFACE_LOG_LEVEL names no log level; using info" in run.log_path.read_text()


def test_a_mistake_is_told_with_its_next_step(jobs):
    run = jobs.launch("mistake")
    assert jobs.ended(run) == "failed"
    assert (run.state().error, run.state().next_step) == ("The folder is empty.", "Choose another one.")
    last = read_events(run.events_path)[0][-1]
    assert last.kind == "failed" and last.data["what"] == "The folder is empty."


@pytest.mark.parametrize(("kind", "name"), [("fault", "KeyError"), ("leave", "SystemExit"), ("nowhere", "ModuleNot")])
def test_a_fault_is_told_in_a_line_and_placed_in_the_log_without_names(jobs, kind, name):
    run = jobs.launch(kind, who="Ada Lovelace")
    assert jobs.ended(run) == "failed"
    assert name in run.state().error and "output.log" in run.state().next_step
    text = run.log_path.read_text()
    assert name in text and "worker.py" in text
    assert "Ada" not in text + run.events_path.read_text() + run.state().error


def test_a_full_disk_is_told_as_such(jobs):
    run = jobs.launch("full")
    assert jobs.ended(run) == "failed"
    assert run.state().error == "The system refused: /some/where: No space left on device."


def test_an_unknown_kind_fails_and_a_command_that_is_not_there_too(jobs):
    run = jobs.launch("unheard-of")
    assert jobs.ended(run) == "failed" and "unheard-of" in run.state().error
    with pytest.raises(JobError, match="couldn't be started"):
        launch(jobs.settings, "count", {}, slug="x", worker=("/no/such/program",))


def test_a_process_that_never_comes_to_the_run_shows_as_interrupted(jobs):
    run = launch(jobs.settings, "count", {"to": 2}, slug="x", worker=(sys.executable, "-c", "import nothing_at_all"))
    assert jobs.ended(run) == "interrupted"
    assert "nothing_at_all" in run.log_path.read_text()
    jobs.resume(run)
    assert jobs.ended(run) == "done" and len(run.report["lines"]) == 2


def test_a_pool_of_children_can_be_ended_by_its_job(jobs):
    assert jobs.ended(jobs.launch("pool")) == "done"


def test_a_child_that_is_ended_while_it_is_forked_dies_of_it(jobs):
    run = jobs.launch("hasty")
    assert jobs.ended(run) == "done" and run.report == {"died": 20}


# Stopping ------------------------------------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_where_it_was(jobs, tmp_path):
    run = jobs.launch("count", to=200, pause_s=0.005)
    until(lambda: "counted" in kinds(run))
    stop(run)
    assert jobs.ended(run) == "stopped"
    assert kinds(run)[-1] == "stopped" and run.report is None
    jobs.resume(run)
    assert jobs.ended(run) == "done" and not run.stop_path.exists()
    numbers = [event.data["number"] for event in read_events(run.events_path)[0] if event.kind == "counted"]
    assert numbers == list(range(200)), "nothing was done twice"
    assert run.state().attempts == 2 and "resumed" in kinds(run)


def test_a_job_that_saw_the_wish_and_came_back_is_stopped_too(jobs):
    run = jobs.launch("wait")
    until(lambda: "working" in kinds(run))
    stop(run)
    assert jobs.ended(run) == "stopped"


def test_a_polite_signal_stops_a_run(jobs):
    run = jobs.launch("wait")
    until(lambda: "working" in kinds(run))
    os.kill(run.state().pid, signal.SIGTERM)
    assert jobs.ended(run) == "stopped"


def test_a_run_in_the_queue_can_be_stopped(jobs):
    first = jobs.launch("wait")
    until(lambda: "working" in kinds(first))
    second = jobs.launch("count", to=1)
    until(lambda: "queued" in kinds(second))
    stop(second)
    assert jobs.ended(second) == "stopped" and kinds(second) == ["queued", "stopped"]
    assert first.state().status == "running"


# Turns ---------------------------------------------------------------------------------------------------------------


def test_one_at_a_time_in_the_order_of_launch(jobs, tmp_path):
    go = tmp_path / "go"
    first = jobs.launch("wait", go=str(go))
    until(lambda: first.state().status == "running")
    later = []
    for number in range(3):
        later.append(jobs.launch("count", f"later {number}", to=1))
        until(lambda: "queued" in kinds(later[-1]))
    assert [run.state().status for run in later] == ["queued"] * 3
    with pytest.raises(JobError, match="is queued"):
        jobs.resume(later[0])
    with pytest.raises(JobError, match="still active"):
        delete_run(later[0])
    go.touch()
    assert [jobs.ended(run) for run in [first, *later]] == ["done"] * 4
    starts = [run.state().started for run in later]
    assert starts == sorted(starts)
    ends = [run.state().ended for run in [first, *later]]
    assert all(end <= start for end, start in zip(ends, starts, strict=False))


def test_two_side_by_side_when_chosen_also_while_they_wait(jobs):
    first, second = jobs.launch("wait"), jobs.launch("wait")
    until(lambda: {first.state().status, second.state().status} == {"running", "queued"})
    write_policy(jobs.settings, Policy(at_once=2))
    until(lambda: first.state().status == second.state().status == "running")
    third = jobs.launch("count", to=1)
    until(lambda: "queued" in kinds(third))
    assert third.state().status == "queued"
    stop(first)
    assert jobs.ended(third) == "done"


@pytest.mark.parametrize(
    "change", [{"at_once": 0}, {"at_once": "2"}, {"niceness": 20}, {"threads": 0}, {"at_once": True}]
)
def test_a_policy_that_makes_no_sense_is_refused(change):
    settings = load_settings()
    assert read_policy(settings) == Policy()
    write_active(settings, jobs={**change, "of another version": 1})
    with pytest.raises(SettingsInvalid, match="of runs is"):
        read_policy(settings)
    write_active(settings, jobs=[1])
    with pytest.raises(SettingsInvalid, match="no object"):
        read_policy(settings)


def test_a_second_worker_for_one_run_ends_at_once(jobs):
    run = jobs.launch("wait")
    until(lambda: run.state().status == "running")
    state = stored_state(run.path)
    second = subprocess.run([*WORKER, str(run.path)], capture_output=True, text=True, cwd=Path.cwd(), check=False)
    assert second.returncode == 2 and "another process" in second.stderr
    assert stored_state(run.path) == state


def test_a_run_works_with_the_role_of_the_one_who_started_or_resumed_it(jobs):
    with acting_as(Actor("otto", Role.OPERATOR)):
        run = jobs.launch("look")
    assert jobs.ended(run) == "done" and run.report["actor"] == ["otto", "operator"]
    write_state(run.path, replace(stored_state(run.path), status="stopped"))
    with acting_as(Actor("ada", Role.ADMIN)):
        jobs.resume(run)
    assert jobs.ended(run) == "done" and run.report["actor"] == ["ada", "admin"]


def test_a_calibration_that_an_operator_started_puts_no_thresholds_into_a_gallery(own_data_dir):
    settings = load_settings()
    config = {"task": "calibrate", "gallery": str(settings.gallery_path), "goal": {"measure": "far", "target": 0.1}}
    with acting_as(Actor("otto", Role.OPERATOR)):
        run = launch(settings, "evaluate", config, slug="x")
    until(lambda: not run.state().live)
    assert run.state().status == "failed" and "operator can't change the weights" in run.state().error


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_run_has_its_job(kind):
    assert callable(find_job(KINDS, kind))
