"""Drawing a square around a missed face in a browser: by mouse, by touch and by keyboard, at both widths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from tests.browser.conftest import Server, at_rest, give_files

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 440, 220
SMALL_FACE = (312.0, 92.0, 336.0, 122.0)
"""Where the smaller face of the group is: x0, y0, x1, y1."""

_STILL = """async stage => {
    for (let frames = 0, last = null; frames < 20; frames++) {
        const top = stage.getBoundingClientRect().top;
        if (top !== last) frames = 0;
        last = top;
        await new Promise(requestAnimationFrame);
    }
}"""
"""Waits until the photograph stands still: what opens above or around it moves it for a while."""


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real face twice: large, and small, of which only the large one is asked for."""
    one = Image.fromarray(skimage.data.astronaut()).crop((120, 0, 340, 220))
    picture = Image.new("RGB", (WIDTH, HEIGHT), (90, 110, 120))
    picture.paste(one, (0, 0))
    picture.paste(one.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((60, 60)), (290, 76))
    path = tmp_path_factory.mktemp("photographs") / "group.png"
    picture.save(path)
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph without a face."""
    ramp = np.linspace(60, 160, WIDTH * HEIGHT * 3).reshape(HEIGHT, WIDTH, 3).astype(np.uint8)
    path = tmp_path_factory.mktemp("photographs") / "empty.png"
    Image.fromarray(ramp).save(path)
    return path


def ask_for_the_largest_alone(page: Any, server: Server, group: Path) -> None:
    page.goto(server.url("identify"))
    give_files(page, group)
    page.get_by_text("1 photograph, 2 faces").wait_for()
    page.get_by_text("Every face in the photograph").click()
    page.get_by_text("1 photograph, 1 face:").wait_for()
    page.get_by_text("Add a face by hand").click()
    page.locator(".ef-stage img").wait_for()
    at_rest(page)


def corners(page: Any, box: tuple[float, float, float, float]) -> list[tuple[float, float]]:
    """The upper left and lower right corner, on the screen, of a box in the photograph."""
    stage = page.locator(".ef-stage")
    stage.evaluate(_STILL)
    stage.evaluate("stage => stage.scrollIntoView({block: 'center'})")
    stage.evaluate(_STILL)
    at = stage.bounding_box()
    scale = at["width"] / WIDTH
    return [(at["x"] + x * scale, at["y"] + y * scale) for x, y in (box[:2], box[2:])]


def drag(page: Any, box: tuple[float, float, float, float]) -> None:
    start, end = corners(page, box)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()


def test_a_dragged_square_gets_its_answer(ready_server: Server, page: Any, group: Path) -> None:
    ask_for_the_largest_alone(page, ready_server, group)
    drag(page, SMALL_FACE)
    page.get_by_text("1 photograph, 2 faces:").wait_for()
    page.get_by_text("marked by hand").wait_for()
    assert page.locator(".ef-frame .ef-box").count() == 2
    at_rest(page)
    assert page.locator(".ef-stage .ef-found").count() == 2
    assert page.locator(".ef-stage .ef-square").is_hidden()


def test_a_finger_draws_too(ready_server: Server, narrow_page: Any, group: Path) -> None:
    page = narrow_page
    ask_for_the_largest_alone(page, ready_server, group)
    (x0, y0), (x1, y1) = corners(page, SMALL_FACE)
    touch = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [(x0, y0)]),
        *(("touchMove", [(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part)]) for part in (0.3, 0.7, 1.0)),
        ("touchEnd", []),
    ):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})
    page.get_by_text("marked by hand").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_where_no_face_is_the_next_step_is_said_by_keyboard_too(ready_server: Server, page: Any, empty: Path) -> None:
    page.goto(ready_server.url("identify"))
    give_files(page, empty)
    page.get_by_text("No face found").wait_for()
    stage = page.locator(".ef-stage")
    stage.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown", "+"):
        stage.press(key)
    said = page.locator(".ef-said").inner_text()
    assert said.startswith("Square of 61 × 61 px at 18"), said
    stage.press("Enter")
    page.get_by_text("No face can be seen in this square").wait_for()
    assert page.locator(".ef-square.ef-missed").is_visible()
    page.get_by_text("Remove the square").click()
    page.get_by_text("No face can be seen in this square").wait_for(state="hidden")


def test_zoomed_in_the_square_is_where_it_was_drawn(ready_server: Server, page: Any, empty: Path) -> None:
    page.goto(ready_server.url("identify"))
    give_files(page, empty)
    stage = page.locator(".ef-stage")
    stage.wait_for()
    at_rest(page)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Move the photograph").click()
    (x, y), _ = corners(page, (220, 110, 0, 0))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y, steps=3)
    page.mouse.up()
    page.get_by_role("button", name="Draw a square").click()
    page.mouse.move(x - 40, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 60, steps=3)
    page.mouse.up()
    page.get_by_text("No face can be seen in this square").wait_for()
    scale = stage.bounding_box()["width"] / WIDTH * 1.6**2
    assert (
        f"Square of {round(100 / scale)} × {round(100 / scale)} px at 220, 110" in page.locator(".ef-said").inner_text()
    )


def test_on_enrol_a_photograph_without_a_face_can_be_drawn_on(ready_server: Server, page: Any, empty: Path) -> None:
    page.goto(ready_server.url("enroll"))
    give_files(page, empty)
    page.get_by_role("button", name="Find faces").click()
    page.get_by_text("Mark a face by hand, or choose others").wait_for()
    page.locator(".ef-stage img").wait_for()
    at_rest(page)
    drag(page, (100, 60, 180, 140))
    page.get_by_text("No face can be seen in this square").wait_for()
