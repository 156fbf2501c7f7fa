"""The gate: ASGI middleware in front of everything that the dashboard serves.

    app = st.App("page.py", middleware=[Middleware(Gate)])

It admits requests by `admission`, gives each browser a cookie, and checks with `visitors` that somebody is signed in
before it serves a picture or a download, accepts an upload or resumes a session.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Mapping
from typing import Any

import streamlit as st
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime

from core.access.gate import Headers, values
from dashboard.shell.admission import accounts_exist, browser_cookie, cookie_name, refusal, refusal_text
from dashboard.shell.connection import serve_connection
from dashboard.shell.visitors import VISITORS

UPLOADS_OF_SESSION, UPLOADS_IN_ALL = 256 * 2**20, 1024 * 2**20
"""Limits in bytes on the uploads that one session, and all sessions together, hold in memory. A smaller upload counts
as `LEAST_UPLOAD`, which limits their number."""
LEAST_UPLOAD = 64 * 2**10

_UPLOAD = re.compile(r"/_stcore/upload_file/(?P<session>[^/]+)/[^/]+")
_CLOSED = ("/_stcore/metrics", "/_stcore/agent", "/_stcore/script-health-check")
_OWN = b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; frame-ancestors 'self'"
"""Content security policy: pages load from this server only. Streamlit's scripts are inline and evaluated."""
_ALWAYS = (
    (b"content-security-policy", _OWN),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)


class Gate:
    """Middleware around `app`, which is Streamlit's server."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._arriving: dict[object, tuple[str, int]] = {}  # uploads in progress: session and size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        accounts = accounts_exist()
        reason = refusal(headers, accounts=accounts)
        if reason:
            await _refuse(scope, receive, send, 403, refusal_text(reason, accounts=accounts), page=True)
        elif scope["type"] == "websocket":
            await serve_connection(self._app, scope, headers, receive, send, accounts=accounts)
        else:
            await self._request(scope, headers, receive, send)

    async def _request(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        browser = browser_cookie(headers)
        path = _path(scope)
        answer = send if browser else _with_cookie(scope, send)
        answer = _with_headers(answer)
        upload = _UPLOAD.fullmatch(path)
        if not path.isprintable() or any(path == closed or path.startswith(f"{closed}/") for closed in _CLOSED):
            await _refuse(scope, receive, answer, 404, "Not found.")
        elif upload is not None and scope["method"] != "OPTIONS":
            await self._upload(scope, headers, upload["session"], receive, answer)
        elif path.startswith("/media/") and not VISITORS.signed_in(browser):
            await _refuse(scope, receive, answer, 403, "Sign in first.")
        else:
            await self._app(scope, receive, answer)

    async def _upload(self, scope: Scope, headers: Headers, session: str, receive: Receive, send: Send) -> None:
        if not VISITORS.signed_in(browser_cookie(headers), session):
            await _refuse(scope, receive, send, 403, "Sign in first.")
            return
        given = values(headers, "content-length")
        counted = len(given) == 1 and given[0].isascii() and given[0].isdigit()
        if scope["method"] == "PUT" and (not counted or values(headers, "transfer-encoding")):
            await _refuse(scope, receive, send, 411, "The upload has no valid Content-Length.")
            return
        size = max(LEAST_UPLOAD, int(given[0])) if scope["method"] == "PUT" else 0
        of_session, in_all = self._held(session)
        if of_session + size > UPLOADS_OF_SESSION or in_all + size > UPLOADS_IN_ALL:
            await _refuse(scope, receive, send, 413, "The limit on uploads is reached. Remove some files.")
            return
        key = object()
        self._arriving[key] = session, size
        try:
            await self._app(scope, receive, send)
        finally:
            del self._arriving[key]

    def _held(self, session: str) -> tuple[int, int]:
        """Bytes of uploads, stored or arriving, of that session and of all sessions."""
        kept = runtime.get_instance().uploaded_file_mgr.file_storage  # type: ignore[attr-defined]
        sizes = {
            key: sum(max(LEAST_UPLOAD, len(each.data)) for each in list(files.values()))
            for key, files in list(kept.items())
        }
        for key, size in self._arriving.values():
            sizes[key] = sizes.get(key, 0) + size
        return sizes.get(session, 0), sum(sizes.values())


def _path(scope: Scope) -> str:
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    path: str = scope["path"]
    return path.removeprefix(f"/{base}") if base else path


def _with_cookie(scope: Scope, send: Send) -> Send:
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    cookie = f"{cookie_name()}={secrets.token_urlsafe(32)}; Path=/; HttpOnly; SameSite=Lax{secure}"
    return _adding(send, [(b"set-cookie", cookie.encode())])


def _with_headers(send: Send) -> Send:
    return _adding(send, list(_ALWAYS))


def _adding(send: Send, more: list[tuple[bytes, bytes]]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str, *, page: bool = False) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        return
    kind, body = b"text/plain; charset=utf-8", f"{text}\n"
    if page and _wants_page(scope):
        kind, body = b"text/html; charset=utf-8", f"<!doctype html><title>Closed</title><p>{html.escape(text)}</p>\n"
    headers = [(b"content-type", kind), (b"cache-control", b"no-store"), *_ALWAYS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body.encode()})


def _wants_page(scope: Mapping[str, Any]) -> bool:
    return any(name.lower() == b"accept" and b"text/html" in value for name, value in scope["headers"])
