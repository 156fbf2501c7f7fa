"""No page asks another machine for anything: no font, no icon, no count of visits."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request

from dashboard.shell.navigation import PAGES_DIR
from tests.browser.conftest import Server, at_rest

pytestmark = pytest.mark.browser

_ICON = "document.querySelector('link[rel~=icon]').href"
_REFUSED = """
address => new Promise(done => {
  document.addEventListener("securitypolicyviolation", violation => done(violation.blockedURI), {once: true});
  new Image().src = address;
})
"""


@pytest.mark.parametrize("name", ["", *sorted(path.stem for path in PAGES_DIR.glob("*.py"))])
def test_every_request_stays_on_this_machine(server: Server, page: Page, name: str) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.context.on("request", note)
    page.goto(server.url(name))
    page.locator("[data-testid=stMain] h1").first.wait_for()
    at_rest(page)
    page.wait_for_load_state("networkidle")
    own = urlsplit(server.address).netloc
    sent = [each for each in asked if not each.startswith(("data:", "blob:"))]
    assert sent and [each for each in sent if urlsplit(each).netloc != own] == []
    # a tab's icon isn't among a page's requests: what the page names, and what the browser would refuse it
    page.wait_for_function(f"{_ICON}.startsWith('data:image/svg+xml')")
    assert page.evaluate(_REFUSED, "https://fonts.gstatic.com/icon.svg") == "https://fonts.gstatic.com/icon.svg"
