"""The dashboard in a browser: from a server that has just started to Home on the screen, and from page to page."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

import numpy as np

from core.bench.material import Material
from core.bench.row import Row
from core.jobs.launch import follow, launch, stop
from core.jobs.run_dir import Run
from core.settings import PROJECT_ROOT, load_settings

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_WAIT_MS = 60_000
_MOST_S = 60.0
_ROWS = {
    "home-cold": "Home cold to first paint",
    "page-to-page": "Page to page",
    "page-while-training": "Page to page while a run trains",
}


def rows(material: Material) -> Iterator[Row]:
    """Home after a cold start of the server; every page of the sidebar, from click to heading, alone and while a run
    trains."""
    chromium = os.environ.get("EDGEFACE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if find_spec("playwright") is None or chromium is None:
        missing = "Playwright (requirements-dev.txt)" if chromium is not None else "Chromium"
        for name, what in _ROWS.items():
            yield Row(name, what, skipped=f"{missing} isn't installed")
        return
    from playwright.sync_api import Error

    try:
        yield from _measured(material, chromium)
    except Error as error:
        raise RuntimeError(f"the browser gave up: {' '.join(str(error).split())[:140]}") from error


def _measured(material: Material, chromium: str) -> Iterator[Row]:
    from playwright.sync_api import sync_playwright

    cold: list[float] = []
    pages: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        for turn in range(material.size(3, 1)):
            material.on_step(f"the dashboard, cold start {turn + 1}")
            with _server(material) as address:
                context = browser.new_context(viewport={"width": 1280, "height": 900})
                context.set_default_timeout(_WAIT_MS)
                page = context.new_page()
                began = time.perf_counter()
                page.goto(address)
                _shown(page, "EdgeFace Studio")
                cold.append(time.perf_counter() - began)
                if turn == 0:
                    _walk(page, pages, material.size(3, 1))
                context.close()
        home = float(np.median(cold))
        yield Row(
            "home-cold",
            _ROWS["home-cold"],
            "s",
            home,
            target="<= 3 s",
            met=home <= 3,
            note=f"a server's first visitor, address to heading; {len(cold)} cold starts, slowest {max(cold):.2f} s",
        )
        yield _page_row("page-to-page", pages, "from click to heading and nothing running")
        material.on_step("pages while a run trains")
        busy: dict[str, list[float]] = {}
        with _server(material) as address, training(material) as run:
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.set_default_timeout(_WAIT_MS)
            page = context.new_page()
            page.goto(address)
            _shown(page, "EdgeFace Studio")
            # A page that shows the run is drawn anew all the time: only its heading is waited for.
            _walk(page, busy, material.size(3, 1), settled=False)
            context.close()
            trained = run.state().status == "running"
        browser.close()
    if trained:
        yield _page_row("page-while-training", busy, "another visitor's, from click to heading")
    else:
        yield Row("page-while-training", _ROWS["page-while-training"], skipped="the run ended before the pages did")


def _page_row(name: str, pages: dict[str, list[float]], how: str) -> Row:
    medians = {page: float(np.median(times)) for page, times in pages.items()}
    slowest = max(medians, key=lambda page: medians[page])
    first = {page: times[0] for page, times in pages.items()}
    later = max(first, key=lambda page: first[page])
    return Row(
        name,
        f"{_ROWS[name]}, the slowest page",
        "s",
        medians[slowest],
        target="<= 1 s",
        met=medians[slowest] <= 1,
        note=f"{how}; {len(medians)} pages, slowest {slowest}, median of all "
        f"{float(np.median(list(medians.values()))):.2f} s; slowest first visit {later}, {first[later]:.2f} s",
    )


@contextmanager
def training(material: Material) -> Iterator[Run]:
    """A run that trains meanwhile, with the niceness and threads that runs have; ended afterwards."""
    from core.dataset.synthetic.demo import make_demo
    from core.training.config import config_to_dict, make_config

    settings = load_settings({"EDGEFACE_DATA_DIR": str(material.folder / "dashboard")})
    out = settings.data_dir / "datasets" / "drawn"
    make_demo(out, 8, 6)
    epochs = {"stage1.epochs": 1, "stage2.epochs": 500, "stage2.patience": 500}
    config = make_config("finetune", "notes", epochs, dataset=str(out), edgeface=str(material.weights), device="cpu")
    run = launch(settings, "finetune", config_to_dict(config), slug="meanwhile")
    try:
        for event in follow(run):
            if event.kind == "progress" and event.data.get("step") == "train":
                break
        yield run
    finally:
        if run.state().live:
            stop(run)
        for _ in follow(run):  # until it has ended
            pass


def _walk(page: Any, pages: dict[str, list[float]], rounds: int, *, settled: bool = True) -> None:
    """Every page of the sidebar in turn, so many times, or until a minute has gone."""
    from playwright.sync_api import Error

    started = time.monotonic()
    names = page.locator("[data-testid=stSidebarNavLink]").all_inner_texts()
    for _ in range(rounds):
        for name in names[1:] + names[:1]:
            label = name.splitlines()[-1].strip()
            link = page.locator("[data-testid=stSidebarNavLink]").filter(has_text=label).first
            began = time.perf_counter()
            with suppress(Error):  # it counts with the time that was waited
                link.click()
                _shown(page, "EdgeFace Studio" if label == "Home" else label, settled=settled)
            pages.setdefault(label, []).append(time.perf_counter() - began)
            if time.monotonic() - started > _MOST_S:
                return


def _shown(page: Any, heading: str, *, settled: bool = True) -> None:
    """Wait for a page's heading, and, `settled`, until the server has nothing more to send."""
    page.locator("h1").filter(has_text=heading).first.wait_for(state="visible")
    if settled:
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(state="attached")


@contextmanager
def _server(material: Material) -> Iterator[str]:
    """The dashboard on a free port with an empty data folder of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "EDGEFACE_DATA_DIR": str(material.folder / "dashboard")}
    environment.pop("EDGEFACE_GALLERY", None)
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/Home.py", "--server.port", str(port)]
    command += ["--server.headless", "true"]
    process = subprocess.Popen(
        command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://localhost:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _answers(f"{address}/_stcore/health"):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the dashboard didn't start")
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # nosec B310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
