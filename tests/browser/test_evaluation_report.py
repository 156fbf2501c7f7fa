"""The report of an evaluation, opened from disk with no network: complete, and as wide as the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.evaluation.evaluate import evaluate_pictures
from core.evaluation.evaluation_spec import Plan, SystemSpec
from core.evaluation.pictures import pictures_of_dataset
from core.evaluation.report_files import write_evaluation
from core.evaluation.systems import open_system
from tests.made_peer import made_peer
from tests.unit.evaluation.sets import small_dataset

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    pictures = pictures_of_dataset(small_dataset(folder / "small", people=4, each=2, single=1))
    plan = Plan(sizes=(None, 8), bootstrap=20, sr_images=2)  # so small that some are taken for others
    system = open_system(SystemSpec(weights=str(made_peer())))
    write_evaluation(evaluate_pictures([system], pictures, plan, data={"data": "small"}), folder)
    return folder / "report.html"


@pytest.mark.parametrize("width", [1280, 400])
def test_a_report_needs_nothing_but_a_browser(chromium, report: Path, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(report.as_uri(), wait_until="commit")
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=120_000)
    page.wait_for_load_state(timeout=120_000)  # every chart is drawn by then
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    charts = page.locator(".js-plotly-plot")
    assert charts.count() == page.locator(".charts [id^=chart]").count() > 8
    for title in ("Verification", "ROC", "Person by person", "Confused pairs", "Sweep over thresholds", "Protocol"):
        assert page.locator("h2", has_text=title).count() >= 1, title
    assert "weights_sha256" in page.locator("pre").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wider = """() => [...document.querySelectorAll(".js-plotly-plot")].filter(each => each.querySelector(".main-svg")
        .getBoundingClientRect().width > each.parentElement.getBoundingClientRect().width + 1).length"""
    page.wait_for_function(f"() => ({wider})() === 0")  # no chart lies under its neighbour
    context.close()
