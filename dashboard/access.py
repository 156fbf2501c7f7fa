"""Who is at the screen and what they may do. Importing this makes `core.access` ask here, in every thread.

Without a users' file and without [auth] in the secrets file whoever reaches the dashboard is the owner: it then answers
on this machine only.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import streamlit as st

from core.access.actor import NOBODY, Actor, allowed, owner, resolve_with
from core.access.errors import AccessError
from core.access.roles import Permission, Role
from core.access.users import User, find_user, sign_in_needed
from core.errors import CoreError
from core.settings import load_settings

__all__ = [
    "Permission",
    "allowed",
    "as_of_now",
    "current",
    "end_session",
    "expired",
    "exposed",
    "oidc_role",
    "remember",
    "still_here",
    "way",
]

Way = Literal["open", "passwords", "oidc"]

IDLE_S = 30 * 60.0
LONGEST_S = 12 * 3600.0
"""A sign-in by password ends after so long without a visit to a page, and after so long in any case."""

OPEN_VARIABLE = "EDGEFACE_OPEN_ACCESS"
"""Set to 1 it lets anybody in who reaches the port: for a container whose port is published to localhost only."""

_SIGNED_IN = "access_signed_in"
_LISTS = {"admins": Role.ADMIN, "operators": Role.OPERATOR, "viewers": Role.VIEWER}


@dataclass(frozen=True)
class SignedIn:
    """A sign-in by password, kept in this browser tab's session on the server: a reload asks again."""

    name: str
    stamp: str
    since: float
    seen: float


def way() -> Way:
    """How people get in. Raises AccessError for a secrets file that can't be read."""
    if _secrets("auth"):
        return "oidc"
    return "passwords" if sign_in_needed(load_settings()) else "open"


def current() -> Actor:
    """Who acts in this thread; nobody where that isn't known, or can't be found out."""
    try:
        return _current()
    except CoreError:
        return NOBODY


def as_of_now(actor: Actor) -> Actor:
    """Somebody who acted on a page, later and in a thread without their session: nobody once their account is gone,
    with another role once it was changed."""
    try:
        if way() != "passwords":
            return actor
        user = find_user(load_settings(), actor.name)
    except CoreError:
        return NOBODY
    return NOBODY if user is None else Actor(user.name, user.role)


def _current() -> Actor:
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    how = way()
    if how == "open":
        return owner() if not _bound_wide() else NOBODY
    if get_script_run_ctx(suppress_warning=True) is None:
        return NOBODY
    return _by_provider() if how == "oidc" else _by_password()


def remember(user: User) -> None:
    """Somebody signed in by password: what the tab's session held of whoever was there before is gone."""
    end_session()
    now = time.time()
    st.session_state[_SIGNED_IN] = SignedIn(user.name, user.stamp, now, now)


def end_session() -> None:
    """Forget who is signed in, and everything that the pages kept for them."""
    for key in list(st.session_state):
        del st.session_state[key]


def still_here() -> None:
    """Count a visit to a page: it puts off the end of the session."""
    signed = st.session_state.get(_SIGNED_IN)
    if isinstance(signed, SignedIn) and _valid(signed):
        st.session_state[_SIGNED_IN] = replace(signed, seen=time.time())


def expired() -> bool:
    """Whether somebody was signed in here, whose time is over, or whose password or role was changed."""
    signed = st.session_state.get(_SIGNED_IN)
    return isinstance(signed, SignedIn) and _by_password() == NOBODY


def exposed() -> str:
    """Why the dashboard answers to more than this machine, in a few words; "" when it doesn't, or that is wanted."""
    if os.environ.get(OPEN_VARIABLE) == "1":
        return ""
    if _bound_wide():
        return f"it listens on {st.get_option('server.address') or 'every network address'}"
    host = str(st.context.headers.get("Host", ""))
    if host and not _is_loopback(_without_port(host)):
        return f"it is reached as {_without_port(host)[:80]}"
    return ""


def oidc_role(claims: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> tuple[str, Role | None]:
    """(address, role) of who signed in with a provider, by the lists admins, operators and viewers of addresses.

    An address that the provider says isn't verified counts for nothing.
    """
    address = str(claims.get("email") or "").strip().casefold()
    if not address or claims.get("email_verified") is False:
        return address or "somebody without an address", None
    for name, role in _LISTS.items():
        if address in {str(each).strip().casefold() for each in lists.get(name, ())}:
            return address, role
    return address, None


def _by_provider() -> Actor:
    if not st.user.is_logged_in:
        return NOBODY
    return Actor(*oidc_role(st.user.to_dict(), _secrets("access")))


def _by_password() -> Actor:
    signed = st.session_state.get(_SIGNED_IN)
    if not isinstance(signed, SignedIn) or not _valid(signed):
        return NOBODY
    user = find_user(load_settings(), signed.name)
    if user is None or user.stamp != signed.stamp:
        return NOBODY
    return Actor(user.name, user.role)


def _valid(signed: SignedIn) -> bool:
    now = time.time()
    return signed.since <= now + 60 and now - signed.seen < IDLE_S and now - signed.since < LONGEST_S


def _secrets(table: str) -> Mapping[str, Any]:
    from streamlit.errors import StreamlitSecretNotFoundError

    try:
        found = st.secrets.get(table, {})
    except StreamlitSecretNotFoundError as error:
        if "No secrets found" in str(error):
            return {}
        raise AccessError(
            "The secrets file can't be read, so nobody is let in.", "Correct .streamlit/secrets.toml."
        ) from error
    if not isinstance(found, Mapping):
        raise AccessError(f"[{table}] in .streamlit/secrets.toml is no table.", "Correct the file.")
    return found


def _bound_wide() -> bool:
    if os.environ.get(OPEN_VARIABLE) == "1":
        return False
    address = st.get_option("server.address")
    return not (address and _is_loopback(str(address)))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_loopback(host: str) -> bool:
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


resolve_with(current)
