"""What only a browser shows of Diagnostics: points drawn around on the map have their faces beside it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.app.conftest import fill
from tests.browser.conftest import remove_everybody

pytestmark = pytest.mark.browser


def test_points_drawn_around_show_their_faces(server, page):
    remove_everybody(server.data_dir)
    fill(server.data_dir, "Ada Lovelace", "Grace Hopper", photographs=4)
    page.goto(server.url("diagnostics?show=map"))
    page.get_by_role("button", name="The gallery", exact=True).or_(
        page.get_by_role("radio", name="The gallery", exact=True)
    ).first.click()
    expect(page.get_by_text("to see their faces here")).to_be_visible()
    area = page.locator(".js-plotly-plot .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.down()
    right, low = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    for x, y in ((right, box["y"] + 3), (right, low), (box["x"] + 3, low), (box["x"] + 3, box["y"] + 3)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    expect(page.get_by_role("heading", name=re.compile("8 points, 2 people"))).to_be_visible()
    expect(page.get_by_role("img", name="Face of Ada Lovelace")).to_have_count(4)
