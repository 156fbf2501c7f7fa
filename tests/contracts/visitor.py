"""A visitor who isn't a browser: speaks to a running dashboard by HTTP and by Streamlit's websocket, with the headers
and cookies that a test gives it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

WAIT_S = 60.0


@dataclass
class Visitor:
    """A browser's cookies, and the headers that its requests carry beside them."""

    address: str
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.address.partition("://")[2]

    def request(self, method: str, path: str, **more: object) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}  # type: ignore[dict-item]
        answer = requests.request(
            method, f"{self.address}/{path}", headers=headers, cookies=self.cookies, timeout=30, **more
        )  # type: ignore[arg-type]
        self.cookies.update(answer.cookies.get_dict())
        return answer

    def arrive(self) -> Visitor:
        """Ask for the page and for what its script asks first, and keep the cookies."""
        for path in ("", "_stcore/health"):
            self.request("GET", path)
        return self

    @contextlib.contextmanager
    def session(self, session: str = "", **headers: str) -> Iterator[Session]:
        """A websocket as the page's script opens it; `session` asks to go on with that one. Raises InvalidStatus where
        it is refused."""
        given = {"Origin": self.address, **self.headers, **headers}
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        origin = given.pop("Origin", None) or None
        protocols = ["streamlit", self.cookies.get("_streamlit_xsrf", "none"), *([session] if session else [])]
        host = given.pop("Host", "")
        with _connect(
            self.address, origin, protocols, {**given, **({"Cookie": cookie} if cookie else {})}, host
        ) as one:
            yield Session(one)


def _connect(
    address: str, origin: str | None, protocols: list[str], headers: Mapping[str, str], host: str
) -> ClientConnection:
    url = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    if not host:
        return connect(url, origin=origin, subprotocols=protocols, additional_headers=headers, max_size=None)
    port = int(address.rpartition(":")[2])
    sock = socket.create_connection(("127.0.0.1", port))
    url = f"ws://{host}/_stcore/stream"  # its Host header
    return connect(url, sock=sock, origin=origin, subprotocols=protocols, additional_headers=headers, max_size=None)


@dataclass
class Session:
    """An open websocket: runs pages and collects what comes."""

    socket: ClientConnection
    id: str = ""
    messages: list[ForwardMsg] = field(default_factory=list)

    def run(self, page: str = "", *, part: str = "", **widgets: object) -> str:
        """Run a page ("" is Home), or a part of it, with values of widgets, by their ids; returns all that came, when
        it has ended."""
        ask = BackMsg()
        ask.rerun_script.fragment_id = part
        ask.rerun_script.page_name = page
        ask.rerun_script.query_string = ""
        for name, value in widgets.items():
            state = ask.rerun_script.widget_states.widgets.add(id=name)
            if isinstance(value, str):
                state.string_value = value
            else:
                state.trigger_value = bool(value)
        self.socket.send(ask.SerializeToString())
        return self.read()

    def send(self, kind: str) -> None:
        """A message of another kind that is a mere yes."""
        ask = BackMsg()
        setattr(ask, kind, True)
        self.socket.send(ask.SerializeToString())

    def read(self, wait_s: float = WAIT_S) -> str:
        """What comes until a run has ended."""
        came: list[ForwardMsg] = []
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            message = ForwardMsg.FromString(self.socket.recv(timeout=max(0.1, end - time.monotonic())))
            came.append(message)
            if message.WhichOneof("type") == "new_session":
                self.id = message.new_session.initialize.session_id
            if message.WhichOneof("type") == "script_finished" and message.script_finished != 2:  # 2: to run again
                break
        self.messages += came
        return "\n".join(str(each) for each in came)

    def download(self, label: str) -> str:
        """Click a download button; returns the address under which the file then is."""
        return self.file(self.offered(label))

    def offered(self, label: str) -> str:
        """The number of the file that a download button offers."""
        return str(self._drawn(label).deferred_file_id)

    def file(self, number: str) -> str:
        """Have the file of that number made; returns its address, "" where it is refused."""
        ask = BackMsg()
        ask.backend_operation_request.request_id, ask.backend_operation_request.session_id = "1", self.id
        ask.backend_operation_request.deferred_file.file_id = number
        self.socket.send(ask.SerializeToString())
        while True:
            message = ForwardMsg.FromString(self.socket.recv(timeout=WAIT_S))
            if message.WhichOneof("type") == "backend_operation_response":
                return str(message.backend_operation_response.deferred_file.url)

    def widget(self, label: str) -> str:
        """The id of the widget of that label, as it was last drawn."""
        return str(self._drawn(label).id)

    def _drawn(self, label: str) -> Any:
        for message in reversed(self.messages):
            if message.WhichOneof("type") == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                one = getattr(element, element.WhichOneof("type"))
                if getattr(one, "label", None) == label and getattr(one, "id", ""):
                    return one
        raise AssertionError(f"no widget {label!r}")


__all__ = ["InvalidStatus", "Session", "Visitor"]
