"""Kill -9 at any moment: shown as interrupted, resumable, nothing earlier lost, nobody else held up."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tiny_runs import WORKER, until

from core.jobs.errors import JobError
from core.jobs.events import read_events
from core.jobs.launch import follow, resume
from core.jobs.processes import is_alive
from core.jobs.run_dir import delete_run, list_runs, runs_root
from core.jobs.state import stored_state
from core.system.atomic_file import write_atomically

ROOT = Path(__file__).resolve().parents[3]
KILLS = 20


def lines(run) -> list[str]:
    """What the job has kept so far."""
    kept = run.checkpoints / "kept.txt"
    return kept.read_text().splitlines() if kept.exists() else []


def everything(run) -> bytes:
    return run.events_path.read_bytes() if run.events_path.exists() else b""


def numbers(run) -> list[int]:
    """What its events say that it did."""
    return [event.data["number"] for event in read_events(run.events_path)[0] if event.kind == "counted"]


def test_killed_twenty_times_a_run_comes_to_the_same_result(jobs, tmp_path):
    """The moments: before the process says a word, while it waits or starts, and while it works, early and late."""
    undisturbed = jobs.launch("count", to=200)
    assert jobs.ended(undisturbed) == "done"
    chance = random.Random(3)
    gate = tmp_path / "gate"  # it can't come to its end before the last kill, however slow this test is
    gate.write_text("0")
    run = jobs.launch("count", to=200, gate=str(gate))
    kept: list[str] = []
    events = b""
    for kill in range(KILLS):
        write_atomically(gate, str(len(kept) + 6).encode())
        if kill % 4 == 1:
            until(lambda: stored_state(run.path).has_worker)
        elif kill % 4 > 1:
            wanted = len(kept) + chance.randrange(1, 6)
            until(lambda wanted=wanted: len(lines(run)) >= wanted)
        jobs.kill(run)
        state = run.state()
        assert (state.status, state.resumable, state.attempts) == ("interrupted", True, kill + 1)
        assert lines(run)[: len(kept)] == kept, "what was kept before is lost"
        assert everything(run).startswith(events), "events that were there are lost"
        assert run.config == {"to": 200, "gate": str(gate)}
        kept, events = lines(run), everything(run)
        jobs.resume(run)
    write_atomically(gate, b"200")
    assert jobs.ended(run) == "done", run.log_path.read_text()
    assert run.report == undisturbed.report
    assert len(kept) >= KILLS // 2 and set(numbers(run)) >= set(range(len(kept), 200))


def test_a_killed_run_frees_its_slot_and_one_killed_in_the_queue_holds_up_nobody(jobs):
    first = jobs.launch("wait")
    until(lambda: first.state().status == "running")
    second = jobs.launch("wait")
    until(lambda: stored_state(second.path).has_worker)
    third = jobs.launch("count", to=2)
    until(lambda: stored_state(third.path).has_worker)
    jobs.kill(second)
    assert second.state().status == "interrupted" and third.state().status == "queued"
    jobs.kill(first)
    assert first.state().status == "interrupted"
    assert jobs.ended(third) == "done"
    delete_run(second)
    assert len(list_runs(runs_root(jobs.settings))) == 2


def test_children_that_outlive_a_killed_run_hold_no_slot_and_can_follow_it(jobs):
    run = jobs.launch("orphans")
    marks = [run.checkpoints / "stays", run.checkpoints / "follows"]
    until(lambda: all(mark.exists() for mark in marks))
    (stays, its_start), (follows, other_start) = (mark.read_text().split() for mark in marks)
    try:
        jobs.kill(run)
        assert run.state().status == "interrupted"
        until(lambda: not is_alive(int(follows), other_start))
        assert is_alive(int(stays), its_start)
        assert jobs.ended(jobs.launch("count", to=1)) == "done"
    finally:
        if is_alive(int(stays), its_start):
            os.kill(int(stays), 9)


LAUNCHER = """
import sys
from core.access.actor import owner, resolve_with
from core.jobs.launch import launch
from core.jobs.run_dir import create_run, runs_root
from core.settings import load_settings
resolve_with(owner)
if sys.argv[1] == "launch":
    print(launch(load_settings(), "count", {"to": 50, "pause_s": 0.01}, slug="x", worker=sys.argv[2:]).id, flush=True)
    sys.stdin.read()
else:
    print(create_run(runs_root(load_settings()), "count", "x", {"to": 5}).id, flush=True)
"""


def launcher(how: str) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", LAUNCHER, how, *WORKER], cwd=ROOT, text=True, **pipes)


def test_a_run_goes_on_when_who_launched_it_is_killed(jobs):
    process = launcher("launch")
    process.stdout.readline()
    process.kill()
    process.communicate()
    (run,) = list_runs(runs_root(jobs.settings))
    assert jobs.ended(run) == "done" and numbers(run) == list(range(50))


def test_a_launch_killed_before_the_process_was_there_shows_as_interrupted(jobs):
    process = launcher("create")
    process.communicate()
    (run,) = list_runs(runs_root(jobs.settings))
    assert run.state().status == "interrupted"
    jobs.resume(run)
    assert jobs.ended(run) == "done"


def test_who_follows_a_run_is_let_go_when_it_is_killed(jobs):
    run = jobs.launch("wait")
    for event in follow(run):
        if event.kind == "working":
            jobs.kill(run)
    assert run.state().status == "interrupted"


def test_of_many_who_resume_at_once_one_does(jobs):
    run = jobs.launch("wait")
    until(lambda: run.state().status == "running")
    jobs.kill(run)
    refused = []

    def try_it() -> None:
        try:
            resume(run, jobs.settings, worker=WORKER)
        except JobError as error:
            refused.append(error)

    threads = [threading.Thread(target=try_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 5
    until(lambda: run.state().status == "running")
    assert run.state().attempts == 2


@pytest.mark.parametrize("status", ["running", "queued"])
def test_a_kill_is_seen_without_a_write(jobs, status):
    """Only a look at the process tells: nothing in the folder changes when it dies, and reading changes nothing."""
    first = jobs.launch("wait")
    until(lambda: first.state().status == "running")
    second = jobs.launch("wait")
    until(lambda: stored_state(second.path).has_worker)
    run = first if status == "running" else second
    jobs.kill(second)
    jobs.kill(first)
    before = (run.path / "state.json").read_bytes()
    assert run.state().status == "interrupted" and stored_state(run.path).status == status
    assert (run.path / "state.json").read_bytes() == before
