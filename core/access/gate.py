"""The gate's rules: which request may reach the program, judged by its headers alone. Every entry asks here: pages,
uploads, files and interfaces for programs.

Where nobody signs in, everybody who is let in is the owner: only this machine's own browser and programs are.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

Headers = Sequence[tuple[str, str]]
"""Names in lower case, with their values, as they came: a name may be there more than once."""

_OF_A_PROXY = re.compile(
    r"via$|forward|max-forwards|x-(forward|original-|real-?|remote-|client|cluster-|rewrite-|proxy|nginx|haproxy|traefik"
    r"|varnish|cache|envoy-|amzn-|azure-|arr-|appengine-|cloud-trace|vercel-|auth-request-|ssl-|scheme$|url-scheme$"
    r"|host$)|(client|remote)-(ip|addr|user)|(true-client|cf|cdn|fastly|akamai|tailscale|ngrok|ssl-client)-"
    r"|front-end-https$"
)
"""Headers by which web servers, and the services in front of them, say that they pass a request on."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""What secrets.token_urlsafe(32) gives."""


def refusal_without_accounts(headers: Headers, *, bound: str | None, bind_excused: bool) -> str:
    """Why a request isn't let in where nobody signs in, in a few words; "" where it is.

    Let in is what has one Host that names this machine's loopback, no Origin or exactly that host's, no trace of a
    proxy, and reaches a server bound to loopback. `bound` is that server's address (None or "": every address);
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
    """Why the web page that makes a request may not make it, in a few words; "" where it may, or none makes it.

    A page may when its Origin is the request's own Host, or one of `trusted` ("https://studio.example.org"). A link
    that somebody follows is no page's doing.
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
    """The value of a browser's cookie of that name, "" without one that was given out here.

    Other programs on this machine set cookies for the same host, and not all of theirs are well formed: each is looked
    at by itself.
    """
    pairs = (part.strip().partition("=") for value in values(headers, "cookie") for part in value.split(";"))
    return next((value for name, _, value in pairs if name == cookie and _TOKEN.fullmatch(value)), "")


def values(headers: Headers, name: str) -> list[str]:
    """All values of one header."""
    return [value for each, value in headers if each == name]


def without_port(host: str) -> str:
    """The name or address in a Host header: "[::1]:8501" is "::1"."""
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
