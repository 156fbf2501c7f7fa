"""A camera in a real browser: Chromium's fake one plays a person. Enrolled from the video they are named before the
camera, and another person stays unknown; a refused camera is told; whatever ends a stream (stop, leaving, reloading)
ends its sockets and threads."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.gallery.store import Gallery
from core.video.sightings import SightingRule, sightings, write_rule
from tests.browser.conftest import _FLAGS, CHROMIUM, ROOT, playwright_api, remove_everybody, start
from tests.browser.fake_camera import drawn, photographs, posed, write_mjpeg

pytestmark = pytest.mark.browser

WAIT_MS = 150_000
NAME = "Ada Lovelace"
LONG_LOOK = 150
"""Frames of each picture, of which Chromium plays 30 a second: whoever holds still for five seconds is also seen by a
machine that does little else but something else."""

SECRETS = """
[webrtc]
width = 320
height = 240
frame_rate = 8
"""
PLAYING = """() => { const frame = document.querySelector('iframe[title*=webrtc]');
  const video = frame && frame.contentDocument && frame.contentDocument.querySelector('video');
  return Boolean(video && video.videoWidth && video.currentTime > 0.2) }"""
COUNTED = """(() => { const Own = window.RTCPeerConnection; if (!Own) return;
  window.RTCPeerConnection = class extends Own {
    constructor(...given) { super(...given); window.top.opened = (window.top.opened || 0) + 1 } } })()"""
LIST = "[class*=st-key-identify_live_list]"


@dataclass(frozen=True)
class Live:
    """A dashboard whose process is known, and browsers: the camera of `ada` shows her, that of `bo` another person.
    `real`: photographs and official weights; else drawn faces and the starter weights that ship."""

    address: str
    data_dir: Path
    process: psutil.Process
    stacks: Path
    playwright: Any
    videos: dict[str, Path]
    real: bool

    @contextmanager
    def page(self, who: str, *, camera: bool = True) -> Iterator[Any]:
        """A page in a browser of its own, closed at the end: a stream that is left open would keep the server busy."""
        flags = [
            *_FLAGS,
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={self.videos[who]}",
        ]
        browser = self.playwright.launch(executable_path=CHROMIUM, args=flags)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(WAIT_MS)
        if camera:
            context.grant_permissions(["camera"], origin=self.address)
        try:
            yield context.new_page()
        finally:
            browser.close()

    @property
    def peers(self) -> int:
        """Open UDP sockets: every WebRTC connection holds at least one, and nothing else here does."""
        return len(self.process.net_connections(kind="udp"))

    @property
    def threads(self) -> int:
        """Threads of the server that do a stream's work, or wait for it: by what stands on their stacks."""
        before = self.stacks.stat().st_size
        self.process.send_signal(signal.SIGUSR1)
        until(lambda: self.stacks.stat().st_size > before and _whole(self.stacks, before), "the stacks of all threads")
        each = re.split(r"^(?=Thread|Current thread)", self.stacks.read_text()[before:], flags=re.MULTILINE)
        ours = [stack for stack in each if re.search(r"/(streamlit_webrtc|aiortc|core/video)/|on_end$", stack, re.M)]
        return sum("bootstrap.py" not in stack and "script_runner.py" not in stack for stack in ours)


def _whole(stacks: Path, before: int) -> bool:
    """Every thread ends where threads begin; the main thread where the program does."""
    dump = stacks.read_text()[before:]
    blocks = [block for block in re.split(r"\n\n", dump) if block.strip()]
    begun = ("_bootstrap", "<module>", "_run_module_code", "_run_code")
    return dump.endswith("\n") and all(any(name in block.splitlines()[-1] for name in begun) for block in blocks)


@pytest.fixture(scope="module")
def live(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A dashboard with weights, which asks cameras for small pictures, few a second: what a test has need of."""
    if (busy := os.getloadavg()[0]) > 3 * (os.cpu_count() or 1):
        pytest.skip(f"the machine is too busy for live video (load {busy:.0f})")
    folder = tmp_path_factory.mktemp("live")
    shared = Path(os.environ.get("EDGEFACE_SHARED") or folder / "none")
    images = shared / "data" / "lfw" / "images"
    real = (images / "Tony_Blair").is_dir()
    data_dir = folder / "data"
    weights, models = data_dir / "weights", data_dir / "models"
    weights.mkdir(parents=True)
    models.mkdir()
    if real:
        people = {"ada": photographs(images / "Tony_Blair"), "bo": photographs(images / "Colin_Powell")}
        shutil.copy(shared / "weights" / "edgeface_xxs_q.pt", weights)
    else:
        people = {"ada": drawn(0), "bo": drawn(3)}
        for file in (ROOT / "data" / "models").glob("edgeface-xxs-starter.*"):
            shutil.copy(file, models)
    videos = {
        "ada": write_mjpeg(folder / "ada.mjpeg", posed(people["ada"]), each=LONG_LOOK),
        "bo": write_mjpeg(folder / "bo.mjpeg", [next(people["bo"])]),
    }
    secrets, stacks = folder / "secrets.toml", folder / "stacks.txt"
    secrets.write_text(SECRETS)
    process, address = start(data_dir, folder / "server.log", stacks=stacks, STREAMLIT_SECRETS_FILES=str(secrets))
    try:
        watched = psutil.Process(process.pid)
        yield Live(address, data_dir, watched, stacks, chromium.browser_type, videos, real)
    finally:
        process.terminate()
        process.wait(timeout=30)
    # A browser that goes while it is being answered leaves Streamlit's own note of that; what we do leaves none.
    log = (folder / "server.log").read_text(errors="replace")
    assert "live video:" not in log and "in the WebRTC" not in log, log[-3000:]


def until(condition: Callable[[], bool], what: str, seconds: float = WAIT_MS / 1000) -> None:
    """Wait for a condition on the server, looking often; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def to_the_camera(page: Any, live: Live) -> None:
    """Enrol's camera, with a consent that was given; the camera is off."""
    page.goto(f"{live.address}/enroll")
    page.get_by_text("Camera", exact=True).click()
    page.get_by_text("consents to being enrolled").click()
    page.get_by_role("button", name="Start the camera").wait_for()


def start_the_camera(page: Any) -> None:
    page.get_by_role("button", name="Start the camera").click()
    page.wait_for_function(PLAYING)


def three_pictures(page: Any) -> None:
    """The first picture comes by itself; for the others the space bar is quicker than waiting for their poses."""
    pictures = page.get_by_test_id("stNumberInputField")
    pictures.fill("3")
    pictures.press("Enter")
    page.get_by_text("0 of 3 pictures").wait_for()
    start_the_camera(page)
    page.get_by_text(re.compile("[1-3] of 3 pictures")).wait_for()
    until(lambda: pressed_until(page, "3 of 3 pictures"), "three pictures")
    until(lambda: page.locator("[class*=st-key-enroll_live_cards] img").count() == 3, "the three faces")


def pressed_until(page: Any, text: str) -> bool:
    """Press the space bar, unless the text is there by now; whether it is."""
    if page.get_by_text(text).count() == 0:
        page.keyboard.press("Space")
        with suppress(playwright_api.TimeoutError):  # another time, when this one's picture wasn't good enough
            page.get_by_text(text).wait_for(timeout=2500)
    return bool(page.get_by_text(text).count())


def test_enrolled_from_the_video_a_person_is_named_before_the_camera(live: Live) -> None:
    remove_everybody(live.data_dir)
    with live.page("ada") as page:
        to_the_camera(page, live)
        assert "512 numbers" in page.locator("[data-testid=stMainBlockContainer]").inner_text()
        three_pictures(page)
        page.get_by_role("button", name="Continue with 3 pictures").click()
        name = page.get_by_label("Name", exact=True)
        name.fill(NAME)
        name.press("Enter")
        until(lambda: live.peers == 0, "the camera ends when its pictures are taken over")
        page.get_by_role("button", name="Save").click()
        page.get_by_text("is enrolled").wait_for()

        with Gallery.open(live.data_dir / "gallery.db") as gallery:
            write_rule(gallery, SightingRule(kept=True))
            page.get_by_role("link", name="Identify").first.click()
            page.get_by_text("Camera", exact=True).click()
            start_the_camera(page)
            page.locator(LIST).get_by_text(NAME).first.wait_for()
            page.get_by_text(re.compile("results per second from .* frames per second")).wait_for()
            page.get_by_text("Connecting to the camera").wait_for(state="detached")
            until(lambda: [each.name for each in sightings(gallery)] == [NAME], "a sighting of hers in the log")
        page.get_by_text("24 px", exact=True).first.click()
        page.locator(LIST).get_by_text("24 px", exact=True).first.wait_for()
        page.locator(LIST).get_by_text("by bicubic").first.wait_for()
        page.get_by_role("button", name="Stop the camera").click()
        until(lambda: live.peers == 0, "sockets after stopping")


def test_another_person_stays_unknown_and_can_be_enrolled(live: Live) -> None:
    if not live.real:
        pytest.skip("EDGEFACE_SHARED isn't set: no photographs of another real person here")
    with live.page("bo") as page:
        page.goto(f"{live.address}/identify")
        page.get_by_text("Camera", exact=True).click()
        start_the_camera(page)
        enrol = page.get_by_role("button", name="Enrol this person")
        enrol.wait_for()
        assert "Unknown" in page.locator(LIST).inner_text()
        enrol.click()
        page.get_by_text("Faces found").wait_for()
        until(lambda: live.peers == 0, "sockets after leaving for Enrol")


def test_a_refused_camera_is_told_with_its_remedy(live: Live) -> None:
    with live.page("ada", camera=False) as page:
        to_the_camera(page, live)
        page.get_by_role("button", name="Start the camera").click()
        page.get_by_text("The browser denied access to the camera.").wait_for()
        assert "allow the camera for this page" in page.locator("[data-testid=stAlert]").first.inner_text()
        assert live.peers == 0


def test_stopping_leaving_and_reloading_end_sockets_and_threads(live: Live) -> None:
    def gone(after: str) -> None:
        until(lambda: live.peers == 0, f"sockets after {after}")
        until(lambda: live.threads == 0, f"threads after {after}")

    with live.page("ada") as page:
        page.add_init_script(COUNTED)
        to_the_camera(page, live)
        gone("the tests before")
        start_the_camera(page)
        assert live.peers > 0
        until(lambda: live.threads > 1, "threads of a stream that plays")
        page.keyboard.press("Space")
        page.get_by_role("button", name="Retake").first.wait_for()
        page.get_by_role("button", name="Stop the camera").click()
        page.get_by_role("button", name="Start the camera").wait_for()
        assert page.get_by_role("button", name="Retake").count(), "what was taken stays"
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Start the camera").wait_for(state="detached")
        gone("stopping")

        page.get_by_text("consents to being enrolled").click()
        start_the_camera(page)
        assert page.evaluate("window.opened") == 2, "one connection for each start"
        page.get_by_role("link", name="Gallery").click()
        page.get_by_role("heading", name="Gallery").first.wait_for()
        gone("leaving the page")

        page.get_by_role("link", name="Identify").first.click()
        page.get_by_text("Camera", exact=True).click()
        start_the_camera(page)
        page.get_by_role("link", name="Gallery").click()
        page.get_by_role("heading", name="Gallery").first.wait_for()
        page.get_by_role("link", name="Identify").first.click()
        page.get_by_text("Camera", exact=True).click()
        page.get_by_role("button", name="Start the camera").wait_for()
        assert not page.evaluate(PLAYING), "coming back doesn't start the camera"
        start_the_camera(page)
        page.reload()
        page.get_by_text("Camera", exact=True).wait_for()
        gone("reloading")
