"""Training in a real browser and a real process: launched from the page, watched, reloaded, stopped and resumed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from core.dataset.synthetic.demo import make_demo
from core.jobs.run_dir import Run, list_runs
from core.models.encoders import describe, scan
from core.settings import PROJECT_ROOT, load_settings
from tests.app.training_runs import record
from tests.browser.conftest import Server, start

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]  # for several waits of LONGEST_MS

MODELS = PROJECT_ROOT / "data" / "models"
EPOCHS = 5000
"""So many that nobody is ever too late to stop it; a few of them are trained."""


LONGEST_MS = 180_000
"""For a test that would otherwise hang: nothing is measured."""


@pytest.fixture(scope="module")
def weights(request: pytest.FixtureRequest) -> Path:
    """The encoder that the project ships, else an official one; skips where there is neither."""
    shipped = [file.path for file in scan(replace(load_settings(), data_dir=Path("/nowhere"), models_dir=MODELS))]
    return shipped[0] if shipped else request.getfixturevalue("shared_dir") / "weights" / "edgeface_xxs_q.pt"


@pytest.fixture(scope="module")
def studio(server: Server, weights: Path) -> Iterator[Server]:
    """The dashboard with a drawn data set and weights in use: nobody's photograph."""
    data_dir = server.data_dir
    make_demo(data_dir / "datasets" / "demo", 3, 4)
    (data_dir / "weights").mkdir()
    kept = Path(shutil.copy(weights, data_dir / "weights"))
    chosen = {"path": f"weights/{kept.name}", "sha256": describe(kept).sha256}
    jobs = {"at_once": 2, "niceness": 0, "threads": 1}
    (data_dir / "active.json").write_text(json.dumps({"encoder": chosen, "jobs": jobs}), encoding="utf-8")
    yield server
    _end_runs(server)


def _at_work(server: Server) -> list[Run]:
    return [run for run in list_runs(server.data_dir / "runs") if run.state().live]


def _end_runs(server: Server) -> None:
    """Kill the workers and remove their runs."""
    for run in _at_work(server):
        state = run.state()
        if state.pid is not None and state.has_worker and state.pid != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGKILL)
    shutil.rmtree(server.data_dir / "runs", ignore_errors=True)


def _card(page: Any) -> Any:
    return page.locator("[class*=st-key-run_finetune]")


def _log(page: Any) -> Any:
    return page.locator(".st-key-training_log")


def _epochs_logged(page: Any) -> int:
    return max(map(int, re.findall(rf"Epoch (\d+)/{EPOCHS}", _log(page).inner_text())), default=0)


def _wait_for_more_than(page: Any, epochs: int) -> int:
    """Until the log on the screen shows a later epoch; the limit is for a test that would otherwise hang."""
    end = time.monotonic() + LONGEST_MS / 1000
    while (now := _epochs_logged(page)) <= epochs:
        assert time.monotonic() < end, "the log doesn't grow"
        page.wait_for_timeout(200)
    return now


def test_a_run_is_launched_watched_reloaded_stopped_and_resumed(
    studio: Server, page: Any, chromium: Any, tmp_path: Any
) -> None:
    _end_runs(studio)  # of a first try of this test
    page.set_default_timeout(LONGEST_MS)
    page.goto(studio.url("training"))
    page.get_by_text("Two stages, as in the notes").click()
    for name, value in (("stage1-epochs", EPOCHS), ("batch_size", 4)):
        field = page.locator(f".st-key-training_finetune_notes_{name} input")  # the other recipe's may still be there
        field.fill(str(value))
        field.press("Enter")
    expect(page.get_by_text("Changed: stage1.epochs = 5000, batch_size = 4.")).to_be_visible()
    page.get_by_role("button", name="Start training").click()
    expect(_card(page).get_by_text("Running")).to_be_visible()
    seen = _wait_for_more_than(page, 1)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=LONGEST_MS)
    [run] = list_runs(studio.data_dir / "runs", "finetune")
    assert page.url.endswith(f"run={run.id.replace('/', '%2F')}")

    page.reload()
    expect(_card(page).get_by_text("Running")).to_be_visible()
    seen = _wait_for_more_than(page, seen)

    again, address = start(studio.data_dir, tmp_path / "again.log")  # a restarted dashboard, in a second browser
    try:
        other = chromium.new_context().new_page()
        other.goto(page.url.replace(studio.address, address))
        expect(_card(other).get_by_text("Running")).to_be_visible()
        other.get_by_role("button", name="Stop").click()
        expect(other.get_by_text("The run was stopped.")).to_be_visible(timeout=LONGEST_MS)
        other.context.close()
    finally:
        again.terminate()
        again.wait(timeout=20)
    expect(page.get_by_text("The run was stopped.")).to_be_visible(timeout=LONGEST_MS)
    assert run.state().status == "stopped"
    seen = _epochs_logged(page)

    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("attempt 2")).to_be_visible()
    expect(_log(page).get_by_text("Resuming")).to_be_visible(timeout=LONGEST_MS)
    _wait_for_more_than(page, seen)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The run was stopped.")).to_be_visible(timeout=LONGEST_MS)
    assert run.state().attempts == 2 and page.get_by_text("Traceback").count() == 0
    steps = [e["data"]["step"] for e in map(json.loads, run.events_path.open()) if e["kind"] == "epoch"]
    assert steps == list(range(1, len(steps) + 1)), "no epoch was lost or trained twice"


def test_nothing_is_wider_than_a_telephone(studio: Server, narrow_page: Any) -> None:
    runs = [record(studio.data_dir, status="done"), record(studio.data_dir, "dsr", status="stopped", epochs=3)]
    compared = "&".join(f"compare={run.id}" for run in runs)
    for address in (f"training?{compared}", *(f"training?run={run.id}" for run in runs)):
        narrow_page.goto(studio.url(address))
        expect(narrow_page.locator(".js-plotly-plot").first).to_be_visible()
        assert narrow_page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 400
        right = (
            "Math.max(...[...document.querySelectorAll('.js-plotly-plot')].map(e => e.getBoundingClientRect().right))"
        )
        assert narrow_page.evaluate(right) <= 400
