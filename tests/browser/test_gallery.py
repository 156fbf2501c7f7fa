"""Gallery and Enrol in a real browser: names as typed, the delete dialog, and a person enrolled by hand."""

from __future__ import annotations

import re

import pytest
import skimage.data
from PIL import Image
from playwright.sync_api import expect

from tests.app.conftest import fill
from tests.browser.conftest import at_rest, give_files, remove_everybody

pytestmark = pytest.mark.browser

NASTY = "**Bold** <img src=x onerror=alert(1)> :smile: :material/home: $x^2$ -> www.evil.example"
JOINER = "\u2060"


def text_of(locator) -> str:
    return locator.inner_text().replace(JOINER, "")


def enrol_only(server, name):
    remove_everybody(server.data_dir)
    fill(server.data_dir, name)


def open_person(page, server, name):
    page.goto(server.url("gallery"))
    card = page.locator(".st-key-gallery_grid > *").filter(has_text=name)
    expect(card).to_have_count(1)
    card.get_by_role("button", name="Open").click()
    expect(page.get_by_role("button", name="Add photographs")).to_be_visible()
    at_rest(page)


def rename_to(page, name):
    page.get_by_text("Rename", exact=True).click()
    page.get_by_role("textbox", name="New name").fill(name)
    at_rest(page)
    page.get_by_role("button", name="Save the name").click()
    said = page.get_by_test_id("stAlert").filter(has_text="Renamed to")
    expect(said).to_be_visible()
    return said


def test_a_name_is_shown_as_typed_in_html_and_in_messages(server, page):
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    enrol_only(server, "Somebody")
    open_person(page, server, "Somebody")
    said = rename_to(page, NASTY)
    assert f"Renamed to {NASTY}." in text_of(said)
    expect(said.locator("a, img, strong, em, .katex")).to_have_count(0)
    expect(page.locator(".ef-name").first).to_have_text(NASTY)
    assert dialogs == []


def test_a_person_found_by_name_opens_while_the_search_still_runs(server, page):
    remove_everybody(server.data_dir)
    fill(server.data_dir, "Ada Lovelace", "Grace Hopper", "Mary Somerville")
    for name in ("Ada Lovelace", "Grace Hopper", "Mary Somerville"):
        page.goto(server.url("gallery"))
        cards = page.locator(".st-key-gallery_grid > *")
        expect(cards).to_have_count(3)
        search = page.get_by_role("textbox", name="Find by name")
        search.fill(name.split()[0])
        search.press("Enter")
        cards.filter(has_text=name).get_by_role("button", name="Open").click()
        expect(page.get_by_role("button", name="Add photographs")).to_be_visible()
        expect(page.locator(".ef-name").first).to_have_text(name)


def test_deleting_needs_a_second_click_and_can_be_left(server, page):
    enrol_only(server, "Ada Lovelace")
    open_person(page, server, "Ada Lovelace")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("This can't be undone.")).to_be_visible()
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(page.get_by_test_id("stAlert").filter(has_text="Ada Lovelace was deleted")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_export_can_be_downloaded(server, page, tmp_path):
    enrol_only(server, "Grace Hopper")
    page.goto(server.url("gallery"))
    page.get_by_text("Export", exact=True).click()
    at_rest(page)
    page.get_by_text("I am authorised to export this data").click()
    expect(page.get_by_role("button", name="Create the file")).to_be_enabled()
    at_rest(page)
    page.get_by_role("button", name="Create the file").click()
    expect(page.get_by_test_id("stAlert").filter(has_text="unencrypted")).to_be_visible()
    at_rest(page)
    with page.expect_download() as caught:
        page.get_by_role("button", name=re.compile("^Download")).click()
    caught.value.save_as(tmp_path / "g.zip")
    assert (tmp_path / "g.zip").read_bytes().startswith(b"PK")


@pytest.mark.shared
def test_a_person_is_enrolled_from_uploaded_files(ready_server, page, tmp_path):
    astronaut = Image.fromarray(skimage.data.astronaut())
    for number, size in enumerate((512, 300), start=1):
        astronaut.resize((size, size)).save(tmp_path / f"photograph-{number}.png")
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    remove_everybody(ready_server.data_dir)
    page.goto(ready_server.url("enroll"))
    give_files(page, sorted(tmp_path.iterdir()))
    for name in ("photograph-1.png", "photograph-2.png", "broken.jpg"):
        expect(page.get_by_text(name)).to_be_visible()
    page.get_by_role("button", name="Find faces").click()
    expect(page.get_by_text("Photograph 2")).to_be_visible()
    expect(page.get_by_text("Can't be used")).to_be_visible()
    page.get_by_role("textbox", name="Name", exact=True).fill("Eileen Collins")
    page.get_by_role("textbox", name="Name", exact=True).press("Enter")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Eileen Collins is enrolled")).to_be_visible()
    expect(page.get_by_role("img", name="Face of Eileen Collins").first).to_be_visible()
    page.get_by_role("button", name="Identify a photograph").click()
    expect(page.get_by_role("heading", name="Identify", level=1)).to_be_visible()
    expect(page.get_by_text("Traceback")).to_have_count(0)
