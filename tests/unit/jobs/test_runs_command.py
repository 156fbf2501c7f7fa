"""`runs`: what a person sees of a run, and does with it, from the command line."""

from __future__ import annotations

import json

import pytest
from tiny_runs import until

from core.cli import run as command
from core.jobs.events import EventLog
from core.jobs.policy import read_policy
from core.jobs.run_dir import create_run, list_runs, runs_root
from core.jobs.state import State, locked, write_state
from core.settings import load_settings


@pytest.fixture()
def failed():
    run = create_run(runs_root(load_settings()), "count", "a test", {"to": 3})
    log = EventLog(run.events_path)
    log.append("counted", number=1, share=0.333333333, text="red\x1b[31m")
    log.close()
    run.log_path.write_text("Traceback\n  File\x1b[31m x\n")
    with locked(run.path):
        write_state(run.path, State("failed", error="It was empty.", next_step="Fill it."))
    return run


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert command(["runs", *arguments]) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    return out if code == 0 else err


def test_with_no_run_it_says_so(capsys):
    assert said(capsys, "list") == "No run yet.\n"
    assert json.loads(said(capsys, "list", "--json")) == []
    assert "There is no run 'last'" in said(capsys, "show", "last", code=2)


def test_list_show_and_log_tell_where_a_run_stands(capsys, failed):
    assert f"{failed.id}  failed" in said(capsys, "list")
    assert "No run of the kind train" in said(capsys, "list", "--kind", "train")
    (row,) = json.loads(said(capsys, "list", "--json"))
    assert (row["run"], row["status"], row["resumable"]) == (failed.id, "failed", True)
    text = said(capsys, "show", "last")
    assert "It was empty. Fill it." in text and "asked for: to = 3" in text and f"runs resume {failed.id}" in text
    shown = json.loads(said(capsys, "show", "a-test", "--json"))
    assert shown["config"] == {"to": 3} and shown["last_event"]["data"]["number"] == 1 and shown["report"] is None
    assert "counted: number 1, share 0.3333, text red?[31m" in said(capsys, "log", "last")
    (line,) = said(capsys, "log", "last", "--json", "--follow").splitlines()
    assert json.loads(line)["data"]["share"] == 0.333333333
    assert said(capsys, "log", "last", "--output").splitlines() == ["Traceback", "  File?[31m x"]
    assert "Leave one of them out" in said(capsys, "log", "last", "--output", "--json", code=2)


def test_a_run_is_resumed_in_a_process_and_removed(capsys, failed):
    assert "was resumed" in said(capsys, "resume", "last")
    until(lambda: not failed.state().live)
    assert failed.state().attempts == 2 and "no job of the kind 'count'" in failed.state().error
    assert [event["kind"] for event in map(json.loads, said(capsys, "log", "last", "--json").splitlines())] == [
        "counted",
        "queued",
        "resumed",
        "failed",
    ]
    assert "Removed" in said(capsys, "remove", "last", "--yes")
    assert list_runs(runs_root(load_settings())) == []


def test_a_run_at_work_is_stopped_not_removed(capsys, jobs):
    run = jobs.launch("wait")
    until(lambda: run.state().status == "running")
    assert "Stop it first" in said(capsys, "remove", "last", "--yes", code=2)
    assert "is running" in said(capsys, "resume", "last", code=2)
    assert json.loads(said(capsys, "stop", "last", "--json"))["asked_to_stop"] is True
    assert said(capsys, "log", "last", "--follow").splitlines()[-1].endswith("Resume it to go on.")
    assert "isn't active" in said(capsys, "stop", "last", code=2)


def test_settings_are_shown_changed_and_checked(capsys):
    assert json.loads(said(capsys, "settings", "--json")) == {"at_once": 1, "niceness": 5, "threads": None}
    assert "at once: 2" in said(capsys, "settings", "--at-once", "2", "--threads", "3")
    assert (read_policy(load_settings()).at_once, read_policy(load_settings()).threads) == (2, 3)
    assert "as many as a run likes" in said(capsys, "settings", "--threads", "0")
    assert "expected 0 to 19" in said(capsys, "settings", "--niceness", "20", code=2)
    assert read_policy(load_settings()).niceness == 5
