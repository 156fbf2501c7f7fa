"""A server of files on this machine that can break off, refuse and redirect, and a log of what a download told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from core.models.http_transfer import FetchEvent

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


@dataclass
class Log:
    events: list[FetchEvent] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        return list(dict.fromkeys(event.state for event in self.events))
