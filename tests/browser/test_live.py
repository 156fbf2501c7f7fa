"""A camera in a real browser: Chromium's fake one plays a person. Enrolled from the video they are identified; a
refused camera is told; whatever ends a stream (stop, leaving, reloading) ends its sockets and threads."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from core.dataset.drawn_head import View, portray
from core.dataset.drawn_looks import Expression, draw_looks
from tests.browser.conftest import _FLAGS, CHROMIUM, ROOT, start
from tests.browser.fake_camera import drawn, photographs, posed, write_mjpeg

pytestmark = pytest.mark.browser

WAIT_MS = 120_000
SLACK = 3
"""Threads that the server's pools may have gained meanwhile; a stream has more."""
NAME = "Ada Lovelace"
PLAYING = """() => { const frame = document.querySelector('iframe[title*=webrtc]');
  const video = frame && frame.contentDocument && frame.contentDocument.querySelector('video');
  return Boolean(video && video.videoWidth && video.currentTime > 0.2) }"""


@dataclass(frozen=True)
class Live:
    """A dashboard whose process is known, a browser whose camera shows `ada`, and a photograph of her and of another.
    `real`: photographs and official weights; else drawn faces and the starter weights that ship."""

    address: str
    process: psutil.Process
    browser: Any
    ada: Path
    bo: Path
    real: bool

    @contextmanager
    def page(self, *, camera: bool = True) -> Iterator[Any]:
        """A page of its own, closed at the end: a stream that is left open would keep the server busy."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(WAIT_MS)
        if camera:
            context.grant_permissions(["camera"], origin=self.address)
        try:
            yield context.new_page()
        finally:
            context.close()

    @property
    def peers(self) -> int:
        """Open UDP sockets: every WebRTC connection holds at least one, and nothing else here does."""
        return len(self.process.net_connections(kind="udp"))


@pytest.fixture(scope="module")
def live(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Another Chromium, with a fake camera, and a dashboard with weights."""
    folder = tmp_path_factory.mktemp("live")
    shared = Path(os.environ.get("EDGEFACE_SHARED") or folder / "none")
    real = (shared / "data" / "lfw" / "images" / "Tony_Blair").is_dir()
    data_dir = folder / "data"
    weights, models = data_dir / "weights", data_dir / "models"
    weights.mkdir(parents=True)
    models.mkdir()
    if real:
        images = shared / "data" / "lfw" / "images"
        frames = posed(photographs(images / "Tony_Blair"))
        ada, bo = (sorted((images / name).glob("*.jpg"))[-1] for name in ("Tony_Blair", "Colin_Powell"))
        shutil.copy(shared / "weights" / "edgeface_xxs_q.pt", weights)
    else:
        frames = posed(drawn(0))
        ada, bo = (_drawn_photograph(folder / f"{person}.png", person) for person in (0, 3))
        for file in (ROOT / "data" / "models").glob("edgeface-xxs-starter.*"):
            shutil.copy(file, models)
    video = write_mjpeg(folder / "ada.mjpeg", frames)
    process, address = start(data_dir, folder / "server.log")
    flags = [*_FLAGS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"]
    try:
        browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=flags)
        yield Live(address, psutil.Process(process.pid), browser, ada, bo, real)
        browser.close()
    finally:
        process.terminate()
        process.wait(timeout=30)
    # A browser that goes while it is being answered leaves Streamlit's own note of that; what we do leaves none.
    log = (folder / "server.log").read_text(errors="replace")
    assert "live video:" not in log and "in the WebRTC" not in log and "reference " not in log, log[-3000:]


def _drawn_photograph(path: Path, person: int) -> Path:
    portrait = portray(draw_looks(12, seed=0)[person], Expression(0.3, 0.1, 0.1, 1.0), View(yaw_deg=4), noise_seed=9)
    Image.fromarray(np.repeat(np.repeat(portrait.rgb, 2, axis=0), 2, axis=1)).save(path)
    return path


def until(condition: Callable[[], bool], what: str, seconds: float = WAIT_MS / 1000) -> None:
    """Wait for a condition on the server, looking often; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def to_the_camera(page: Any, live: Live) -> None:
    page.goto(f"{live.address}/enroll")
    page.get_by_text("Camera", exact=True).click()
    page.get_by_text("agrees to be enrolled").click()
    page.get_by_role("button", name="Start the camera").wait_for()


def start_the_camera(page: Any) -> None:
    page.get_by_role("button", name="Start the camera").click()
    page.wait_for_function(PLAYING)


def outcome_of(page: Any, live: Live, photograph: Path) -> str:
    page.goto(f"{live.address}/identify")
    page.locator("[data-testid=stFileUploaderDropzoneInput]").first.set_input_files(str(photograph))
    page.get_by_text("Results as CSV").wait_for()
    page.locator("h3").first.wait_for()
    return str(page.locator("h3").first.inner_text())


def test_a_refused_camera_is_told_with_its_remedy(live: Live) -> None:
    with live.page(camera=False) as page:
        to_the_camera(page, live)
        page.get_by_role("button", name="Start the camera").click()
        page.get_by_text("The camera was refused.").wait_for()
        assert "allow it for this page" in page.locator("[data-testid=stAlert]").first.inner_text()
        assert live.peers == 0
