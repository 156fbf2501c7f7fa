"""Roles of users whom an OpenID Connect provider signs in, from the lists admins, operators and viewers.

An entry is an e-mail address, or a table of `iss` and `sub`, which identify an account whatever its address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from core.access.roles import Role

_LISTS = {"admins": Role.ADMIN, "operators": Role.OPERATOR, "viewers": Role.VIEWER}
NAMELESS = "somebody without an address"


def role_of_claims(claims: Mapping[str, Any], lists: Mapping[str, Any]) -> tuple[str, Role | None]:
    """Return (name for the trail, role) for a provider's claims; the first list that contains the user decides.

    An address counts only where the provider says with a literal true that it is verified (`email_verified`; absent,
    "true" and 1 aren't that). `iss` and `sub` have to be equal to the letter.
    """
    address = _address(claims.get("email")) if claims.get("email_verified") is True else ""
    account = (claims.get("iss"), claims.get("sub"))
    for entry, role in _entries(lists):
        if isinstance(entry, Mapping):
            if all(isinstance(each, str) and each for each in account) and account == (entry.get("iss"), entry["sub"]):
                return _account(entry), role
        elif address and _address(entry) == address:
            return address, role
    return address or _address(claims.get("email")) or NAMELESS, None


def role_of_name(name: str, lists: Mapping[str, Any]) -> Role | None:
    """Return the present role of the user that `role_of_claims` named; None once no list contains them."""
    for entry, role in _entries(lists):
        if name == (_account(entry) if isinstance(entry, Mapping) else _address(entry)):
            return role
    return None


def _entries(lists: Mapping[str, Any]) -> Iterator[tuple[Any, Role]]:
    for name, role in _LISTS.items():
        named = lists.get(name)
        for entry in named if isinstance(named, list | tuple) else ():
            of_account = isinstance(entry, Mapping) and bool(entry.get("sub"))
            if of_account or (isinstance(entry, str) and entry.strip()):
                yield entry, role


def _account(entry: Mapping[str, Any]) -> str:
    return f"{entry['sub']} of {entry.get('iss')}"


def _address(value: Any) -> str:
    """Normalise an address for comparison: lower case for ASCII addresses only, since "ß" and "ss" may be mailboxes of
    different people."""
    text = value.strip(" ") if isinstance(value, str) else ""
    return text.lower() if text.isascii() else text
