"""Admission rules for HTTP requests, judged by their headers alone. They apply to every entry: pages, uploads, files
and interfaces for programs.

Without accounts every admitted visitor acts as the owner, so only browsers and programs of this machine are admitted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

Headers = Sequence[tuple[str, str]]
"""Names in lower case, with their values, in the order received: a name may occur more than once."""

_OF_A_PROXY = re.compile(
    r"via$|forward|max-forwards|x-(forward|original-|real-?|remote-|client|cluster-|rewrite-|proxy|nginx|haproxy|traefik"
    r"|varnish|cache|envoy-|amzn-|azure-|arr-|appengine-|cloud-trace|vercel-|auth-request-|ssl-|scheme$|url-scheme$"
    r"|host$)|(client|remote)-(ip|addr|user)|(true-client|cf|cdn|fastly|akamai|tailscale|ngrok|ssl-client)-"
    r"|front-end-https$"
)
"""Headers by which web servers, and the services in front of them, say that they pass a request on."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""The form of secrets.token_urlsafe(32)."""


def refusal_without_accounts(headers: Headers, *, bound: str | None, bind_excused: bool) -> str:
    """Return why a request is refused while there are no accounts, in a few words; "" for an admitted one.

    A request is admitted with one Host that names this machine's loopback, no Origin or exactly that host's, and no
    trace of a proxy, to a server bound to loopback. `bound` is that server's address (None or "": every address);
    `bind_excused` excuses the bound address, nothing else.
    """
    if not bind_excused and not (bound and is_loopback(bound)):
        return f"it listens on {bound or 'every network address'}"
    hosts = values(headers, "host")
    if len(hosts) != 1:
        return "a request doesn't say which host it means"
    if not is_loopback(without_port(hosts[0])):
        return f"it is reached as {without_port(hosts[0])[:80]}"
    for name, _ in headers:
        if _OF_A_PROXY.match(name.replace("_", "-")):
            return f"a web server passes requests on to it ({name[:40]})"
    return refusal_of_page(headers)


def refusal_of_page(headers: Headers, trusted: Iterable[str] = ()) -> str:
    """Return why the web page that makes a request is refused, in a few words; "" if it is admitted or there is none.

    A page is admitted if its Origin is the request's own Host, or one of `trusted` ("https://studio.example.org").
    Following a link doesn't count as a page's request.
    """
    origins = values(headers, "origin")
    if len(origins) > 1:
        return "a request names more than one origin"
    if origins:
        origin = origins[0].strip().lower().rstrip("/")
        if origin in {each.strip().lower().rstrip("/") for each in trusted}:
            return ""
        return "" if _origin_is_host(origin, values(headers, "host")) else f"a page of {origin[:80]} asks for it"
    site, mode = values(headers, "sec-fetch-site"), values(headers, "sec-fetch-mode")
    if site and site[0].lower() in ("cross-site", "same-site") and (not mode or mode[0].lower() != "navigate"):
        return "a page of another address asks for it"
    return ""


def browser_of(headers: Headers, cookie: str) -> str:
    """Return the value of the cookie of that name, "" without one in this program's form.

    Other programs on this machine set cookies for the same host, not all of them well formed, so each is parsed
    separately.
    """
    pairs = (part.strip().partition("=") for value in values(headers, "cookie") for part in value.split(";"))
    return next((value for name, _, value in pairs if name == cookie and _TOKEN.fullmatch(value)), "")


def values(headers: Headers, name: str) -> list[str]:
    """Return all values of one header."""
    return [value for each, value in headers if each == name]


def without_port(host: str) -> str:
    """Return the name or address in a Host header: "[::1]:8501" is "::1"."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def is_loopback(host: str) -> bool:
    """Whether a name or address can mean this machine only."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _origin_is_host(origin: str, hosts: Sequence[str]) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and len(hosts) == 1 and parts.netloc == hosts[0].strip().lower()
