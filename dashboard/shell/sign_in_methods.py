"""The sign-in method, and the tables of the secrets file, read again at each run: Streamlit reads that file once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from core.access.errors import AccessError
from core.access.users import sign_in_needed
from core.settings import load_settings

SignInMethod = Literal["open", "passwords", "oidc"]

_UNREADABLE = ("The secrets file can't be read, so access is closed.", "Correct .streamlit/secrets.toml.")
_read: dict[str, tuple[tuple[int, int], Mapping[str, Any]]] = {}
"""By path: (modification time, size) and the content."""


def sign_in_method() -> SignInMethod:
    """How visitors sign in. Raises AccessError where the secrets file can't be read."""
    if table("auth"):
        return "oidc"
    return "passwords" if sign_in_needed(load_settings()) else "open"


def table(name: str) -> Mapping[str, Any]:
    """A table of the secrets file, {} where it is missing. [auth] is the one that Streamlit read at the start and signs
    people in by. Raises AccessError where the file can't be read or `name` isn't a table."""
    found = _of_streamlit(name)
    files = [path for path in map(Path, st.get_option("secrets.files")) if path.suffix == ".toml" and path.exists()]
    if name != "auth" and files:
        found = {}
        for path in files:
            found = _content(path).get(name, found)
    if not isinstance(found, Mapping):
        raise AccessError(f"[{name}] in .streamlit/secrets.toml isn't a table.", "Correct the file.")
    return found


def _of_streamlit(name: str) -> Any:
    from streamlit.errors import StreamlitSecretNotFoundError

    try:
        return st.secrets.get(name, {})
    except StreamlitSecretNotFoundError as error:
        if "No secrets found" in str(error):
            return {}
        raise AccessError(*_UNREADABLE) from error


def _content(path: Path) -> Mapping[str, Any]:
    try:
        about = path.stat()
        stamp = (about.st_mtime_ns, about.st_size)
        known = _read.get(str(path))
        if known is None or known[0] != stamp:
            known = _read[str(path)] = (stamp, tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise AccessError(*_UNREADABLE) from error
    return known[1]
