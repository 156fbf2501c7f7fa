"""An RTSP camera on this machine."""

from __future__ import annotations

import io
import socket
import struct
import threading
from contextlib import suppress
from typing import BinaryIO

import numpy as np


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
