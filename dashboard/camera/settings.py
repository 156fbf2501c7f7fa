"""Settings of live video: ICE servers, size and rate, in the table [webrtc] of `.streamlit/secrets.toml`.

[webrtc]
width = 640
height = 480
frame_rate = 15

[[webrtc.ice_servers]]
urls = ["turn:turn.example.org:3478"]
username = "studio"
credential = "..."
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.errors import SettingsInvalid

_SCHEMES = ("stun:", "stuns:", "turn:", "turns:")
_WHERE = "[webrtc] in .streamlit/secrets.toml"
_KNOWN = {"width", "height", "frame_rate", "ice_servers"}


@dataclass(frozen=True)
class IceServer:
    """One STUN or TURN server. TURN needs a username and a credential; browsers are given both."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = ""


@dataclass(frozen=True)
class LiveSettings:
    """Requested size (px) and rate (frames per second) of the camera, and the ICE servers.

    No server by default: within one machine or network none is needed, and no third party learns of a visitor.
    """

    width: int = 640
    height: int = 480
    frame_rate: int = 15
    ice_servers: tuple[IceServer, ...] = ()

    @property
    def rtc_configuration(self) -> dict[str, Any]:
        """RTCConfiguration for browser and server. An empty list means no server; without it a public one would be
        used."""
        return {"iceServers": [_as_given(server) for server in self.ice_servers]}

    @property
    def constraints(self) -> dict[str, Any]:
        """MediaStreamConstraints for the browser: the front camera, no sound."""
        video = {
            "width": {"ideal": self.width},
            "height": {"ideal": self.height},
            "frameRate": {"ideal": self.frame_rate, "max": 30},
            "facingMode": "user",
        }
        return {"video": video, "audio": False}


def live_settings() -> LiveSettings:
    """The settings of the secrets file, or the defaults. Raises SettingsInvalid."""
    from streamlit.errors import StreamlitSecretNotFoundError

    try:
        table = st.secrets.get("webrtc", {})
    except StreamlitSecretNotFoundError:
        return LiveSettings()
    return parse(table)


def parse(table: Any) -> LiveSettings:
    """Settings from a table of the secrets file. Raises SettingsInvalid, whose text contains no credential."""
    if not isinstance(table, Mapping):
        raise _invalid("is one value", "a table")
    if unknown := sorted(set(table) - _KNOWN):
        raise _invalid(f"has the unknown entry {unknown[0]!r}", ", ".join(sorted(_KNOWN)))
    default = LiveSettings()
    return LiveSettings(
        width=_whole(table, "width", default.width, 160, 1920),
        height=_whole(table, "height", default.height, 120, 1080),
        frame_rate=_whole(table, "frame_rate", default.frame_rate, 1, 30),
        ice_servers=_servers(table.get("ice_servers", ())),
    )


def _whole(table: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = table.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _invalid(f"has {name} = {value!r}", f"a whole number from {low} to {high}")
    return value


def _servers(given: Any) -> tuple[IceServer, ...]:
    if isinstance(given, (str, Mapping)) or not hasattr(given, "__iter__"):
        raise _invalid("has ice_servers that aren't a list", "[[webrtc.ice_servers]] tables")
    return tuple(_server(number, each) for number, each in enumerate(given, start=1))


def _server(number: int, given: Any) -> IceServer:
    if not isinstance(given, Mapping) or "urls" not in given:
        raise _invalid(f"has an ICE server {number} without urls", 'urls = ["turn:host:port"]')
    urls = (given["urls"],) if isinstance(given["urls"], str) else tuple(given["urls"])
    for url in urls:
        if not isinstance(url, str) or not url.startswith(_SCHEMES):
            raise _invalid(f"has the ICE address {url!r}", "one that begins with stun:, stuns:, turn: or turns:")
    username, credential = (str(given.get(name, "")) for name in ("username", "credential"))
    if any(url.startswith("turn") for url in urls) and not (username and credential):
        raise _invalid(f"has the TURN server {urls[0]!r} without username or credential", "both")
    return IceServer(urls, username, credential)


def _as_given(server: IceServer) -> dict[str, Any]:
    signed = {"username": server.username, "credential": server.credential} if server.username else {}
    return {"urls": list(server.urls), **signed}


def _invalid(found: str, expected: str) -> SettingsInvalid:
    return SettingsInvalid(f"{_WHERE} {found}; expected {expected}.", "Correct the file and reload the page.")
