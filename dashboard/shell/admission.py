"""Who may reach the dashboard: the rules for requests and connections, and the browser's cookie.

The gate asks them for every request, and a page's run for its own connection.
"""

from __future__ import annotations

import os

import streamlit as st

from core.access.gate import Headers, browser_of, refusal_of_page, refusal_without_accounts, values, without_port
from core.errors import CoreError
from dashboard.shell.sign_in_methods import sign_in_method

OPEN_VARIABLE = "EDGEFACE_OPEN_ACCESS"
"""Environment variable. 1 allows a server address beyond localhost without accounts, for a container whose port is
published to localhost only."""

MARK = "edgeface-gate"
"""Header with the token of a page run's connection. The gate removes it from incoming requests."""


def cookie_name() -> str:
    """The name of the browser's cookie. It contains the port, because cookies are shared by all ports of a host."""
    return f"edgeface_browser_{st.get_option('server.port')}"


def refusal(headers: Headers, *, accounts: bool) -> str:
    """Why a request is refused, in a few words; "" where it is admitted."""
    if accounts:
        return _refusal_of_host(headers) or refusal_of_page(headers, st.get_option("server.corsAllowedOrigins"))
    return refusal_without_accounts(headers, bound=st.get_option("server.address"), bind_excused=bind_excused())


def bind_excused() -> bool:
    """Whether the operator declares that the server address is reachable from this machine only."""
    return os.environ.get(OPEN_VARIABLE) == "1"


def _refusal_of_host(headers: Headers) -> str:
    """Refuse a Host that server.allowedHosts doesn't name. Streamlit checks it for websockets only."""
    names = [str(each).strip().lower().rstrip(".") for each in st.get_option("server.allowedHosts")]
    host = without_port(next(iter(values(headers, "host")), "")).lower().rstrip(".")
    wild = any(name == "*" or (name.startswith("*.") and host.endswith(name[1:])) for name in names)
    return "" if not names or wild or host in names else f"server.allowedHosts doesn't name {host[:80] or 'its host'}"


def refusal_text(reason: str, *, accounts: bool) -> str:
    """The sentences shown for a refusal, with the next step."""
    if accounts:
        return (
            f"Refused: {reason}. List the host names of this dashboard in server.allowedHosts, and the other origins "
            "that may use it in server.corsAllowedOrigins."
        )
    return (
        f"Access is closed: {reason}, and sign-in is off. Add an admin to require sign-in (edgeface-studio users add "
        "NAME --role admin), or open the dashboard on its own machine, at http://localhost."
    )


def accounts_exist() -> bool:
    """Whether people sign in. True where that can't be determined: nobody gets past the sign-in then."""
    try:
        return sign_in_method() != "open"
    except CoreError:
        return True


def browser_cookie(headers: Headers) -> str:
    """The value of the browser's cookie, "" without a valid one."""
    return browser_of(headers, cookie_name())
