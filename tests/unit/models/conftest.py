"""Downloads from a server on this machine, with everything injected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from core.models.download import Retries, fetch
from core.models.variants import VARIANTS, Variant
from tests.unit.models.file_server import CONTENT, Handler, Log, Site, blob_id


@pytest.fixture()
def site() -> Iterator[Site]:
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/files"
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture()
def variant() -> Variant:
    return replace(VARIANTS["edgeface_xxs"], git_blob_id=blob_id(CONTENT), megabytes=0.3)


@pytest.fixture()
def log() -> Log:
    return Log()


@pytest.fixture()
def get(site: Site, variant: Variant, tmp_path: Path, log: Log) -> Callable[[], Path]:
    """fetch() with everything injected; pauses are noted instead of waited."""
    return lambda: fetch(
        variant,
        tmp_path,
        base_url=site.url,
        on_event=log.events.append,
        retries=Retries(timeout_s=(5, 5), sleep=log.pauses.append),
    )
