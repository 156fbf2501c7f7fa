"""Data sets in a real browser: progress moves by itself, also after a reload; a demo; no sideways scroll."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from core.dataset.synthetic.demo import make_demo
from core.jobs.events import EventLog
from core.jobs.run_dir import create_run, delete_run, list_runs
from core.jobs.state import stored_state, write_state
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

HARMLESS = 1  # a page may be a scroll bar's rounding wider than its window


def start_empty(server: Server) -> None:
    """No runs and no data sets, also when the test runs a second time."""
    for folder in ("runs", "datasets"):
        shutil.rmtree(server.data_dir / folder, ignore_errors=True)


def test_progress_moves_by_itself_and_survives_a_reload_and_another_browser(server: Server, page, narrow_page):
    """The run is worked on by this test, step by step, so that nothing hangs on a machine's speed."""
    start_empty(server)
    out = server.data_dir / "datasets" / "faces"
    run = create_run(server.data_dir / "runs", "ingest", "faces", {"source": "/photographs", "out": str(out)})
    log = EventLog(run.events_path)
    write_state(run.path, replace(stored_state(run.path), status="running", started=datetime.now(UTC)))
    log.append("progress", done=10, total=100, rejected=0, per_s=5.0, left_s=18.0)
    page.goto(server.url("dataset"))
    bar = page.get_by_test_id("stProgress")
    expect(bar.get_by_text("10 of 100 photographs, 5 per second, 18 s left")).to_be_visible()
    log.append("progress", done=40, total=100, rejected=2, per_s=6.0, left_s=10.0)
    later = "40 of 100 photographs, 2 rejected, 6 per second, 10 s left"
    expect(bar.get_by_text(later)).to_be_visible()
    page.reload()
    expect(bar.get_by_text(later)).to_be_visible()
    narrow_page.goto(server.url("dataset"))
    expect(narrow_page.get_by_test_id("stProgress").get_by_text(later)).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(narrow_page.get_by_text("Stopping")).to_be_visible()
    assert run.stop_path.exists()
    log.close()
    write_state(run.path, replace(stored_state(run.path), status="stopped", ended=datetime.now(UTC)))
    for each in (page, narrow_page):
        expect(each.get_by_role("button", name="Resume")).to_be_visible()
        expect(each.get_by_text("Last progress: 40 of 100 photographs")).to_be_visible()
    delete_run(run)


def test_a_demo_is_drawn_and_seen_also_after_a_reload(server: Server, page):
    start_empty(server)
    page.goto(server.url("dataset"))
    expect(page.get_by_text("No data set yet")).to_be_visible()
    page.get_by_role("radio", name="Synthetic people").click()
    page.get_by_role("spinbutton", name="People").fill("3")
    page.get_by_role("spinbutton", name="Images per person").fill("6")
    page.get_by_role("button", name="Generate").click()
    started = page.get_by_text("Generating people: demo").or_(page.get_by_text("Ready for training"))
    expect(started.first).to_be_visible()
    page.reload()
    expect(page.get_by_text("Ready for training").or_(page.get_by_text("Usable with care")).first).to_be_visible()
    expect(page.get_by_text("Synthetic faces, no real people").first).to_be_visible()
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    [run] = list_runs(server.data_dir / "runs", "demo")
    assert run.state().status == "done"
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_nothing_scrolls_sideways_on_a_telephone(server: Server, narrow_page):
    if not (server.data_dir / "datasets" / "demo").is_dir():
        make_demo(server.data_dir / "datasets" / "demo", 2, 5)
    page = narrow_page
    page.goto(server.url("dataset"))
    for section, sign in (
        ("Counts", "Images of each person"),
        ("Faces", "bicubic"),
        ("Degradation", "camera 16 px"),
        ("Build a split", "People in train and val"),
    ):
        page.get_by_role("radio", name=section).click()
        expect(page.get_by_text(sign).first).to_be_visible()
        for place in ("html", "[data-testid='stMain']"):
            wide = page.locator(place).evaluate("each => each.scrollWidth - each.clientWidth")
            assert wide <= HARMLESS, (section, place)
