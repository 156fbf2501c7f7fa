"""The browser's permission to use the camera, and a message with the remedy for each way in which it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st

Verdict = Literal["", "ok", "refused", "absent", "taken", "insecure", "unsupported", "lost", "unreached", "fault"]

# Opens the camera and closes it at once, so that the page, not only a frame in it, learns why it fails.
_ASK = """
export default function ({ parentElement, setStateValue }) {
  if (parentElement.asked) return;
  parentElement.asked = true;
  const tell = (verdict) => setStateValue("verdict", verdict);
  const names = {
    NotAllowedError: "refused", SecurityError: "refused",
    NotFoundError: "absent", OverconstrainedError: "absent",
  };
  if (!window.isSecureContext) return tell("insecure");
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) return tell("unsupported");
  navigator.mediaDevices.getUserMedia({ video: true, audio: false }).then(
    (stream) => { stream.getTracks().forEach((track) => track.stop()); tell("ok"); },
    (error) => tell(names[error.name] || "taken"),
  );
}
"""
_camera = st.components.v2.component("edgeface_studio.camera", js=_ASK)


@dataclass(frozen=True)
class Trouble:
    """Why there is no picture, and the next step. `icon` is a Material icon."""

    what: str
    next_step: str
    icon: str = ":material/videocam_off:"


TROUBLES: dict[Verdict, Trouble] = {
    "refused": Trouble(
        "The browser denied access to the camera.",
        "Choose the camera icon in the address bar, allow the camera for this page, and start again. If there is no "
        "icon, allow the browser to use the camera in the system's privacy settings.",
    ),
    "absent": Trouble(
        "No camera was found.",
        "Connect a camera, or switch it on (many laptops have a slider or a key for it), and start again.",
    ),
    "taken": Trouble(
        "The camera is in use by another program.",
        "Close video calls and other programs that use the camera, and start again.",
    ),
    "insecure": Trouble(
        "Browsers allow the camera only on localhost or over HTTPS.",
        "Open http://localhost:8501 on the machine itself, or serve the dashboard over HTTPS.",
        ":material/lock_open:",
    ),
    "unsupported": Trouble(
        "This browser doesn't support cameras.", "Use a current Firefox, Chrome, Edge or Safari.", ":material/web:"
    ),
    "lost": Trouble("The video stopped.", "Check that the camera is connected, and start again."),
    "unreached": Trouble(
        "No connection between browser and server.",
        "Between two networks, a TURN server has to be set in the secrets file and has to be reachable. On one "
        "machine, "
        "stop other demanding programs and start again.",
        ":material/wifi_off:",
    ),
    "fault": Trouble(
        "The video frames couldn't be processed.", "Start again. If it happens again, see the log.", ":material/error:"
    ),
}


def ask_camera(key: str) -> Verdict:
    """The browser's answer: "ok", a key of TROUBLES, or "" while it is pending. Each `key` asks once."""
    answer = _camera(key=key, default={"verdict": ""}, on_verdict_change=_noted)
    return answer.verdict or ""


def trouble_of_address(url: str | None) -> Verdict:
    """ "insecure" where browsers deny a page at that address the camera, else ""."""
    if not url:
        return ""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    local = host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
    return "" if parts.scheme == "https" or local else "insecure"


def say_trouble(verdict: Verdict) -> None:
    """Show a trouble with its remedy; nothing for "" and "ok"."""
    trouble = TROUBLES.get(verdict)
    if trouble is not None:
        st.warning(f"**{trouble.what}**\n\n{trouble.next_step}", icon=trouble.icon)


def _noted() -> None:
    """A change reruns the page; nothing else is needed."""
