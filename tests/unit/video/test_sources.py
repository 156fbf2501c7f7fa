"""Video from files and from streams that drop: every frame of a file, the newest of a stream, and no password told."""

from __future__ import annotations

import io
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from core.access.actor import Actor, acting_as
from core.access.errors import NotAllowed
from core.access.roles import Role
from core.errors import SettingsInvalid
from core.settings import load_settings
from core.video.live_source import LiveSource, Patience
from core.video.sources import (
    SourceUnusable,
    frames_of_file,
    has_secret,
    length_s,
    open_container,
    source_of,
    without_secret,
)
from core.video.stream_credentials import address_of, shown, store_address
from core.video.writing import VideoWriter

SECRET = "rtsp://guard:hunter2@10.0.0.7:554/cam?token=abc"
QUICK = Patience(first_s=0.01, most_s=0.02, give_up_s=0.3)


def write_counting(path: Path, frames: int = 12, size: tuple[int, int] = (64, 48)) -> None:
    """Grey frames, each a little lighter than the one before."""
    with VideoWriter(path, size, Fraction(10)) as writer:
        for number in range(frames):
            writer.add(np.full((size[1], size[0], 3), 20 + 15 * number, np.uint8), number / 10)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".y4m", ".mjpeg"])
def test_a_written_video_reads_back_frame_by_frame(tmp_path, suffix: str) -> None:
    write_counting(tmp_path / f"grey{suffix}")
    frames = list(frames_of_file(source_of(str(tmp_path / f"grey{suffix}"))))
    assert len(frames) == 12
    assert [frame.at for frame in frames] == sorted({frame.at for frame in frames}) and frames[0].at == 0
    levels = [float(frame.rgb.mean()) for frame in frames]
    assert levels == pytest.approx([20 + 15 * n for n in range(12)], abs=6)
    if suffix in (".mp4", ".mkv"):
        assert frames[-1].at == pytest.approx(1.1, abs=0.01)
        assert length_s(source_of(str(tmp_path / f"grey{suffix}"))) == pytest.approx(1.2, abs=0.15)


def test_an_odd_size_is_written_and_a_fault_leaves_no_file(tmp_path) -> None:
    write_counting(tmp_path / "odd.mp4", 2, (65, 49))
    assert next(frames_of_file(source_of(str(tmp_path / "odd.mp4")))).rgb.shape == (48, 64, 3)
    with pytest.raises(RuntimeError, match="half way"), VideoWriter(tmp_path / "no.mp4", (64, 48), Fraction(10)) as to:
        to.add(np.zeros((48, 64, 3), np.uint8), 0.0)
        raise RuntimeError("half way")
    assert [path.name for path in tmp_path.iterdir()] == ["odd.mp4"]
    with pytest.raises(SettingsInvalid, match=r"'\.gif'"):
        VideoWriter(tmp_path / "no.gif", (64, 48), Fraction(10))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no file"),
        ("nothing.mp4", "no file nothing.mp4"),
        ("/dev/video99", "no camera"),
        ("99", "no camera"),
        ("file:///etc/passwd", "can't begin with file://"),
        ("concat://a|b", "can't begin with concat://"),
        ("rtsp:///path", "has no host"),
        ("/tmp", "ordinary file"),
    ],
)
def test_what_is_no_source_is_said(text: str, what: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceUnusable, match=what):
        source_of(text)


def test_a_text_file_and_a_cut_off_one_are_refused_in_words(tmp_path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all")
    with pytest.raises(SourceUnusable, match=r"text\.mp4 isn't video"):
        next(frames_of_file(source_of(str(tmp_path / "text.mp4"))))
    write_counting(tmp_path / "whole.mp4")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "whole.mp4").read_bytes()[:700])
    with pytest.raises(SourceUnusable):
        list(frames_of_file(source_of(str(tmp_path / "cut.mp4"))))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ffconcat"])
def test_a_list_of_files_under_a_film_s_name_reads_none_of_them(tmp_path, suffix: str) -> None:
    write_counting(tmp_path / "another.mp4")
    for text in ("ffconcat version 1.0\nfile another.mp4\n", "#EXTM3U\n#EXTINF:1,\nanother.mp4\n#EXT-X-ENDLIST\n"):
        (tmp_path / f"film{suffix}").write_text(text)
        with pytest.raises(SourceUnusable, match="isn't video"):
            list(frames_of_file(source_of(str(tmp_path / f"film{suffix}"))))


def test_a_playlist_cannot_reach_the_network_or_other_protocols(tmp_path) -> None:
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n")
    with pytest.raises(SourceUnusable):
        list(frames_of_file(source_of(str(tmp_path / "list.m3u8"))))


def test_a_password_is_neither_shown_nor_written_into_a_config(own_data_dir) -> None:
    assert without_secret(SECRET) == "rtsp://guard:...@10.0.0.7:554/cam"
    assert has_secret(SECRET) and not has_secret("rtsp://10.0.0.7/cam")
    assert source_of(SECRET).shown == without_secret(SECRET)
    settings = load_settings()
    written = store_address(settings, SECRET)
    assert "hunter2" not in written and "abc" not in written
    assert store_address(settings, SECRET) == written
    assert address_of(settings, written) == SECRET
    assert shown(written) == without_secret(SECRET)
    assert (own_data_dir / "cameras.json").stat().st_mode & 0o077 == 0
    assert store_address(settings, "rtsp://10.0.0.7/cam") == "rtsp://10.0.0.7/cam"
    (own_data_dir / "cameras.json").unlink()
    with pytest.raises(SettingsInvalid, match="no longer stored"):
        address_of(settings, written)


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


class RtspCamera:
    """As much of an RTSP server as a player needs (RFC 2326): one MPEG transport stream, sent as interleaved RTP, then
    the connection is dropped. Serves as many players as asked for, one after the other."""

    SDP = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=video 0 RTP/AVP 33\r\na=rtpmap:33 MP2T/90000\r\na=control:track\r\n"
    )

    def __init__(self, transport_stream: bytes, players: int) -> None:
        self._content = transport_stream
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self._serve, args=(players,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._server.close()

    def _serve(self, players: int) -> None:
        with suppress(OSError):
            for _ in range(players):
                connection, _ = self._server.accept()
                with connection, connection.makefile("rb") as lines:
                    self._answer(connection, lines)
            self._server.close()

    def _answer(self, connection: socket.socket, lines: BinaryIO) -> None:
        while request := lines.readline().decode():
            headers = dict(
                line.split(": ", 1) for line in iter(lambda: lines.readline().decode().strip(), "") if ": " in line
            )
            method = request.split()[0]
            self.asked.append(method)
            body, more = "", ""
            if method == "DESCRIBE":
                body, more = self.SDP, "Content-Type: application/sdp\r\n"
            elif method == "SETUP":
                more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
            elif method == "PLAY":
                more = "Session: 1\r\n"
            answer = f"RTSP/1.0 200 OK\r\nCSeq: {headers['CSeq']}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
            connection.sendall(answer.encode())
            if method == "PLAY":
                self._send(connection)
                return

    def _send(self, connection: socket.socket) -> None:
        step = 7 * 188
        for number, start in enumerate(range(0, len(self._content), step)):
            part = self._content[start : start + step]
            packet = struct.pack(">BBHII", 0x80, 33, number % 65536, number * 900, 1) + part
            connection.sendall(b"$\x00" + struct.pack(">H", len(packet)) + packet)


def transport_stream(frames: int) -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "5", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), 40 + 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


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
