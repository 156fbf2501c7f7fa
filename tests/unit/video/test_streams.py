"""Streams that drop are reconnected, up to a limit; no password is shown, and no other address is contacted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.access.actor import Actor, acting_as
from core.access.errors import NotAllowed
from core.access.roles import Role
from core.video.live_source import LiveSource, Patience
from core.video.sources import (
    SourceUnusable,
    open_container,
    source_of,
)
from tests.unit.video.counting_video import write_counting
from tests.unit.video.rtsp_camera import RtspCamera, transport_stream

QUICK = Patience(first_s=0.01, most_s=0.02, give_up_s=0.3)


def test_an_unreachable_camera_is_told_without_its_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SourceUnusable, match="doesn't answer") as caught:
        LiveSource(source_of(f"rtsp://guard:hunter2@127.0.0.1:{port}/cam"), lambda text: None)
    assert "hunter2" not in str(caught.value)


@contextmanager
def serving(contents: list[bytes]) -> Iterator[int]:
    """A TCP server that gives each connection the next content, then drops it; afterwards it refuses."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server:
            for content in contents:
                with suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(content)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)  # wakes a thread that still waits for a connection
    thread.join(10)


def test_a_stream_that_drops_is_connected_again_and_given_up_in_the_end(tmp_path) -> None:
    write_counting(tmp_path / "grey.mkv")
    content = (tmp_path / "grey.mkv").read_bytes()
    told: list[str] = []
    before = set(threading.enumerate())
    with serving([content, content[: len(content) * 2 // 3], content]) as port:
        source = source_of(f"tcp://127.0.0.1:{port}")
        seen = []
        with LiveSource(source, told.append, patience=QUICK) as live, pytest.raises(SourceUnusable):
            for frame in live.frames(lambda: False):
                seen.append(frame)  # noqa: PERF402 (what came before the error counts)
    assert sum("Connecting again" in text for text in told) == 3
    assert seen and all(frame.rgb.shape == (48, 64, 3) for frame in seen)
    assert [frame.at for frame in seen] == sorted(frame.at for frame in seen)
    assert any("is there again" in text for text in told)
    assert not set(threading.enumerate()) - before


def test_a_live_source_ends_when_it_is_asked_to(tmp_path) -> None:
    write_counting(tmp_path / "grey.mkv")
    with serving([(tmp_path / "grey.mkv").read_bytes()]) as port:
        asked = threading.Event()
        with LiveSource(source_of(f"tcp://127.0.0.1:{port}"), lambda text: None, patience=QUICK) as live:
            for _ in live.frames(asked.is_set):
                asked.set()
    assert asked.is_set() and not live._thread.is_alive()


def test_an_rtsp_camera_is_read_and_connected_again_when_it_drops() -> None:
    camera = RtspCamera(transport_stream(40), players=2)
    told: list[str] = []
    seen = []
    source = source_of(f"rtsp://guard:hunter2@127.0.0.1:{camera.port}/cam")
    try:
        with LiveSource(source, told.append, patience=QUICK) as live, pytest.raises(SourceUnusable):
            for frame in live.frames(lambda: False):
                seen.append(frame)  # noqa: PERF402 (what came before the error counts)
    finally:
        camera.close()
    assert seen and all(frame.rgb.shape == (48, 64, 3) for frame in seen)
    assert camera.asked.count("PLAY") == 2 and sum("Connecting again" in text for text in told) == 2
    assert not any("hunter2" in text for text in told)


@pytest.fixture
def two_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A listed web server whose answers name another one, which isn't listed; and what was asked of that."""
    asked: list[str] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    class Listed(Other):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", f"{there}/moved")
                body = b""
            else:
                body = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{there}/piece.ts\n#EXT-X-ENDLIST\n".encode()
                self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), each) for each in (Listed, Other)]
    first, there = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("EDGEFACE_HOSTS", "127.0.0.1")
    yield first, asked
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_operators_stream_leads_to_no_further_address(two_servers: tuple[str, list[str]]) -> None:
    address, asked = two_servers
    for path in ("/moved", "/list.m3u8"):
        with acting_as(Actor("otto", Role.OPERATOR)), pytest.raises(SourceUnusable):
            open_container(source_of(f"{address}{path}"))
        assert asked == []
    with pytest.raises(SourceUnusable):
        open_container(source_of(f"{address}/moved"))  # the owner's does
    assert asked == ["/moved"]


def test_an_operators_stream_is_asked_about_again_when_it_opens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        there.settimeout(0.3)
        source = source_of(f"http://localhost:{there.getsockname()[1]}/x")
        with acting_as(Actor("otto", Role.OPERATOR)), pytest.raises(NotAllowed):
            open_container(source)
        with pytest.raises(TimeoutError):
            there.accept()
