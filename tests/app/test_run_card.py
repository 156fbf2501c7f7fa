"""A run on the screen, from the folders that runs leave: live, ended, interrupted, removed; read on by offset."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.jobs.events import Event, EventLog
from core.jobs.processes import process_start
from core.jobs.reader import Progress, RunReader, progress_of
from core.jobs.run_dir import Run, create_run, list_runs, runs_root
from core.jobs.state import State, stored_state, write_state
from core.settings import load_settings
from dashboard.runs.card import RunCard, event_line, progress_text, spent_s
from dashboard.ui.markdown import duration
from tests.app.conftest import button, shown

AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def a_run(status: str = "running", *, kind: str = "ingest", dead: bool = False, **fields: object) -> Run:
    """A run's folder in that state, worked on by this test's process, or by one that is gone."""
    run = create_run(runs_root(load_settings()), kind, "faces", {"source": "photographs"})
    state = replace(stored_state(run.path), status=status, **fields)
    write_state(run.path, replace(state, process_start="another boot") if dead else state)
    return run


def tell(run: Run, *events: tuple[str, dict[str, object]]) -> None:
    log = EventLog(run.events_path)
    for kind, data in events:
        log.append(kind, **data)
    log.close()


def page() -> None:
    """What AppTest runs: every run there is, as a page shows them."""
    import streamlit as st

    from core.jobs.run_dir import list_runs, runs_root
    from core.settings import load_settings
    from dashboard.runs.card import RunCard, show_run_card

    def ended(snapshot):
        st.session_state["ended"] = snapshot.state.status

    def removed(run):
        st.session_state["removed"] = run.id

    for run in list_runs(runs_root(load_settings())):
        show_run_card(run, RunCard("Reading photographs", unit="photographs", on_end=ended, on_remove=removed))


def opened() -> AppTest:
    app = AppTest.from_function(page, default_timeout=30).run()
    assert not app.exception
    return app


def bar(app: AppTest) -> str:
    [found] = app.get("progress")
    return found.proto.text


def test_a_live_run_shows_its_progress_and_goes_on_where_the_last_look_ended():
    run = a_run(started=AT)
    tell(run, ("queued", {}), ("started", {}))
    app = opened()
    assert "Reading photographs" in shown(app) and bar(app) == "Started."
    tell(run, ("progress", {"done": 50, "total": 200, "rejected": 3, "per_s": 25.0, "left_s": 6.0}))
    app.run()
    assert bar(app) == plainly("50 of 200 photographs, 3 rejected, 25 per second, 6 s left")
    assert app.get("progress")[0].proto.value == 25
    reader = app.session_state["run_readers"][run.id]
    assert reader._events_at == run.events_path.stat().st_size
    assert bar(opened()) == bar(app)  # another browser, or this one after a reload


def test_a_run_that_ends_before_the_visitor_s_eyes_tells_the_page_once():
    from dashboard.runs.card import draw_run_card

    run = a_run("done", ended=AT)
    run.write_report({"text": "9 of 9 photographs."})

    def body() -> None:
        import streamlit as st

        from core.jobs.run_dir import list_runs, runs_root
        from core.settings import load_settings
        from dashboard.runs.card import RunCard, draw_run_card

        def ended(snapshot):
            st.session_state["ended"] = st.session_state.get("ended", 0) + 1

        [run] = list_runs(runs_root(load_settings()))
        draw_run_card(run, RunCard("Reading", on_end=ended), was_live=not st.session_state.get("ended"))

    app = AppTest.from_function(body, default_timeout=30).run()
    assert not app.exception and app.session_state["ended"] == 1
    assert "9 of 9 photographs" in shown(app).replace("\\", "")
    assert callable(draw_run_card)


def test_a_run_that_waits_says_behind_how_many():
    first = a_run(started=AT)
    a_run("queued", kind="build", queued=AT + timedelta(seconds=5), has_worker=True)
    texts = [each.proto.text for each in opened().get("progress")]
    assert texts in (["1 run ahead of it.", "Started."], ["Started.", "1 run ahead of it."])
    assert first.state().live


def test_stopping_leaves_the_wish_in_the_folder_and_can_be_asked_once():
    run = a_run(started=AT)
    app = opened()
    button(app, "Stop").click().run()
    assert run.stop_path.exists() and not app.exception
    assert button(app, "Stop").disabled and "Stopping" in shown(app)


def test_an_interrupted_run_says_so_and_offers_to_resume():
    run = a_run(dead=True, started=AT)
    tell(run, ("started", {}), ("progress", {"done": 7, "total": 10}))
    app = opened()
    assert "it was killed" in shown(app) and "7 of 10 photographs" in shown(app)
    assert button(app, "Resume") and not any(each.label == "Stop" for each in app.button)


def test_a_failed_run_says_what_and_how_to_go_on_as_text():
    a_run("failed", error="There is no <b>folder</b>.", next_step="Choose **another**.")
    [error] = opened().error
    assert r"There is no \<b\>folder\<\/b\>" in error.value and r"\*\*another\*\*" in error.value


def test_a_run_is_removed_after_a_second_click():
    run = a_run("stopped", ended=AT)
    app = opened()
    button(app, "Remove the run").click().run()
    assert not run.path.exists() and app.session_state["removed"] == run.id
    assert list_runs(runs_root(load_settings())) == [] and not app.exception


def test_a_run_that_is_removed_elsewhere_shows_nothing(own_data_dir: Path):
    import shutil

    run = a_run("stopped")
    app = opened()
    shutil.rmtree(run.path)
    assert not app.run().exception and not app.button


def test_the_log_s_end_and_the_events_are_in_the_details():
    run = a_run(started=AT)
    run.log_path.write_text("first line\nlast line\n")
    tell(run, ("epoch", {"loss": 0.123456}))
    said = [each.value for each in opened().code]
    assert "epoch: loss 0.1235" in said[0] and "last line" in said[1]


def test_progress_without_a_rate_gets_the_step_s_mean():
    def event(second: float, **data: object) -> Event:
        return Event(AT + timedelta(seconds=second), "progress", data)

    found = progress_of(event(4, step="place", done=120, total=200), event(0, step="place", done=20, total=200))
    assert (found.per_s, found.left_s, found.share) == (25.0, 3.2, 0.6)
    alone = event(0, done=0, total=0)
    assert progress_of(alone, alone) == Progress(0, 0, data=alone.data) and progress_of(alone, alone).share == 0.0


def test_a_step_s_rate_begins_with_the_step_and_an_attempt_begins_anew():
    run = a_run(started=AT)
    tell(run, ("progress", {"step": "read", "done": 900, "total": 900}))
    tell(run, ("progress", {"step": "place", "done": 10, "total": 900}))
    reader = RunReader(run)
    progress = reader.look().progress
    assert progress is not None and progress.step == "place" and progress.per_s is None
    tell(run, ("progress", {"step": "place", "done": 0, "total": 50}))  # the same step of another part
    progress = reader.look().progress
    assert progress is not None and (progress.done, progress.per_s) == (0, None)
    tell(run, ("resumed", {}))
    assert reader.look().progress is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (80, "1 min 20 s"), (3600, "1 h"), (7500, "2 h 5 min"), (-3, "0 s")],
)
def test_durations(seconds: float, text: str):
    assert duration(seconds) == text


def test_lines_of_text():
    slow = Progress(3, 10, "train", 0.05, 140.0)
    said = progress_text(slow, RunCard("Training", unit="epochs", steps={"train": "Stage 1"}))
    assert said == "Stage 1: 3 of 10 epochs, 3.0 per minute, 2 min 20 s left"
    assert progress_text(Progress(10, 10, "check", 5.0, 0.0), RunCard("x")) == "Checking: 10 of 10 images, 5 per second"
    assert event_line(Event(AT, "epoch", {"loss": 0.123456, "n": 2})).endswith("epoch: loss 0.1235, n 2")


def test_time_spent_is_the_last_attempt_s():
    begun = State("running", started=AT)
    assert spent_s(begun, AT + timedelta(seconds=5)) == 5.0
    assert spent_s(replace(begun, status="done", ended=AT + timedelta(seconds=9)), AT + timedelta(days=1)) == 9.0
    assert spent_s(State("queued")) is None and spent_s(replace(begun, status="interrupted")) is None


def test_a_state_without_a_process_is_interrupted():
    assert State("running").live and a_run(dead=True).state().status == "interrupted"
    assert process_start(os.getpid())


def plainly(text: str) -> str:
    from dashboard.ui.markdown import plain

    return plain(text)
