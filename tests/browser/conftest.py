"""The real server and a real Chromium: what only a browser shows."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from core.gallery.store import Gallery

playwright_api = pytest.importorskip("playwright.sync_api", reason="Playwright isn't installed")

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("EDGEFACE_CHROMIUM") or "/usr/bin/chromium"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 30_000

_AT_REST = """async () => {
    const app = document.querySelector("[data-testid=stApp]");
    for (let frame = 0; frame < 5; frame++) {
        if (app?.getAttribute("data-test-script-state") !== "notRunning") return false;
        if ([...document.querySelectorAll("details")].some(each => each.getAnimations().length)) return false;
        await new Promise(requestAnimationFrame);
    }
    return true;
}"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A browser test runs once more when it fails, which the summary shows, and has 600 s, both runs included.

    One that ran out of time isn't run again, because its limit is counted once; with --pdb none is. Fixtures of the
    module aren't made again, so a test that changes their data removes first what an earlier run of it left.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            reruns = 0 if config.getoption("usepdb") else 1
            item.add_marker(pytest.mark.flaky(reruns=reruns, rerun_except="from pytest-timeout"))
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(600))


@dataclass(frozen=True)
class Server:
    """A running dashboard: where it answers, and its data folder."""

    address: str
    data_dir: Path
    log: Path

    def url(self, page: str = "") -> str:
        return f"{self.address}/{page}"


# As `python -m streamlit`, but on SIGUSR1 it writes what each thread is doing to the file named first.
_WATCHED = """
import faulthandler, runpy, signal, sys
faulthandler.register(signal.SIGUSR1, open(sys.argv.pop(1), "w"), all_threads=True)
sys.argv[0] = "streamlit"
runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
"""


def start(
    data_dir: Path,
    log: Path,
    options: Callable[[int], Sequence[str]] = lambda port: (),
    *,
    stacks: Path | None = None,
    **variables: str,
) -> tuple[subprocess.Popen[bytes], str]:
    """Start `streamlit run dashboard/Home.py` on a free port, with `options` for that port; returns when it answers.

    `stacks` is the file into which the process writes the stacks of its threads at each SIGUSR1, if wanted.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "EDGEFACE_DATA_DIR": str(data_dir), "EDGEFACE_MODELS_DIR": str(data_dir / "models")}
    environment.update(variables)
    environment.pop("EDGEFACE_GALLERY", None)
    streamlit = ["-m", "streamlit"] if stacks is None else ["-c", _WATCHED, str(stacks)]
    command = [sys.executable, *streamlit, "run", "dashboard/Home.py", "--server.port", str(port), *options(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://localhost:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{address}/_stcore/health", timeout=2).ok:
                return process, address
        except requests.RequestException:
            time.sleep(0.05)  # asking without a pause would take a core from the server that starts
    process.kill()
    raise RuntimeError(f"The dashboard didn't start: {log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """One Chromium for all browser tests; skips where there is none."""
    if not (Path(CHROMIUM).exists() or shutil.which(CHROMIUM)):
        pytest.skip(f"no Chromium at {CHROMIUM}: install Debian's chromium or set EDGEFACE_CHROMIUM")
    playwright_api.expect.set_options(timeout=WAIT_MS)
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(chromium: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The dashboard with an empty data folder of its own, one for each test module."""
    data_dir = tmp_path_factory.mktemp("browser-data")
    log = tmp_path_factory.mktemp("browser-log") / "server.log"
    process, address = start(data_dir, log)
    yield Server(address, data_dir, log)
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="module")
def ready_server(server: Server, shared_dir: Path) -> Server:
    """The same server with official weights in its data folder."""
    weights = server.data_dir / "weights"
    weights.mkdir(exist_ok=True)
    shutil.copy(shared_dir / "weights" / "edgeface_xxs_q.pt", weights)
    return server


@pytest.fixture
def page(chromium: object) -> Iterator[object]:
    """A fresh browser page, 1280 px wide."""
    yield from _page_of(chromium, 1280, 900)


@pytest.fixture
def narrow_page(chromium: object) -> Iterator[object]:
    """A fresh browser page as wide as a telephone."""
    yield from _page_of(chromium, 400, 800)


def _page_of(chromium: Any, width: int, height: int) -> Iterator[object]:
    context = chromium.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


def remove_everybody(data_dir: Path) -> None:
    """An empty gallery for a test that enrols, also when it runs a second time."""
    with Gallery.open(data_dir / "gallery.db") as gallery:
        if people := [person.id for person in gallery.identities()]:
            gallery.remove(*people)


def at_rest(page: Any) -> None:
    """Wait until the script has run and no expander moves, for five frames.

    An expander grows for half a second after its click, and a field that is focused meanwhile scrolls what is inside: a
    button may move away between the two halves of a click, which then hits nothing. Nobody types that fast, but a test
    does. Wait for what the last rerun brings first: its start takes a moment to show.
    """
    page.wait_for_function(_AT_REST)


def give_files(page: Any, files: str | Path | list[Path], field: str = "input[type=file]") -> None:
    """Choose files in the first upload field that is shown, once the page has come to rest: a field that is drawn again
    while the page still runs forgets what it was given. Fields of other tabs are in the page too."""
    at_rest(page)
    shown = page.locator("[data-testid=stFileUploader]").filter(has=page.locator(field), visible=True)
    shown.first.locator(field).set_input_files(files)
