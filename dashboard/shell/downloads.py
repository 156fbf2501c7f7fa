"""Download buttons, disabled where the role may not export. A file is made when it is clicked, and recorded in the
audit trail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.access.exports import audited_download
from core.access.roles import Permission, least_role
from dashboard.shell.resources import settings
from dashboard.shell.session import allowed, as_of_now

LOCKED = f"Downloads require the role {least_role(Permission.EXPORT)}."


def offer_download(
    label: str,
    make: Callable[[], bytes],
    file_name: str,
    mime: str,
    *,
    key: str,
    what: str = "",
    into: DeltaGenerator | None = None,
    **options: Any,
) -> None:
    """A download button. `what` names it in the audit trail, without names of people (default: the label in lower
    case); `into` is the container for it; `options` are those of st.download_button (icon, type, help, disabled)."""
    may = allowed(Permission.EXPORT)
    data = audited_download(settings(), what or label.lower(), make, again=as_of_now) if may else b""
    if not may:
        options |= {"disabled": True, "help": LOCKED}
    (into or st).download_button(
        label,
        data,
        file_name=file_name,
        mime=mime,
        key=key,
        on_click="ignore",
        **{"icon": ":material/download:", **options},
    )
