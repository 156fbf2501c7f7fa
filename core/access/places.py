"""Allowed folders and addresses: any for an admin and the owner; for others those of this installation and two lists in
environment variables.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.access.actor import allowed
from core.access.errors import NotAllowed
from core.access.roles import Permission
from core.settings import PROJECT_ROOT, Settings

FOLDERS_VARIABLE = "EDGEFACE_FOLDERS"
"""Further folders that operators may name, separated as in PATH."""
HOSTS_VARIABLE = "EDGEFACE_HOSTS"
"""Names, addresses and networks of cameras within reach of this machine, such as "192.168.7.0/24,door.local"."""

_CAMERA = re.compile(r"/dev/video\d+")
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_ODD = re.compile(r"[^!-~]|\\")
_HOLDING_IPV4 = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")))
"""Addresses of IPv6 that stand for one of IPv4, which a gateway may lead into a private network."""


def require_path(settings: Settings, path: Path) -> None:
    """Raise NotAllowed for a path outside the folders that the current actor may name. Links in the data folder are
    trusted; elsewhere they are resolved first."""
    require_paths(settings, [path])


def require_paths(settings: Settings, paths: Iterable[Path]) -> None:
    """Apply `require_path` to each. Raises NotAllowed."""
    if allowed(Permission.ANYWHERE):
        return
    data = _as_named(settings.data_dir)
    gallery = _as_named(settings.gallery_path) if isinstance(settings.gallery_path, Path) else None
    listed = [each for each in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if each]
    roots = [os.path.realpath(each) for each in (str(settings.models_dir), *listed)]
    for path in paths:
        named = _as_named(path)
        # Not what stands beside the gallery: users, keys, the trail.
        if (data in named.parents and named.parent != data) or named == gallery:
            continue
        place = Path(os.path.realpath(path.expanduser()))
        if not any(place.is_relative_to(root) for root in roots):
            raise NotAllowed(
                f"Only an admin may name {str(path)[:200]}.",
                f"Have its folder listed in {FOLDERS_VARIABLE}, or ask an admin.",
            )


def require_host(address: str) -> None:
    """Raise NotAllowed for a stream's address that leads to this machine or into a private network, unless listed."""
    if allowed(Permission.ANYWHERE):
        return
    try:
        # What programs read differently names no host: a space, a backslash, a character that isn't ASCII.
        host = "" if _ODD.search(address) else (urlsplit(address).hostname or "").lower()
        found = {str(each[4][0]).partition("%")[0] for each in socket.getaddrinfo(host, None)} if host else set()
    except (OSError, ValueError):
        found = set()
    listed = [each.strip().lower() for each in os.environ.get(HOSTS_VARIABLE, "").split(",") if each.strip()]
    if host and host in listed:
        return
    if not found or not all(_public(each) or _listed(each, listed) for each in found):
        raise NotAllowed(
            f"Only an admin may name {host[:80] or 'that address'}: it isn't found, or isn't a public address.",
            f"Have it listed in {HOSTS_VARIABLE}, or ask an admin.",
        )


def require_places(settings: Settings, config: Mapping[str, Any]) -> None:
    """Apply `require_path` to every path in a run's config, and `require_host` to every address. Raises NotAllowed."""
    for text in _texts(config):
        if _ADDRESS.match(text):
            if text != settings.gallery_path:  # an address where the gallery is on a server
                require_host(text)
        elif text.startswith("~") or ("/" in text and _a_path(text) and not _CAMERA.fullmatch(text)):
            require_path(settings, Path(text) if text.startswith("~") else PROJECT_ROOT / text)


def _as_named(path: Path) -> Path:
    """Return the absolute path without "..", links not followed."""
    return Path(os.path.normpath(path.expanduser().absolute()))


def _a_path(text: str) -> bool:
    """Whether a run, which starts in the project's folder, could read the text as a path."""
    try:
        return text.startswith("/") or (PROJECT_ROOT / text).exists()
    except (OSError, ValueError):
        return False


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str | os.PathLike):
        yield os.fspath(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _public(address: str) -> bool:
    number = ipaddress.ip_address(address)
    if isinstance(number, ipaddress.IPv6Address):
        if number.is_site_local or any(number in each for each in _HOLDING_IPV4):
            return False
        number = number.ipv4_mapped or number
    return number.is_global and not number.is_multicast


def _listed(address: str, listed: list[str]) -> bool:
    number = ipaddress.ip_address(address)
    for each in listed:
        try:
            if number in ipaddress.ip_network(each, strict=False):
                return True
        except (ValueError, TypeError):
            continue
    return False
