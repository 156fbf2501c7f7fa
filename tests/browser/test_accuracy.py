"""The Accuracy page in a real browser and a real process: measured from the form, watched, looked at, reloaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from core.jobs.run_dir import list_runs
from core.models.encoders import describe
from tests.browser.conftest import Server, at_rest
from tests.made_peer import made_peer
from tests.made_weights import save_encoder
from tests.unit.evaluation.sets import small_dataset

pytestmark = pytest.mark.browser

LONGEST_MS = 180_000
"""For a test that would otherwise hang: nothing is measured."""


def widest(page: Any) -> int:
    right = (
        "Math.max(...[...document.querySelectorAll('.js-plotly-plot, img')].map(e => e.getBoundingClientRect().right))"
    )
    return max(page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth"), page.evaluate(right))


@pytest.fixture(scope="module")
def studio(server: Server) -> Server:
    """A miniature data set, and weights in use that nothing loads: the peer is what is measured."""
    import torch

    data_dir = server.data_dir
    small_dataset(data_dir / "datasets" / "small", people=4, each=3, single=1)
    made = save_encoder(data_dir / "weights" / "made.safetensors", {"head": torch.zeros(1)})
    peer = Path(shutil.copy(made_peer(), data_dir / "peer.onnx"))
    assert peer.is_file()
    chosen = {"path": "weights/made.safetensors", "sha256": describe(made).sha256}
    (data_dir / "active.json").write_text(json.dumps({"encoder": chosen, "jobs": {"niceness": 0}}), encoding="utf-8")
    return server


def test_measured_from_the_form_and_looked_at(studio: Server, page: Any) -> None:
    shutil.rmtree(studio.data_dir / "runs", ignore_errors=True)  # of a first run of this test
    page.set_default_timeout(LONGEST_MS)
    page.goto(studio.url("accuracy"))
    expect(page.get_by_text("Nothing measured yet")).to_be_visible()
    page.locator(".st-key-accuracy_measure_weights [aria-label^='Remove']").first.click()
    page.get_by_text("Everything else").click()
    peer = page.get_by_label("Another recogniser to compare")
    peer.fill(str(studio.data_dir / "peer.onnx"))
    peer.press("Enter")
    at_rest(page)
    page.get_by_role("button", name="Measure", exact=True).last.click()
    expect(page.get_by_text("Accuracy against resolution")).to_be_visible(timeout=LONGEST_MS)
    [run] = list_runs(studio.data_dir / "runs", "evaluate")
    assert run.state().status == "done" and run.config["systems"][0]["weights"].endswith("peer.onnx")

    page.get_by_role("radio", name="People", exact=True).click()
    bar = page.locator(".st-key-accuracy_people .points path").first
    expect(bar).to_be_visible()
    bar.click(force=True)
    expect(page.locator(".st-key-accuracy_person_box figure").first).to_be_visible()
    assert page.locator(".st-key-accuracy_person_box figure img").count() == 9

    page.reload()
    expect(page.get_by_text("95\u00a0% Wilson intervals")).to_be_visible()
    page.get_by_role("radio", name="Scores").click()
    far = page.locator("[data-testid=stMetricValue]").first
    expect(far).to_be_visible()
    before = far.inner_text()
    handle = page.get_by_role("slider")
    handle.focus()
    handle.press("Home")
    expect(far).not_to_have_text(before)
    with page.expect_download() as taken:
        page.get_by_role("button", name="Report (HTML)").click()
    assert Path(taken.value.path()).read_text(encoding="utf-8").startswith("<!doctype html>")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Histogram as CSV").click()
    assert Path(taken.value.path()).read_text(encoding="utf-8").count("\n") > 2
    with page.expect_download() as taken:
        page.locator(".modebar-btn").first.click()
    assert taken.value.suggested_filename.endswith(".png")
    assert Path(taken.value.path()).read_bytes().startswith(b"\x89PNG")

    page.set_viewport_size({"width": 400, "height": 800})
    for part in ("Overview", "Scores", "People", "Protocol"):
        page.goto(studio.url(f"accuracy?run={run.id}&accuracy_part={part}"))
        expect(page.get_by_role("radio", name=part)).to_be_checked()
        page.wait_for_timeout(500)
        assert widest(page) <= 400, part
    assert page.get_by_text("Traceback").count() == 0
