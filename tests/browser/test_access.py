"""Two roles walk through the pages in a real browser: the door, what a viewer is refused, what an admin sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Page, expect

from core.access.actor import acting_as, owner
from core.access.roles import Role
from core.access.users import add_user
from core.settings import load_settings
from tests.app.conftest import fill
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser
PASSWORD = "four words quite apart"


@pytest.fixture(scope="module")
def guarded(server: Server) -> Server:
    """The dashboard with an admin, a viewer, and two people enrolled."""
    settings = load_settings({"EDGEFACE_DATA_DIR": str(server.data_dir)})
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with acting_as(owner()):
        add_user(settings, "ada", PASSWORD, Role.ADMIN, hasher=quick)
        add_user(settings, "vera", PASSWORD, Role.VIEWER, hasher=quick)
        fill(server.data_dir, "Grace Hopper", "Alan Turing")
    return server


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_attached()


def keep(page: Page, name: str) -> None:
    """A picture for people to look at, where a folder for them is named."""
    folder = os.environ.get("EDGEFACE_SHOTS")
    if folder:
        for width in (1280, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(2500)
            page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
        page.set_viewport_size({"width": 1280, "height": 900})


def test_a_viewer_and_an_admin_walk_through_the_pages(guarded: Server, page: Page) -> None:
    page.goto(guarded.url("gallery"))
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "Hopper" not in page.content()
    keep(page, "sign-in")
    sign_in(page, "vera")
    expect(page.get_by_text("Grace Hopper")).to_be_visible()
    expect(page.get_by_text("needs the role operator")).to_be_visible()
    sidebar = page.get_by_test_id("stSidebarNav")
    expect(sidebar.get_by_text("Identify")).to_be_attached()
    assert sidebar.get_by_text("Enrol").count() == 0 and sidebar.get_by_text("Access").count() == 0
    assert page.get_by_role("button", name="Enrol a person").count() == 0
    keep(page, "viewer-gallery")

    page.goto(guarded.url("enroll"))  # by address, which loads the page anew: the door again
    sign_in(page, "vera")
    expect(page.get_by_text("role viewer can't enrol people")).to_be_visible()
    keep(page, "refused")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()

    page.goto(guarded.url("access"))
    sign_in(page, "ada")
    expect(page.get_by_test_id("stDataFrame")).to_have_count(2)
    keep(page, "users-and-audit")
    page.goto(guarded.url("gallery"))
    sign_in(page, "ada")
    expect(page.get_by_role("button", name="Enrol a person")).to_be_visible()
