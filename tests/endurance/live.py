"""Stream from browsers into live identification: `python -m tests.endurance.live --minutes 10 --browsers 2`.

Each browser's fake camera plays a person who is enrolled. Prints as JSON the server's memory after the warm-up and at
the end, the results a second and milliseconds by step that each page showed, how often a picture was lost, and what
the log says; ends with code 1 where memory grew by 5 % or more, a picture was lost or the log tells of an error.
With EDGEFACE_SHARED set it plays photographs and uses official weights, else drawn faces and the starter weights.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import _FLAGS, CHROMIUM, ROOT, start
from tests.browser.fake_camera import drawn, photographs, posed, write_mjpeg

MOST_GROWTH = 0.05
EVERY_S = 5.0
CONNECT_MS = 180_000
_SPEED = re.compile(r"([\d.]+) results a second of ([\d.]+) frames(?:, each (\d+) ms after its frame)?: (.+?)\.$", re.M)
_ERROR = re.compile(r"^.*(?:Traceback|\bERROR\b|live video:|in the WebRTC).*$", re.M)


def prepare(folder: Path) -> tuple[Path, Path]:
    """(data folder with weights and one person enrolled, that person's video)."""
    images = Path(os.environ.get("EDGEFACE_SHARED", folder / "none")) / "data" / "lfw" / "images" / "Tony_Blair"
    data_dir = folder / "data"
    (data_dir / "weights").mkdir(parents=True)
    shutil.copytree(ROOT / "data" / "models", data_dir / "models")
    if images.is_dir():
        shutil.copy(images.parents[3] / "weights" / "edgeface_xxs_q.pt", data_dir / "weights")
    looks = posed(photographs(images) if images.is_dir() else drawn(0))
    first = folder / "first.png"
    Image.fromarray(looks[0]).save(first)
    environment = {**os.environ, "EDGEFACE_DATA_DIR": str(data_dir), "EDGEFACE_MODELS_DIR": str(data_dir / "models")}
    command = [sys.executable, "-m", "core", "enroll", "--user-id", "Ada Lovelace", "--photos", str(first)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return data_dir, write_mjpeg(folder / "ada.mjpeg", looks)


def stream(page: Any, address: str) -> None:
    """Open Identify's camera and wait until a face is named."""
    page.goto(f"{address}/identify")
    page.get_by_text("Camera", exact=True).click()
    begin(page)


def begin(page: Any) -> None:
    page.get_by_role("button", name="Start the camera").click()
    page.get_by_text(re.compile("results a second of")).first.wait_for(timeout=CONNECT_MS)


def speed_of(page: Any) -> dict[str, float] | None:
    """What the page says of its speed; None while it says nothing."""
    found = _SPEED.search(page.locator("[data-testid=stMainBlockContainer]").inner_text())
    if found is None:
        return None
    rate, frames, after, steps = found.groups()
    said = {"results_per_s": float(rate), "frames_per_s": float(frames)}
    if after:
        said["latency_ms"] = float(after)
    for step in steps.split(", "):
        name, ms, _ = step.rsplit(" ", 2)
        said[f"{name}, ms"] = float(ms)
    return said


def watch(pages: Sequence[Any], process: psutil.Process, seconds: float) -> tuple[list[float], list[dict], int]:
    """Look every few seconds: (resident megabytes, what the pages say, how many pictures were lost)."""
    memory: list[float] = []
    said: list[dict] = []
    lost = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        memory.append(process.memory_info().rss / 1e6)
        for page in pages:
            if page.get_by_role("button", name="Start the camera").count():
                lost += 1
                begin(page)
            elif (speed := speed_of(page)) is not None:
                said.append(speed)
        pages[0].wait_for_timeout(EVERY_S * 1000)
    return memory, said, lost


def medians(said: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in said for name in each)
    return {name: statistics.median([each[name] for each in said if name in each]) for name in names}


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("--minutes", type=float, default=10.0)
    asked.add_argument("--browsers", type=int, default=2)
    asked.add_argument("--warm-up", type=float, default=60.0, help="seconds before the first look at the memory")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="endurance-live-") as name, ExitStack() as stack:
        folder = Path(name)
        data_dir, video = prepare(folder)
        log = folder / "server.log"
        process, address = start(data_dir, log)
        stack.callback(process.wait, timeout=60)
        stack.callback(process.terminate)
        playwright = stack.enter_context(sync_playwright())
        flags = [*_FLAGS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"]
        pages = []
        for _ in range(given.browsers):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            stack.callback(browser.close)
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.grant_permissions(["camera"], origin=address)
            pages.append(context.new_page())
            stream(pages[-1], address)
        watched = psutil.Process(process.pid)
        warm, _, early = watch(pages, watched, given.warm_up)
        memory, said, lost = watch(pages, watched, 60 * given.minutes)
        few = max(1, len(memory) // 10)
        began, ended = statistics.median(memory[:few]), statistics.median(memory[-few:])
        errors = _ERROR.findall(log.read_text(errors="replace"))
        report = {
            "minutes": given.minutes,
            "browsers": given.browsers,
            "rss_mb_before_warm_up": round(warm[0], 1) if warm else None,
            "rss_mb": [round(began, 1), round(ended, 1)],
            "growth": round(ended / began - 1, 4),
            "threads": watched.num_threads(),
            "each_page": medians(said),
            "lost_while_warming_up": early,
            "lost": lost,
            "errors": errors[:20],
        }
    print(json.dumps(report, indent=2))
    return int(report["growth"] >= MOST_GROWTH or bool(errors) or lost > 0)


if __name__ == "__main__":
    sys.exit(main())
