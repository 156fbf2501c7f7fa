"""What a provider's word gives: a role for a verified address, or for an account, by lists."""

from __future__ import annotations

from typing import Any

import pytest

from core.access.provider import role_of_claims, role_of_name
from core.access.roles import Role

ACCOUNT = {"iss": "https://login.example.org", "sub": "7f3a"}
OPERATORS = ["otto@example.org", "ada@example.org", ACCOUNT, "straße@example.org"]
LISTS = {"admins": ["Ada@Example.org"], "operators": OPERATORS, "viewers": []}


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"email": "ada@example.org", "email_verified": True}, Role.ADMIN),
        ({"email": " OTTO@example.org", "email_verified": True}, Role.OPERATOR),
        ({"email": "straße@example.org", "email_verified": True}, Role.OPERATOR),
        ({"email": "strasse@example.org", "email_verified": True}, None),
        ({"email": "\u017ftra\u00dfe@example.org", "email_verified": True}, None),
        ({"email": "ada@example.or\u0261", "email_verified": True}, None),
        ({"email": "ada@example.org\n", "email_verified": True}, None),
        ({"email": "ada@example.org"}, None),
        ({"email": "ada@example.org", "email_verified": False}, None),
        ({"email": "ada@example.org", "email_verified": "false"}, None),
        ({"email": "ada@example.org", "email_verified": "true"}, None),
        ({"email": "ada@example.org", "email_verified": 0}, None),
        ({"email": "ada@example.org", "email_verified": 1}, None),
        ({"email": ["ada@example.org"], "email_verified": True}, None),
        ({"email": "eve@example.org", "email_verified": True}, None),
        ({"name": "ada@example.org", "email_verified": True}, None),
        ({}, None),
        ({**ACCOUNT}, Role.OPERATOR),
        ({**ACCOUNT, "email": "ada@example.org"}, Role.OPERATOR),
        ({**ACCOUNT, "iss": "https://login.example.org/"}, None),
        ({**ACCOUNT, "iss": None}, None),
        ({"sub": "7f3a"}, None),
        ({**ACCOUNT, "sub": "7F3A"}, None),
    ],
)
def test_a_role_is_for_a_verified_address_or_an_account(claims: dict[str, Any], role: Role | None) -> None:
    name, given = role_of_claims(claims, LISTS)
    assert given is role
    assert given is None or role_of_name(name, LISTS) is role


def test_lists_that_are_none_give_nothing() -> None:
    claims = {"email": "ada@example.org", "email_verified": True, "sub": "x"}
    for lists in ({}, {"admins": "ada@example.org"}, {"admins": [7, "", {"iss": "x"}, {}]}, {"admins": None}):
        assert role_of_claims(claims, lists)[1] is None and role_of_name("", lists) is None
