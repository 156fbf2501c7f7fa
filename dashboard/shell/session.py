"""The visitor's identity and role. `core.access` asks `current` for the actor.

Without user accounts and without [auth] in the secrets file the visitor is the owner; the gate then admits this machine
only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from core.access.actor import NOBODY, Actor, allowed, owner
from core.access.gate import is_loopback
from core.access.provider import role_of_claims, role_of_name
from core.access.roles import Permission
from core.access.users import User, find_user
from core.errors import CoreError
from core.settings import load_settings
from dashboard.shell.admission import MARK, bind_excused, cookie_name, refusal
from dashboard.shell.sign_in_methods import SignInMethod, sign_in_method, table
from dashboard.shell.visitors import VISITORS

__all__ = [
    "Permission",
    "allowed",
    "arrive",
    "as_of_now",
    "current",
    "end_session",
    "expired",
    "exposed",
    "remember",
    "sign_in_method",
]

IDLE_S = 30 * 60.0
LONGEST_S = 12 * 3600.0
"""Seconds without a page visit after which a sign-in by password ends, and after which any sign-in ends."""

_SIGNED_IN = "access_signed_in"


@dataclass(frozen=True)
class SignedIn:
    """A sign-in by password. It is kept in the browser tab's session, so a reload asks again, and is valid only in the
    browser with its cookie."""

    name: str
    stamp: str
    since: float
    seen: float
    browser: str = ""


@dataclass(frozen=True)
class ByProvider:
    """A sign-in by a provider, with its claims."""

    claims: Mapping[str, Any]


def current() -> Actor:
    """The actor of this thread; nobody where it can't be determined."""
    try:
        how = sign_in_method()
        if how == "open":
            return NOBODY if exposed() else owner()
        return NOBODY if not _in_session() or _closed(accounts=True) else by_now(_record(how))
    except CoreError:
        return NOBODY


def by_now(signed: SignedIn | ByProvider | None) -> Actor:
    """The actor of a sign-in (None: sign-in is off), with accounts, roles and times read again. Works in any thread."""
    try:
        how = sign_in_method()
        if how == "open" and signed is None:
            return owner()
        if how == "oidc" and isinstance(signed, ByProvider) and _fresh(signed.claims.get("iat")):
            return Actor(*role_of_claims(signed.claims, table("access")))
        if how == "passwords" and isinstance(signed, SignedIn) and _valid(signed):
            user = find_user(load_settings(), signed.name)
            if user is not None and user.stamp == signed.stamp:
                return Actor(user.name, user.role)
    except CoreError:
        pass
    return NOBODY


def as_of_now(actor: Actor) -> Actor:
    """An actor with the role of now, in a thread without the session; nobody where the account was removed."""
    try:
        how = sign_in_method()
        if how == "oidc":
            role = role_of_name(actor.name, table("access"))
            return NOBODY if role is None else Actor(actor.name, role)
        if how == "open":
            return actor if actor == owner() else NOBODY
        user = find_user(load_settings(), actor.name)
    except CoreError:
        return NOBODY
    return NOBODY if user is None else Actor(user.name, user.role)


def arrive() -> None:
    """Record the run of a page: it extends the sign-in, and tells the gate to whom the session belongs."""
    try:
        how = sign_in_method()
    except CoreError:
        return
    signed = _record(how)
    if isinstance(signed, SignedIn) and _valid(signed):
        signed = st.session_state[_SIGNED_IN] = replace(signed, seen=time.time())
    session = _session()
    if session:
        VISITORS.arrive(str(st.context.headers.get(MARK, "")), session, partial(by_now, signed))


def remember(user: User) -> None:
    """Start the session of a user who signed in by password; the state of an earlier one is cleared."""
    end_session()
    now = time.time()
    st.session_state[_SIGNED_IN] = SignedIn(user.name, user.stamp, now, now, _browser())


def end_session() -> None:
    """Sign out, and clear the state that pages kept."""
    VISITORS.forget(_session())
    for key in list(st.session_state):
        del st.session_state[key]


def expired() -> bool:
    """Whether a sign-in of this session has expired, or its password or role was changed."""
    signed = _record(sign_in_method())
    return signed is not None and by_now(signed) == NOBODY


def exposed() -> str:
    """Why a dashboard without sign-in refuses this visitor, in a few words; "" where it admits them."""
    return _closed(accounts=False)


def _closed(*, accounts: bool) -> str:
    headers = [(name.lower(), each) for name in st.context.headers for each in st.context.headers.get_all(name)]
    if not headers:  # a thread without a visitor
        return "" if accounts or bind_excused() or is_loopback(str(st.get_option("server.address") or "")) else _WIDE
    if not VISITORS.passed(str(st.context.headers.get(MARK, ""))):
        return "it wasn't started by streamlit run dashboard/Home.py"
    return refusal(headers, accounts=accounts)


_WIDE = "it accepts connections from other machines"


def _record(how: SignInMethod) -> SignedIn | ByProvider | None:
    """The sign-in of this session, valid or not."""
    if how == "oidc":
        return ByProvider(st.user.to_dict()) if st.user.is_logged_in else None
    signed = st.session_state.get(_SIGNED_IN) if how == "passwords" else None
    return signed if isinstance(signed, SignedIn) and signed.browser == _browser() else None


def _valid(signed: SignedIn) -> bool:
    return _fresh(signed.since) and time.time() - signed.seen < IDLE_S


def _fresh(since: Any) -> bool:
    """Whether a sign-in at that time (seconds since 1970) is valid; one without a time isn't."""
    now = time.time()
    return isinstance(since, int | float) and since <= now + 60 and now - since < LONGEST_S


def _browser() -> str:
    return st.context.cookies.to_dict().get(cookie_name(), "")


def _in_session() -> bool:
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    return get_script_run_ctx(suppress_warning=True) is not None


def _session() -> str:
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx(suppress_warning=True)
    return "" if context is None else context.session_id
