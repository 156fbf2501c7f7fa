"""Addresses of database servers: what may stand where a path is expected."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from core.errors import CoreError

_SCHEMES = ("postgresql://", "postgres://")
_SECRETS = ("password", "sslpassword", "oauth_client_secret")


class ServerAddressInvalid(CoreError):
    """An address of a server that can't be used."""

    help_topic = "gallery"


def is_server(place: Path | str) -> bool:
    """Whether `place` is a server's address and not a file."""
    return isinstance(place, str) and place.strip().lower().startswith(_SCHEMES)


def resolved_place(place: Path | str) -> Path | str:
    """Return a server's address in its one form, or the whole path of a file. Raises ServerAddressInvalid."""
    if is_server(place):
        return server_address(str(place))
    return Path(place).expanduser().resolve()


def may_be_there(place: Path | str) -> bool:
    """Whether a database can be looked for at `place`: what is there, or a server, which only answers when it is
    asked."""
    return is_server(place) or Path(place).exists()


def server_address(text: str) -> str:
    """Return the address in one form, so that equal ones compare equal.

    Raises ServerAddressInvalid for one that can't be read, or with a password: addresses are kept in run folders and
    seen in lists of processes, and libpq reads passwords from elsewhere.
    """
    address = text.strip()
    try:
        parts = urlsplit(address)
        password = bool(parts.password) or not parse_qs(parts.query).keys().isdisjoint(_SECRETS)
    except ValueError as error:
        raise ServerAddressInvalid(
            "The gallery's address can't be read.", "Write postgresql://USER@HOST:PORT/DATABASE."
        ) from error
    if password:
        raise ServerAddressInvalid(
            "The gallery's address holds a password, which run folders and lists of processes would show.",
            "Leave it out, and give it by PGPASSWORD or ~/.pgpass.",
        )
    return f"postgresql://{address.partition('://')[2]}"
