"""May this page use the camera? Asks the browser, and says each way in which it can't, in words with the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st

Verdict = Literal["", "ok", "refused", "absent", "taken", "insecure", "unsupported", "lost", "unreached", "fault"]

# The camera is opened and let go at once: what speaks against it is then known to the page, not only to a frame in it.
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
    """Why there is no picture, and what to do about it. `icon` is a Material icon."""

    what: str
    next_step: str
    icon: str = ":material/videocam_off:"


TROUBLES: dict[Verdict, Trouble] = {
    "refused": Trouble(
        "The camera was refused.",
        "Choose the camera sign beside the address, allow it for this page, then start again. Where it isn't offered, "
        "the system's own privacy settings keep the browser from the camera.",
    ),
    "absent": Trouble(
        "No camera was found.",
        "Connect one, or switch it on (a slider or a key on many portable computers), then start again.",
    ),
    "taken": Trouble(
        "The camera gives no picture: another program is using it.",
        "Close calls and other programs that show a camera picture, then start again.",
    ),
    "insecure": Trouble(
        "Browsers give a camera only to pages on localhost or over HTTPS, and this page is neither.",
        "Open it on the machine itself as http://localhost:8501, or have it served over HTTPS.",
        ":material/lock_open:",
    ),
    "unsupported": Trouble(
        "This browser offers no camera to pages.", "Use a current Firefox, Chrome, Edge or Safari.", ":material/web:"
    ),
    "lost": Trouble("The picture stopped coming.", "Look whether the camera is still connected, then start again."),
    "unreached": Trouble(
        "Browser and server don't reach each other.",
        "Between two networks a TURN server is needed, and none is set or it doesn't answer; the operator names one in "
        "the secrets file. On one machine: start again, and stop other heavy work.",
        ":material/wifi_off:",
    ),
    "fault": Trouble(
        "The pictures couldn't be looked at.", "Start again; when it stays, look into the log.", ":material/error:"
    ),
}


def ask_camera(key: str) -> Verdict:
    """What the browser answers: "ok", a trouble's name, or "" while it is still asking. One `key` asks once."""
    answer = _camera(key=key, default={"verdict": ""}, on_verdict_change=_noted)
    return answer.verdict or ""


def trouble_of_address(url: str | None) -> Verdict:
    """ "insecure" when a page at that address can't get a camera, known before anybody is asked; else ""."""
    if not url:
        return ""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    local = host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
    return "" if parts.scheme == "https" or local else "insecure"


def say_trouble(verdict: Verdict) -> None:
    """The trouble and its remedy on the page; nothing for "" and "ok"."""
    trouble = TROUBLES.get(verdict)
    if trouble is not None:
        st.warning(f"**{trouble.what}**\n\n{trouble.next_step}", icon=trouble.icon)


def _noted() -> None:
    """An answer makes the page run again; there is nothing else to do."""
