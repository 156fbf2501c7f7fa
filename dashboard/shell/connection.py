"""Websocket connections through the gate: the headers that Streamlit receives, and the messages that pass."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime

from core.access.gate import Headers, values
from dashboard.shell.admission import MARK, browser_cookie
from dashboard.shell.visitors import VISITORS

if TYPE_CHECKING:
    from streamlit.proto.BackMsg_pb2 import BackMsg

RESUME_S = 20.0
"""Seconds in which a session whose connection dropped can resume in its own browser. Then it ends with its uploads."""

_MESSAGES = frozenset(
    {"rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request"}
)
"""Messages that concern the browser's own session. Others affect all sessions, or are for development."""
BEFORE_SIGN_IN = 64 * 2**10
"""Largest message in bytes from a browser in which nobody is signed in: a session keeps the values of the last one."""


async def serve_connection(
    app: ASGIApp, scope: Scope, headers: Headers, receive: Receive, send: Send, *, accounts: bool
) -> None:
    """Serve a websocket by `app`. When it closes, its session ends after `RESUME_S` seconds unless it is resumed."""
    browser = browser_cookie(headers)
    token = VISITORS.connect(browser)
    inner = {**scope, "headers": _forwarded(headers, browser, token)}
    inner.pop("subprotocols", None)
    try:
        await app(inner, _signed_in_only(receive, browser, token) if accounts else _own_session_only(receive), send)
    finally:
        session = VISITORS.disconnect(token)
        if session:
            asyncio.get_running_loop().call_later(RESUME_S, _end, session)


def _forwarded(headers: Headers, browser: str, token: str) -> list[tuple[bytes, bytes]]:
    """The headers that Streamlit receives: with the connection's token, the Host of the admitted origin (otherwise
    Streamlit asks a public service for this machine's address), and without a session id of another browser."""
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


def _own_session_only(receive: Receive) -> Receive:
    """Drop messages that concern more than the browser's own session."""

    async def filtered() -> Message:
        while True:
            message = await receive()
            asked = _asked(message)
            if asked is None or asked.WhichOneof("type") in _MESSAGES:
                return message

    return filtered


def _signed_in_only(receive: Receive, browser: str, token: str) -> Receive:
    """Drop such messages too, and check the sign-in at each one that passes.

    A message over `BEFORE_SIGN_IN` bytes from a browser in which nobody is signed in closes the connection. After the
    sign-in has ended, a fragment's rerun becomes a run of the whole page, which asks for a sign-in. A deferred file is
    made only for the session that offered it, because the audit trail names who is signed in there.
    """
    filtered = _own_session_only(receive)

    async def checked() -> Message:
        message = await filtered()
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

    return checked


def _offered(session: str) -> Collection[str]:
    """Ids of the deferred downloads on a session's page."""
    offered: Mapping[str, Collection[str]] = runtime.get_instance().media_file_mgr._deferred_ids_by_session
    return offered.get(session, ())


def _asked(message: Message) -> BackMsg | None:
    """The parsed message; None for anything else, for which Streamlit closes the connection."""
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
    """Close a session that wasn't resumed, with its state, uploads and pictures."""
    if runtime.exists() and not runtime.get_instance().is_active_session(session):
        VISITORS.forget(session)
        runtime.get_instance().close_session(session)
