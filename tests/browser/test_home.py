"""Home in a real browser: from nothing to the next step."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import give_files

pytestmark = pytest.mark.browser


def test_home_opens_with_the_next_step_and_a_way_to_weights(server, page):
    page.goto(server.url())
    expect(page.get_by_role("heading", name="EdgeFace Studio")).to_be_visible()
    expect(page.get_by_role("heading", name="Next: get the weights")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Download edgeface_xxs "))).to_be_enabled()
    expect(page.get_by_text("CC BY-NC-SA 4.0")).to_be_visible()
    expect(page.get_by_text("BSD 3-Clause")).to_be_visible()


@pytest.mark.parametrize("name", ["enroll", "identify"])
def test_without_weights_a_page_leads_to_home(server, page, name):
    page.goto(server.url(name))
    page.get_by_role("button", name="Get the weights on Home").click()
    expect(page.get_by_role("heading", name="Next: get the weights")).to_be_visible()


@pytest.mark.parametrize("name", ["", "enroll", "identify", "gallery", "help"])
def test_nothing_is_wider_than_a_telephone(server, narrow_page, name):
    narrow_page.goto(server.url(name))
    expect(narrow_page.get_by_role("heading", level=1)).to_be_visible()
    width = narrow_page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert width <= 400


def test_a_weights_file_that_is_none_is_refused_in_words(server, page, tmp_path):
    bad = tmp_path / "holiday.pt"
    bad.write_bytes(b"not weights")
    page.goto(server.url())
    page.get_by_role("tab", name="Use your own file").click()
    give_files(page, bad)
    expect(page.get_by_text("holiday.pt").first).to_be_visible()
    page.get_by_role("button", name="Check and use").click()
    expect(page.get_by_test_id("stAlert").filter(has_text="holiday.pt")).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_home_also_opens_by_its_name_in_the_address(server, page):
    page.goto(server.url("home"))
    expect(page.get_by_role("heading", name="Next: get the weights")).to_be_visible()
    expect(page).to_have_url(server.url())
    expect(page).to_have_title("EdgeFace Studio")
    expect(page.get_by_text("Page not found")).to_have_count(0)
    page.goto(server.url("help"))
    expect(page).to_have_title("Help · EdgeFace Studio")
