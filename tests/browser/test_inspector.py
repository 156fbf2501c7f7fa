"""The Inspector in a browser: the wipe by mouse and by key, the next face by a key, no overflow on a telephone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import WAIT_MS, Server
from tests.unit.evaluation.sets import small_dataset

pytestmark = pytest.mark.browser


def test_wipe_zoom_and_the_next_face(ready_server: Server, page: Any) -> None:
    if not (folder := ready_server.data_dir / "datasets" / "small").is_dir():
        small_dataset(folder, people=3, each=2, single=0)
    page.goto(ready_server.url("inspector"))
    handle = page.locator(".ef-handle")
    handle.wait_for(timeout=4 * WAIT_MS)  # the first page loads the network
    page.get_by_text("1 of 6").first.wait_for()

    handle.scroll_into_view_if_needed()
    box = page.locator(".ef-two").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 60, steps=3)
    page.mouse.up()
    assert abs(int(handle.get_attribute("aria-valuenow")) - 20) <= 1
    page.keyboard.press("End")
    assert handle.get_attribute("aria-valuenow") == "100"
    page.keyboard.press("Shift+ArrowLeft")
    assert handle.get_attribute("aria-valuenow") == "90"

    page.get_by_role("button", name="Zoom in").click()
    moves = page.locator(".ef-stage img").evaluate_all(
        "all => new Set(all.map(i => getComputedStyle(i).transform)).size"
    )
    assert moves >= 1 and page.locator(".ef-zoom").inner_text() == "150 %"
    shares = page.locator(".ef-grid .ef-stage img").evaluate_all(
        "all => all.map(i => i.getBoundingClientRect().width / i.parentElement.getBoundingClientRect().width)"
    )
    assert len(shares) == 4 and all(abs(share - 1.5) < 0.01 for share in shares), "in step"

    page.keyboard.press("n")
    page.get_by_text("2 of 6").first.wait_for()
    assert handle.get_attribute("aria-valuenow") == "90" and page.locator(".ef-zoom").inner_text() == "150 %"

    page.set_viewport_size({"width": 400, "height": 800})
    page.locator(".ef-two").scroll_into_view_if_needed()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    wide = page.locator(".ef-grid").bounding_box()
    assert wide["width"] <= 400 and page.locator(".ef-grid figure").first.bounding_box()["width"] > 140
