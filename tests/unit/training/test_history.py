"""A run's history: read by offset, tolerant of what it doesn't know, and right after a resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.jobs.events import EventLog
from core.training.history import EPOCH_COLUMNS, MOST_TRACE, History, read_history


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "events.jsonl")


def epoch(step: int, **more: Any) -> dict[str, Any]:
    return {"stage": "stage1", "epoch": step, "epochs": 5, "step": step, "seconds": 2.0, "best": step == 2, **more}


def train(number: int, done: int, total: int = 10, **more: Any) -> dict[str, Any]:
    return {"step": "train", "stage": "stage1", "epoch": number, "epochs": 5, "done": done, "total": total, **more}


def test_nothing_yet_is_an_empty_table_with_its_columns(tmp_path):
    history = read_history(tmp_path / "events.jsonl")
    assert list(history.epochs().columns) == list(EPOCH_COLUMNS) and len(history.epochs()) == 0
    assert history.plan is None and history.progress is None and history.alarms == [] and history.attempt == 0
    assert history.trace().empty


def test_nested_figures_become_columns_and_missing_ones_nan(log):
    log.append("epoch", **epoch(1, val={"eer": 0.04, "accuracy": None, "by_size": {"16": {"eer": 0.06}}}))
    log.append("epoch", **epoch(2, val={"eer": 0.03, "accuracy": 0.5, "by_size": None}, lr={"head": 1e-3}))
    table = read_history(log.path).epochs()
    assert table["val.eer"].tolist() == [0.04, 0.03]
    assert table["val.by_size.16.eer"].iloc[0] == 0.06 and table["val.by_size.16.eer"].isna().iloc[1]
    assert table["val.accuracy"].isna().iloc[0] and table["val.accuracy"].iloc[1] == 0.5
    assert table["lr.head"].iloc[1] == 1e-3
    assert table["best"].tolist() == [False, True]
    assert table["stage"].tolist() == ["stage1", "stage1"]


def test_each_event_is_read_once_and_a_half_line_waits(log):
    history = History(log.path)
    log.append("epoch", **epoch(1))
    assert history.update() and len(history.epochs()) == 1
    assert not history.update()
    line = json.dumps({"at": "2026-01-01T00:00:00+00:00", "kind": "epoch", "data": epoch(2)})
    with log.path.open("a") as file:
        file.write(line[:30])
    assert not history.update() and len(history.epochs()) == 1
    with log.path.open("a") as file:
        file.write(line[30:] + "\n")
    assert history.update() and history.epochs()["step"].tolist() == [1, 2]


def test_another_file_under_the_same_path_is_told_from_its_start(log, tmp_path):
    history = History(log.path)
    for step in (1, 2, 3):
        log.append("epoch", **epoch(step))
    history.update()
    log.close()
    log.path.unlink()
    again = EventLog(log.path)
    again.append("epoch", **epoch(1, seconds=9.0))
    history.update()
    assert history.epochs()["seconds"].tolist() == [9.0]


def test_epochs_that_were_trained_again_stand_as_told_last(log):
    log.append("started")
    for step in (1, 2, 3):
        log.append("epoch", **epoch(step, seconds=float(step)))
    log.append("resumed")
    log.append("epoch", **epoch(3, seconds=30.0))
    log.append("epoch", **epoch(4, seconds=4.0))
    history = read_history(log.path)
    assert history.attempt == 2
    assert history.epochs()["seconds"].tolist() == [1.0, 2.0, 30.0, 4.0]


def test_the_curve_goes_back_where_the_run_did(log):
    for done in (2, 6, 10):
        log.append("progress", **train(1, done, loss=1.0))
    for done in (2, 8):
        log.append("progress", **train(2, done, loss=0.5))
    log.append("resumed")
    log.append("progress", **train(2, 1, loss=0.7))
    log.append("progress", step="validate", epoch=2, done=1, total=2, loss=9.0)
    trace = read_history(log.path).trace()
    assert trace["position"].tolist() == pytest.approx([0.2, 0.6, 1.0, 1.1])
    assert trace["loss"].tolist() == [1.0, 1.0, 1.0, 0.7]


def test_a_long_curve_is_thinned_and_keeps_its_end(log):
    history = History(log.path)
    for number in range(1, 5 * MOST_TRACE):
        log.append("progress", **train(1, number, 5 * MOST_TRACE, loss=float(number)))
    history.update()
    trace = history.trace()
    assert MOST_TRACE <= len(trace) <= 2 * MOST_TRACE
    assert trace["loss"].iloc[-1] == 5 * MOST_TRACE - 1
    assert trace["position"].is_monotonic_increasing


def test_alarms_come_worst_first_and_repeat_once(log):
    log.append("started")
    log.append("alarm", code="no_shared_identities", severity="notice", what="Nobody is shared.")
    for share in (0.5, 0.6):
        log.append("alarm", code="vlr_not_small", severity="warning", what=f"{share} of them", cause="B", next_step="C")
    log.append("alarm", code="collapsed", severity="error", what="All alike.")
    found = read_history(log.path).alarms
    assert [alarm.code for alarm in found] == ["collapsed", "vlr_not_small", "no_shared_identities"]
    assert found[1].times == 2 and found[1].what == "0.6 of them" and found[1].next_step == "C"


def test_running_out_of_memory_is_over_once_it_was_resumed(log):
    log.append("started")
    log.append("alarm", code="out_of_memory", severity="error", what="Too large.")
    log.append("alarm", code="vlr_not_small", severity="warning", what="Large ones.")
    history = read_history(log.path)
    assert len(history.alarms) == 2
    log.append("resumed")
    history.update()
    assert [alarm.code for alarm in history.alarms] == ["vlr_not_small"]


def test_the_plan_and_the_progress_are_values(log):
    stages = [{"name": "stage1", "title": "Train the head", "epochs": 5, "trains": ["head"]}, {"name": "x"}, 3]
    log.append("plan", stages=stages, epochs=25, identities=518, chance=1 / 518, device="cpu", new="?")
    log.append("progress", step="validate", epoch=3, epochs=25, done=4, total=8, share=1.4, left_s=12, per_second=None)
    history = read_history(log.path)
    assert history.plan is not None and [s.title for s in history.plan.stages] == ["Train the head", "x"]
    assert history.plan.stages[0].trains == ("head",) and history.plan.chance == 1 / 518
    assert history.progress is not None and history.progress.share == 1.0 and history.progress.per_second is None


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats() | st.sampled_from(["", "x", "16"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "eer", "."]), inner, max_size=2),
    max_leaves=6,
)
fields = st.sampled_from(
    ["step", "epoch", "epochs", "val", "train", "lr", "best", "stages", "share", "code", "severity", "which", "line"]
)
kinds = st.sampled_from(["plan", "stage", "progress", "epoch", "log", "alarm", "checkpoint", "done", "started", "new"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(kinds, st.dictionaries(fields, plain, max_size=6)), max_size=6))
def test_no_event_of_any_form_stops_the_reading(tmp_path_factory, told):
    path = tmp_path_factory.mktemp("any") / "events.jsonl"
    log = EventLog(path)
    for kind, data in told:
        log.append(kind, **data)
    log.append("epoch", **epoch(1, val={"eer": 0.1}))
    log.close()
    history = read_history(path)
    table = history.epochs()
    assert table[table["step"] == 1]["val.eer"].tolist() == [0.1]
    assert len(history.alarms) >= 0 and history.trace()["position"].is_monotonic_increasing


def test_the_history_opens_without_torch_and_streamlit():
    import subprocess
    import sys

    code = "import sys, core.training.history; sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
