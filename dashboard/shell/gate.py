"""The gate: one ASGI layer before everything that the dashboard serves, from the first connection on.

    app = st.App("page.py", middleware=[Middleware(Gate)])

It judges every request by `core.access.gate`, gives each browser a cookie, and asks `visitors` before a picture or a
download is handed out, an upload is taken, or a dropped session goes on.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import secrets
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime

from core.access.gate import Headers, browser_of, refusal_of_page, refusal_without_accounts, values, without_port
from core.errors import CoreError
from dashboard.shell.sign_in_methods import way
from dashboard.shell.visitors import VISITORS

if TYPE_CHECKING:
    from streamlit.proto.BackMsg_pb2 import BackMsg

OPEN_VARIABLE = "EDGEFACE_OPEN_ACCESS"
"""Set to 1 it excuses the address that the server listens on: for a container whose port is published to localhost."""

MARK = "edgeface-gate"
"""The header that tells a page's run over which connection it came; no request can bring one of its own."""

UPLOADS_OF_SESSION, UPLOADS_IN_ALL = 256 * 2**20, 1024 * 2**20
"""Bytes that one session's uploads, and all together, may hold in memory. A small one counts as `LEAST_UPLOAD`, which
bounds their number."""
LEAST_UPLOAD = 64 * 2**10
RESUME_S = 20.0
"""A session whose connection dropped may go on for so long, in its own browser. Then it is gone with its uploads."""

_UPLOAD = re.compile(r"/_stcore/upload_file/(?P<session>[^/]+)/[^/]+")
_CLOSED = ("/_stcore/metrics", "/_stcore/agent", "/_stcore/script-health-check")
_MESSAGES = frozenset(
    {"rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request"}
)
"""What a browser may ask of its own session. The others concern everybody's (clearing all caches) or development."""
BEFORE_SIGN_IN = 64 * 2**10
"""Bytes of one message of a connection in whose browser nobody is signed in. A session keeps the last one's values."""
_OWN = b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; frame-ancestors 'self'"
"""The browser itself keeps pages from asking any other address: Streamlit's would ask for tab icons. Its scripts are
inline and evaluated."""
_ALWAYS = (
    (b"content-security-policy", _OWN),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)


def cookie_name() -> str:
    """The browser's cookie: one for each port, since cookies know no ports."""
    return f"edgeface_browser_{st.get_option('server.port')}"


def refusal(headers: Headers, *, accounts: bool) -> str:
    """Why a request isn't let in, in a few words; "" where it is. Every run asks again, with its connection's
    headers."""
    if accounts:
        return _unnamed(headers) or refusal_of_page(headers, st.get_option("server.corsAllowedOrigins"))
    return refusal_without_accounts(headers, bound=st.get_option("server.address"), bind_excused=bind_excused())


def bind_excused() -> bool:
    """Whether the owner says that the wider address reaches no further than this machine."""
    return os.environ.get(OPEN_VARIABLE) == "1"


def _unnamed(headers: Headers) -> str:
    """The Host, where server.allowedHosts doesn't name it. Streamlit asks it of connections alone, and says nothing."""
    names = [str(each).strip().lower().rstrip(".") for each in st.get_option("server.allowedHosts")]
    host = without_port(next(iter(values(headers, "host")), "")).lower().rstrip(".")
    wild = any(name == "*" or (name.startswith("*.") and host.endswith(name[1:])) for name in names)
    return "" if not names or wild or host in names else f"server.allowedHosts doesn't name {host[:80] or 'its host'}"


class Gate:
    """The layer; `app` is all that Streamlit serves."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._coming: dict[object, tuple[str, int]] = {}  # uploads on their way: their sessions and sizes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        accounts = _accounts()
        why = refusal(headers, accounts=accounts)
        if why:
            await _refuse(scope, receive, send, 403, _sentence(why, accounts), page=True)
        elif scope["type"] == "websocket":
            await self._connection(scope, headers, receive, send, accounts=accounts)
        else:
            await self._request(scope, headers, receive, send)

    async def _request(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        browser = _browser(headers)
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
        if not VISITORS.signed_in(_browser(headers), session):
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
        self._coming[key] = session, size
        try:
            await self._app(scope, receive, send)
        finally:
            del self._coming[key]

    def _held(self, session: str) -> tuple[int, int]:
        """Bytes of uploads of that session and of all: what is kept, and what is on its way."""
        kept = runtime.get_instance().uploaded_file_mgr.file_storage  # type: ignore[attr-defined]
        sizes = {
            key: sum(max(LEAST_UPLOAD, len(each.data)) for each in list(files.values()))
            for key, files in list(kept.items())
        }
        for key, size in self._coming.values():
            sizes[key] = sizes.get(key, 0) + size
        return sizes.get(session, 0), sum(sizes.values())

    async def _connection(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, *, accounts: bool
    ) -> None:
        browser = _browser(headers)
        token = VISITORS.connect(browser)
        inside = {**scope, "headers": _as_passed(headers, browser, token)}
        inside.pop("subprotocols", None)
        try:
            await self._app(inside, _only_known(receive) if not accounts else _of_now(receive, browser, token), send)
        finally:
            session = VISITORS.disconnect(token)
            if session:
                asyncio.get_running_loop().call_later(RESUME_S, _end, session)


def _as_passed(headers: Headers, browser: str, token: str) -> list[tuple[bytes, bytes]]:
    """The headers as Streamlit gets them: with the gate's mark, the Host of the origin that the gate let in (so that
    Streamlit, which would ask a public service for this machine's address, finds nothing to ask), and without the
    number of a session that isn't this browser's."""
    origins = values(headers, "origin")
    passed = [(MARK, token)]
    for name, value in headers:
        if name == "host" and origins:
            passed.append((name, origins[0].partition("://")[2].rstrip("/") or value))
        elif name == "sec-websocket-protocol":
            parts = [part.strip() for part in value.split(",")]
            known = len(parts) <= 2 or VISITORS.owns(browser, parts[2])
            passed.append((name, ", ".join(parts if known else parts[:2])))
        elif name != MARK:
            passed.append((name, value))
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in passed]


def _only_known(receive: Receive) -> Receive:
    """Messages of a browser, without those that concern more than its own session."""

    async def known() -> Message:
        while True:
            message = await receive()
            asked = _asked(message)
            if asked is None or asked.WhichOneof("type") in _MESSAGES:
                return message

    return known


def _of_now(receive: Receive, browser: str, token: str) -> Receive:
    """The same, where people sign in. The first long message of a browser in which nobody is signed in ends the
    connection. A part of a page that refreshes itself is the whole page, which asks who is here, once the sign-in is
    over. A file is made for the session that offered it alone: its trail names who signed in there."""
    known = _only_known(receive)

    async def of_now() -> Message:
        message = await known()
        if len(message.get("bytes") or b"") > BEFORE_SIGN_IN and not VISITORS.signed_in(browser):
            return {"type": "websocket.disconnect", "code": 1009, "reason": "Sign in first."}
        asked, session = _asked(message), VISITORS.session(token)
        if asked is None:
            return message
        file, part = asked.backend_operation_request.deferred_file, asked.rerun_script
        if file.file_id and file.file_id not in _offered(session):
            file.file_id = "not offered here"
        elif part.fragment_id and not (session and VISITORS.signed_in(browser, session)):
            part.fragment_id = ""
        else:
            return message
        return {**message, "bytes": asked.SerializeToString()}

    return of_now


def _offered(session: str) -> Collection[str]:
    """The files that a session's page offers, which are made when they are asked for."""
    offered: Mapping[str, Collection[str]] = runtime.get_instance().media_file_mgr._deferred_ids_by_session
    return offered.get(session, ())


def _asked(message: Message) -> BackMsg | None:
    """What a browser asks; None for what is no such message: Streamlit closes the connection then."""
    from google.protobuf.message import DecodeError
    from streamlit.proto.BackMsg_pb2 import BackMsg

    content = message.get("bytes")
    if message["type"] != "websocket.receive" or not content:
        return None
    try:
        result: BackMsg | None = BackMsg.FromString(content)
        return result
    except DecodeError:
        return None


def _end(session: str) -> None:
    """A session's time to go on is over: with it go its state, uploads and pictures."""
    if runtime.exists() and not runtime.get_instance().is_active_session(session):
        VISITORS.forget(session)
        runtime.get_instance().close_session(session)


def _accounts() -> bool:
    """Whether people sign in. Where that can't be found out nobody gets past the sign-in anyway."""
    try:
        return way() != "open"
    except CoreError:
        return True


def _browser(headers: Headers) -> str:
    """The browser's cookie, or "" without one of ours."""
    return browser_of(headers, cookie_name())


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


def _sentence(why: str, accounts: bool) -> str:
    if accounts:
        return (
            f"Refused: {why}. List the host names of this dashboard in server.allowedHosts, and other addresses whose "
            "pages may use it in server.corsAllowedOrigins."
        )
    return (
        f"Nobody is let in: {why}, and nobody is asked to sign in. Add an admin (edgeface-studio users add NAME "
        "--role admin), after which everybody signs in; or use it on its own machine, at http://localhost."
    )


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


__all__ = ["MARK", "OPEN_VARIABLE", "Gate", "bind_excused", "cookie_name", "refusal"]
