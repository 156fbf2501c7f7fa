"""The Training page: what is missing, one run in every state, the list and the comparison."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from core.jobs.events import EventLog
from dashboard.training.data import read_entry
from dashboard.training.view import figures_line
from tests.app.conftest import button, runs_without_torch, shown
from tests.app.training_page import asked_for, bars, opened, plainly, primary
from tests.app.training_runs import COLLAPSED, NO_SHARED, OUT_OF_MEMORY, record


def test_without_weights_it_leads_to_home(open_page):
    app = opened(open_page)
    assert "First, EdgeFace needs its weights" in shown(app)
    assert primary(app) == ["Get the weights on Home"]


@pytest.mark.shared
def test_without_a_data_set_it_leads_to_data_sets(open_page, ready):
    app = opened(open_page)
    assert "No data set yet" in shown(app) and primary(app) == ["Make a data set"]
    button(app, "Make a data set").click().run()
    assert app.title[0].value == "Data sets"


def test_a_run_that_isnt_there_is_said_and_the_others_are_listed(open_page, own_data_dir):
    record(own_data_dir, status="done")
    app = open_page("training", query={"run": "finetune/../../etc"})
    assert not app.exception and "doesn't exist" in plainly(app.error[0].value)
    assert "25 of 25 epochs" in shown(app)


def test_a_running_run_says_where_it_is_and_can_be_stopped(open_page, own_data_dir):
    run = record(own_data_dir, epochs=7)
    app = opened(open_page, run)
    assert bars(app) == ["Epoch 8 of 25, training 161 of 402 images, 419 images per second, about 17 min 36 s left"]
    text = shown(app)
    assert "1. Train the head" in text and "ef-stage ef-done" in text and "ef-stage ef-now" in text
    assert primary(app) == []
    button(app, "Stop").click().run()
    assert run.stop_path.exists() and button(app, "Stop").disabled


def test_an_ended_run_took_as_long_in_the_list_as_on_its_page(open_page, own_data_dir):
    """The time of all attempts' epochs, not that of the last attempt."""
    run = record(own_data_dir, status="done")
    line = figures_line(read_entry(run)).partition(". ")[0]
    assert line.startswith("25 of 25 epochs in ")
    captions = [each.value for each in opened(open_page, run).caption]
    assert line in captions and not any("took" in each for each in captions)


def test_figures_come_with_their_epoch_and_what_training_gained(open_page, own_data_dir):
    run = record(own_data_dir, epochs=7)
    events = [json.loads(line) for line in run.events_path.read_text().splitlines()]
    best = [e["data"] for e in events if e["kind"] == "epoch" and e["data"]["best"]][-1]
    before = next(e["data"]["val"] for e in events if e["kind"] == "start")
    text = shown(opened(open_page, run))
    assert f"{best['val']['eer'] * 100:.2f} %" in text
    assert f"{(best['val']['eer'] - before['eer']) * 100:+.2f} points</div>" in text
    assert f"Epoch {best['step']}, the best so far by EER on 6,433 validation images." in text


def test_epoch_one_explains_zero_percent(open_page, own_data_dir):
    text = shown(opened(open_page, record(own_data_dir, epochs=0)))
    info = opened(open_page, record(own_data_dir, epochs=0)).info
    assert any("0 % in epoch 1 is normal for 518 people: chance is 0.19 %." in each.value for each in info)
    assert "Epochs (" not in text


def test_a_queued_run_waits(open_page, own_data_dir):
    app = opened(open_page, record(own_data_dir, status="queued"))
    assert bars(app) == ["Starts in a moment."]
    assert "The log is empty" in shown(app)


def test_a_failed_run_shows_the_error_and_the_next_step_and_no_traceback(open_page, own_data_dir):
    error = ("The disk is full.", "Free some space, then resume the run.")
    run = record(own_data_dir, status="failed", error=error)
    run.log_path.write_text("Epoch 01/5\n", encoding="utf-8")
    app = opened(open_page, run)
    assert plainly(app.error[0].value) == "**The disk is full.**\n\nFree some space, then resume the run."
    assert primary(app) == ["Resume"] and "Traceback" not in shown(app)


def test_a_stopped_run_says_how_far_it_came(open_page, own_data_dir):
    app = opened(open_page, record(own_data_dir, status="stopped", epochs=9))
    assert "The run was stopped. Last progress: Epoch 10 of 25" in plainly(shown(app))
    assert primary(app) == ["Resume"]


def test_a_killed_run_is_interrupted_and_can_be_resumed(open_page, own_data_dir):
    app = opened(open_page, record(own_data_dir, status="interrupted"))
    assert "The process ended unexpectedly" in shown(app) and primary(app) == ["Resume"]


def test_alarms_stand_on_top_with_cause_and_next_step(open_page, own_data_dir):
    app = opened(open_page, record(own_data_dir, alarms=(NO_SHARED, COLLAPSED), shared=0))
    assert [plainly(each.value).split("\n\n")[0] for each in app.error] == [f"**{COLLAPSED['what']}**"]
    assert COLLAPSED["cause"] in plainly(app.error[0].value)
    assert f"Next: {COLLAPSED['next_step']}" in plainly(app.error[0].value)
    assert any(NO_SHARED["what"] in plainly(each.value) for each in app.info)


def test_half_the_batch_is_offered_where_memory_ran_out(open_page, own_data_dir, monkeypatch):
    run = record(own_data_dir, status="failed", alarms=(OUT_OF_MEMORY,), error=("No memory.", "Half."))
    resumed: list[str] = []
    monkeypatch.setattr("dashboard.training.actions.resume", lambda run, settings: resumed.append(run.id))
    app = opened(open_page, run)
    assert primary(app) == ["Resume with half the batch"]
    button(app, "Resume with half the batch").click().run()
    assert not app.exception and resumed == [run.id]
    assert json.loads((run.checkpoints / "accumulate.json").read_text()) == {"accumulate": 2}


def test_a_batch_that_cant_be_halved_is_refused_in_words(open_page, own_data_dir):
    config = {"batch_size": 1}
    run = record(own_data_dir, status="failed", alarms=(OUT_OF_MEMORY,), error=("No memory.", ""), config=config)
    app = opened(open_page, run)
    button(app, "Resume with half the batch").click().run()
    assert any("can't be halved further" in plainly(each.value) for each in app.error) and not app.exception


def test_a_removed_run_leads_back_to_the_list(open_page, own_data_dir):
    run = record(own_data_dir, status="stopped")
    app = opened(open_page, run)
    button(app, "Remove the run").click().run()
    assert not run.path.exists() and not app.exception
    assert "run" not in app.query_params


def test_new_lines_and_epochs_appear_at_the_next_look(open_page, own_data_dir):
    run = record(own_data_dir, epochs=2)
    app = opened(open_page, run)
    assert "Epochs (2)" in [each.label for each in app.expander]
    with run.log_path.open("a") as log:
        log.write("Epoch 03/5 | a new line\n")
    with closing(EventLog(run.events_path)) as events:
        events.append("epoch", stage="stage1", epoch=3, epochs=5, step=3, val={"eer": 0.0123}, best=True)
    app.run()
    assert "Epochs (3)" in [each.label for each in app.expander] and "1.23 %" in shown(app)
    assert "a new line" in app.code[0].value


def test_the_log_is_searched_by_words(open_page, own_data_dir):
    app = opened(open_page, record(own_data_dir, epochs=7))
    everything = app.code[0].value.splitlines()
    app.text_input(key="training_log_search").set_value("EPOCH 02/20").run()
    assert app.code[0].value.splitlines() == [line for line in everything if line.startswith("Epoch 02/20")]
    assert "1 line of" in shown(app)
    app.text_input(key="training_log_search").set_value("nowhere").run()
    assert "No line contains “nowhere”" in plainly(shown(app))


def test_a_dsr_run_stands_beside_bicubic_by_size(open_page, own_data_dir):
    app = opened(open_page, record(own_data_dir, "dsr", status="done"))
    [table] = app.table
    assert table.value["size"].tolist() == ["16 px", "24 px", "32 px"]
    assert table.value["PSNR"].iloc[2].endswith("(bicubic 28.40 dB)") and table.value["PSNR"].iloc[2].startswith("**")


def test_what_came_from_a_run_is_text_wherever_it_is_shown(open_page, own_data_dir):
    nasty = "<img src=x onerror=alert(1)> **bold**"
    alarm = {"code": "x", "severity": "warning", "what": nasty, "cause": nasty, "next_step": nasty}
    run = record(own_data_dir, alarms=(alarm,), config={"dataset": f"/data/{nasty}", "preset": nasty})
    for app in (opened(open_page, run), opened(open_page)):
        assert "<img src=x" not in shown(app) and not app.exception


def test_runs_are_listed_with_what_came_of_them_and_open_by_their_address(open_page, own_data_dir):
    at = datetime.now(UTC) - timedelta(hours=2)
    done = record(own_data_dir, status="done", at=at)
    record(own_data_dir, epochs=3)
    app = opened(open_page)
    assert [each.value for each in app.subheader] == ["Running", "Start a training", "Earlier runs", "Compare"]
    text = plainly(shown(app))
    assert "25 of 25 epochs" in text and "3 of 25 epochs" in text
    app.button(key=f"training_open_{done.id}").click().run()
    assert asked_for(app, "run") == done.id and "Use the trained weights" not in shown(app)
    button(app, "All runs").click().run()
    assert "run" not in app.query_params


def test_many_runs_are_folded(open_page, own_data_dir):
    at = datetime.now(UTC) - timedelta(days=1)
    for number in range(8):
        record(own_data_dir, status="stopped", epochs=1, at=at + timedelta(minutes=number))
    app = opened(open_page)
    assert sum(each.label == "Open" for each in app.button) == 6
    button(app, "All 8 runs").click().run()
    assert sum(each.label == "Open" for each in app.button) == 8


def test_runs_are_compared_and_the_choice_stands_in_the_address(open_page, own_data_dir):
    at = datetime.now(UTC) - timedelta(hours=2)
    first = record(own_data_dir, status="done", at=at, lift=0.1)
    second = record(own_data_dir, status="done", at=at + timedelta(hours=1), config={"batch_size": 32, "seed": 7})
    app = opened(open_page)
    app.multiselect(key="training_compare").set_value([first.id, second.id]).run()
    assert not app.exception and asked_for(app, "compare") == [first.id, second.id]
    figures, settings = (table.value for table in app.table)
    assert figures.loc["EER"].nunique() == 2
    assert sorted(settings.index) == ["batch\\_size", "seed"]
    again = open_page("training", query={"compare": [first.id, second.id]})
    assert again.multiselect(key="training_compare").value == [first.id, second.id]


def test_the_page_opens_without_torch(own_data_dir):
    record(own_data_dir, status="done")
    run = record(own_data_dir, epochs=4)
    script = (
        f"for query in ({{}}, {{'run': {run.id!r}}}):\n"
        "    app.query_params.update(query)\n"
        "    app.switch_page('../pages/training.py').run()\n"
        "    assert not app.exception and app.title[0].value == 'Training', app\n"
    )
    runs_without_torch(script, own_data_dir)
