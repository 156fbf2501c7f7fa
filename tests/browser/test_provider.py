"""Signing in with a provider: a real OpenID Connect server on this machine, Streamlit's own way there and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.access.actor import acting_as, owner
from core.access.trail import read_trail
from core.settings import load_settings
from tests.app.conftest import fill
from tests.browser.conftest import Server, start

provider_mock = pytest.importorskip("oidc_provider_mock", reason="oidc-provider-mock isn't installed")
pytestmark = pytest.mark.browser

_SECRETS = """
[auth]
redirect_uri = "http://localhost:{port}/oauth2callback"
cookie_secret = "{secret}"
client_id = "edgeface-studio"
client_secret = "kept between the two"
server_metadata_url = "http://localhost:{provider}/.well-known/openid-configuration"

[access]
admins = ["ada@example.org"]
viewers = ["vera@example.org", "unverified@example.org"]
"""


@pytest.fixture(scope="module")
def guarded(chromium: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard that asks the provider, with somebody enrolled."""
    people = [
        provider_mock.User(sub=name, claims={"email": f"{name}@example.org", "email_verified": name != "unverified"})
        for name in ("ada", "vera", "eve", "unverified")
    ]
    data_dir, folder = tmp_path_factory.mktemp("provider-data"), tmp_path_factory.mktemp("provider")
    with acting_as(owner()):
        fill(data_dir, "Grace Hopper")
    with provider_mock.run_server_in_thread(user_claims=people) as provider:

        def options(port: int) -> list[str]:
            secrets = folder / "secrets.toml"
            secret = os.urandom(32).hex()
            secrets.write_text(_SECRETS.format(port=port, provider=provider.server_port, secret=secret))
            return ["--secrets.files", str(secrets)]

        process, address = start(data_dir, folder / "server.log", options)
        yield Server(address, data_dir, folder / "server.log")
        process.terminate()
        process.wait(timeout=20)


def sign_in(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Sign in with your organisation").click()
    page.get_by_role("button", name=name, exact=True).click()


def sign_out(page: Page) -> None:
    """At the dashboard, then at the provider, which comes back."""
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_role("button", name="Sign in with your organisation")).to_be_visible()


def keep(page: Page, name: str) -> None:
    """A picture for people to look at, where a folder for them is named."""
    if folder := os.environ.get("EDGEFACE_SHOTS"):
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_the_provider_lets_in_whom_the_lists_name_with_their_role_and_nobody_else(guarded: Server, page: Page) -> None:
    page.route("https://**", lambda route: route.abort())  # the provider's page would fetch a style sheet
    page.goto(guarded.url("gallery"))
    expect(page.get_by_role("button", name="Sign in with your organisation")).to_be_visible()
    assert "Hopper" not in page.content()

    sign_in(page, guarded.url("gallery"), "vera")
    expect(page.get_by_test_id("stSidebar").get_by_text(", viewer")).to_be_attached()
    page.goto(guarded.url("gallery"))  # a reload doesn't ask again: the provider's cookie stays
    expect(page.get_by_text("Grace Hopper")).to_be_visible()
    expect(page.get_by_text("needs the role operator").first).to_be_visible()
    keep(page, "provider-viewer")
    sign_out(page)
    page.goto(guarded.url("gallery"))
    expect(page.get_by_role("button", name="Sign in with your organisation")).to_be_visible()
    assert "Hopper" not in page.content()

    for stranger in ("eve",):
        sign_in(page, guarded.url("gallery"), stranger)
        expect(page.get_by_text("has no role here")).to_be_visible()
        assert "Hopper" not in page.content()
        keep(page, f"provider-{stranger}")
        sign_out(page)

    sign_in(page, guarded.url("access"), "ada")
    expect(page.get_by_test_id("stSidebar").get_by_text(", admin")).to_be_attached()
    page.goto(guarded.url("access"))
    expect(page.get_by_text("People sign in with your organisation's provider")).to_be_visible()
    told = read_trail(load_settings({"EDGEFACE_DATA_DIR": str(guarded.data_dir)}), 20)
    assert ("vera@example.org", "signed out") in {(each.actor, each.event) for each in told}
