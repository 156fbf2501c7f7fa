"""Downloads against a real server on this machine: whole, broken off, resumed, wrong, refused."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.errors import SettingsInvalid, StorageFailed
from core.models.download import Retries, fetch
from core.models.encoders import hash_file
from core.models.errors import DownloadFailed
from core.models.http_transfer import FetchEvent
from core.models.variants import VARIANTS, Variant

CONTENT = bytes(range(256)) * 1280  # 327,680 bytes, 40 blocks of 8 KiB
HALF = len(CONTENT) // 2


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Site:
    """What the server serves and how it misbehaves; `break_at` lists where its next answers break off."""

    content: bytes = CONTENT
    etag: str = '"v1"'
    ranges: bool = True
    break_at: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    location: str = ""
    declare_length: bool = True
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site = self.site
        site.requests.append({"path": self.path, **{key.lower(): value for key, value in self.headers.items()}})
        if site.location:
            self.answer(302, b"", {"Location": site.location})
        elif site.statuses and (status := site.statuses.pop(0)) != 200:
            self.answer(status, b"")
        else:
            self.send_file()

    def send_file(self) -> None:
        site, total = self.site, len(self.site.content)
        asked = self.headers.get("Range", "")
        fresh = self.headers.get("If-Range") in (None, site.etag)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and site.ranges and fresh else None
        if start is not None and start >= total:
            self.answer(416, b"", {"Content-Range": f"bytes */{total}"})
            return
        body = site.content[start or 0 :]
        headers = {"ETag": site.etag} if site.etag else {}
        if start is not None:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        self.answer(200 if start is None else 206, body, headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.site.declare_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = self.site.break_at.pop(0) if body and self.site.break_at else len(body)
        self.wfile.write(body[:sent])

    def log_message(self, *args: object) -> None:
        pass


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


@dataclass
class Log:
    events: list[FetchEvent] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        return list(dict.fromkeys(event.state for event in self.events))


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


def test_a_whole_file_arrives_with_progress(get, site: Site, log: Log, tmp_path: Path) -> None:
    path = get()
    assert path == tmp_path / "edgeface_xxs.pt"
    assert path.read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["edgeface_xxs.pt"], "nothing else stays"
    assert site.requests[0]["path"] == "/files/edgeface_xxs.pt"
    assert log.states == ["downloading", "checking", "done"]
    counts = [event.done_bytes for event in log.events if event.state == "downloading"]
    assert counts == sorted(counts) and counts[-1] == len(CONTENT)
    assert {event.total_bytes for event in log.events if event.state == "downloading"} == {len(CONTENT)}


def test_what_is_there_and_right_is_not_downloaded(get, site: Site, log: Log, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt").write_bytes(CONTENT)
    assert get() == tmp_path / "edgeface_xxs.pt"
    assert site.requests == [] and log.states == ["present"]


def test_another_file_of_that_name_is_left_alone(get, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt").write_bytes(b"the user's own")
    assert get() == tmp_path / "edgeface_xxs-2.pt"
    assert (tmp_path / "edgeface_xxs.pt").read_bytes() == b"the user's own"


def test_a_broken_transfer_goes_on_where_it_stopped(get, site: Site, log: Log) -> None:
    site.break_at = [HALF, 8192]
    assert get().read_bytes() == CONTENT
    assert [r.get("range") for r in site.requests] == [None, f"bytes={HALF}-", f"bytes={HALF + 8192}-"]
    assert [r.get("if-range") for r in site.requests] == [None, '"v1"', '"v1"']
    assert log.pauses == [1.0, 2.0], "each pause twice the one before"
    assert "resuming" in log.states


def test_a_later_call_resumes(get, site: Site, tmp_path: Path) -> None:
    site.break_at = [HALF, 0, 0, 0]
    with pytest.raises(DownloadFailed, match=f"{HALF:,} bytes are kept"):
        get()
    assert (tmp_path / "edgeface_xxs.pt.part").stat().st_size == HALF
    assert not (tmp_path / "edgeface_xxs.pt").exists()
    site.requests.clear()
    assert get().read_bytes() == CONTENT
    assert site.requests[0]["range"] == f"bytes={HALF}-"


def test_a_file_that_changed_on_the_server_is_begun_afresh(get, site: Site, log: Log, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt.part").write_bytes(b"x" * HALF)
    (tmp_path / "edgeface_xxs.pt.part.etag").write_text('"v0"')
    assert get().read_bytes() == CONTENT
    assert site.requests[0]["if-range"] == '"v0"' and len(site.requests) == 1
    assert "restarting" in log.states


def test_pieces_of_two_files_are_thrown_away_and_fetched_again(get, site: Site, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt.part").write_bytes(b"x" * HALF)  # no ETag is known for it
    assert get().read_bytes() == CONTENT
    assert [r.get("range") for r in site.requests] == [f"bytes={HALF}-", None]


def test_a_server_that_ignores_ranges_restarts_cleanly(get, site: Site, log: Log) -> None:
    site.ranges = False
    site.break_at = [HALF]
    assert get().read_bytes() == CONTENT
    assert "restarting" in log.states and "resuming" not in log.states


def test_everything_had_come_before(get, site: Site, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt.part").write_bytes(CONTENT)
    assert get().read_bytes() == CONTENT
    assert len(site.requests) == 1, "one question, answered with 416"


def test_a_part_longer_than_the_file_is_thrown_away(get, site: Site, tmp_path: Path) -> None:
    (tmp_path / "edgeface_xxs.pt.part").write_bytes(CONTENT + b"more")
    assert get().read_bytes() == CONTENT


def test_no_length_no_etag_no_ranges(get, site: Site) -> None:
    site.declare_length, site.etag, site.ranges = False, "", False
    assert get().read_bytes() == CONTENT


def test_a_weak_etag_is_no_guard_for_a_range(get, site: Site) -> None:
    site.etag, site.break_at = 'W/"v1"', [HALF]
    get()
    assert "if-range" not in site.requests[1]


def test_wrong_content_is_refused_and_deleted(get, site: Site, tmp_path: Path) -> None:
    site.content = b"<html>Please sign in</html>"
    with pytest.raises(DownloadFailed) as caught:
        get()
    assert list(tmp_path.iterdir()) == []
    assert blob_id(site.content) in caught.value.what and blob_id(CONTENT) in caught.value.what
    assert len(site.requests) == 1, "the same again would come"


def test_endless_content_is_cut_off(get, site: Site, tmp_path: Path) -> None:
    site.content = bytes(20_000_000)
    with pytest.raises(DownloadFailed, match="more than 17 MB"):
        get()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final_and_says_what_to_do_by_hand(get, site: Site, variant, tmp_path, status: int) -> None:
    site.statuses = [status] * 9
    with pytest.raises(DownloadFailed, match=str(status)) as caught:
        get()
    assert len(site.requests) == 1
    step = caught.value.next_step
    assert f"{site.url}/edgeface_xxs.pt" in step and variant.git_blob_id in step
    assert str(tmp_path / "edgeface_xxs.pt") in step


def test_a_passing_fault_of_the_server_is_waited_out(get, site: Site, log: Log) -> None:
    site.statuses = [503, 429, 200]
    assert get().read_bytes() == CONTENT
    assert log.pauses == [1.0, 2.0]


def test_the_next_address_is_tried_when_one_fails(
    site: Site, variant: Variant, tmp_path: Path, log: Log, monkeypatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    folders = (f"http://127.0.0.1:{port}", site.url)
    monkeypatch.setattr(Variant, "folders", property(lambda self: folders))
    path = fetch(variant, tmp_path, on_event=log.events.append, retries=Retries(attempts=2, sleep=log.pauses.append))
    assert path.read_bytes() == CONTENT and len(site.requests) == 1
    assert log.pauses == [1.0], "the first address is tried again, the next one once"
    assert any("refused" in event.text and "Trying 127.0.0.1" in event.text for event in log.events)


def test_when_every_address_fails_the_first_ones_error_is_raised(
    site: Site, variant: Variant, tmp_path: Path, log: Log, monkeypatch
) -> None:
    site.statuses = [404, 500]
    monkeypatch.setattr(Variant, "folders", property(lambda self: (site.url, site.url)))
    with pytest.raises(DownloadFailed, match="404"):
        fetch(variant, tmp_path, retries=Retries(sleep=log.pauses.append))
    assert len(site.requests) == 2 and log.pauses == []


def test_published_files_have_their_addresses_in_order() -> None:
    assert [folder.split("/")[2] for folder in VARIANTS["edgeface_xxs"].folders] == [
        "gitlab.idiap.ch",
        "raw.githubusercontent.com",
        "huggingface.co",
    ]
    assert all(folder.startswith("https://") for variant in VARIANTS.values() for folder in variant.folders)


def test_attempts_end(get, site: Site, log: Log) -> None:
    site.statuses = [500] * 99
    with pytest.raises(DownloadFailed, match=r"500 .*\(4 attempts\)"):
        get()
    assert len(site.requests) == 4 and log.pauses == [1.0, 2.0, 4.0]


def test_offline_says_what_failed(variant: Variant, tmp_path: Path, log: Log) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DownloadFailed, match="refused") as caught:
        fetch(variant, tmp_path, base_url=f"http://127.0.0.1:{port}", retries=Retries(sleep=log.pauses.append))
    assert "browser" in caught.value.next_step
    assert "Traceback" not in str(caught.value) and "object at" not in str(caught.value)


def test_only_https_or_this_machine(variant: Variant, tmp_path: Path) -> None:
    for url in ("http://example.org/files", "ftp://127.0.0.1/files", "file:///etc", "http://127.0.0.1.example.org"):
        with pytest.raises(SettingsInvalid, match="https only"):
            fetch(variant, tmp_path, base_url=url)
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_elsewhere_without_https_is_not_followed(get, site: Site) -> None:
    site.location = "http://example.org/edgeface_xxs.pt"
    with pytest.raises(DownloadFailed, match=r"isn't https \(example.org\)"):
        get()


def test_redirects_end(get, site: Site) -> None:
    site.location = f"{site.url}/edgeface_xxs.pt"
    with pytest.raises(DownloadFailed, match="without end"):
        get()


def test_a_full_disk_keeps_what_came(get, site: Site, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, hard))  # no file may grow beyond it: as on a full disk
    try:
        with pytest.raises(StorageFailed, match=r"edgeface_xxs\.pt couldn't be written"):
            get()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "edgeface_xxs.pt").exists()
    assert get().read_bytes() == CONTENT


def test_a_folder_that_is_a_file(site: Site, variant: Variant, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("")
    with pytest.raises(StorageFailed):
        fetch(variant, tmp_path / "weights", base_url=site.url)


def test_two_downloads_of_one_file_do_not_mix(get, site: Site, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / "edgeface_xxs.pt.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DownloadFailed, match="being downloaded already"):
            get()
    assert get().read_bytes() == CONTENT


def test_hashes_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"hello\n")
    # `printf 'hello\n' | git hash-object --stdin`, and sha256sum.
    assert hash_file(path).git_blob_id == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert hash_file(path).sha256 == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
