"""Help in a browser: links land on their answer, and nothing is wider than a telephone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Server

pytestmark = pytest.mark.browser


def test_a_link_opens_its_answer_and_the_search_finds_others(server: Server, page: Any) -> None:
    page.goto(server.url("help?topic=threshold"))
    page.get_by_text("0.35 is a starting value").wait_for()
    search = page.get_by_label("Search")
    search.fill("ConvNeXt")
    search.press("Enter")
    page.get_by_text("EdgeFace is EdgeNeXt").wait_for()
    assert page.get_by_text("Getting started").count() == 0


def test_help_fits_a_telephone(server: Server, narrow_page: Any) -> None:
    narrow_page.goto(server.url("help?topic=weights"))
    narrow_page.get_by_text("published by the Idiap Research Institute").wait_for()
    assert narrow_page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert narrow_page.evaluate(
        "[...document.querySelectorAll('[data-testid=stExpanderDetails] *')]"
        ".every(e => e.getBoundingClientRect().right <= window.innerWidth + 1)"
    )
