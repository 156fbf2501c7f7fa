"""The users' file: hashed, private, whole, never without an admin; and the commands over it."""

from __future__ import annotations

import io
import json
import stat

import pytest
from argon2 import PasswordHasher

from core.access.actor import NOBODY, Actor, acting_as, owner, resolve_with
from core.access.errors import AccessError, NotAllowed
from core.access.passwords import check_password, hash_password, verify_password
from core.access.roles import Role
from core.access.trail import read_trail
from core.access.users import (
    add_user,
    change_password,
    change_role,
    find_user,
    read_users,
    remove_user,
    sign_in_needed,
    user_key,
    users_path,
)
from core.cli import run
from core.settings import load_settings

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PASSWORD = "four words quite apart"


@pytest.fixture
def settings(own_data_dir):
    return load_settings()


def test_the_file_is_private_and_holds_hashes_only(settings):
    add_user(settings, " Ada  Lovelace ", PASSWORD, Role.ADMIN, hasher=QUICK)
    path = users_path(settings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text() and "$argon2id$" in path.read_text()
    user = find_user(settings, "ada lovelace")
    assert user is not None and user.name == "Ada Lovelace" and verify_password(user.password_hash, PASSWORD, QUICK)
    assert PASSWORD not in repr(user) and user.password_hash not in repr(user)


def test_the_standard_hash_is_argon2id_with_64_mib():
    assert hash_password(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("password", ["short", "a" * 20, "x" * 300, "Grace Hopper 1906", "abcdefghijk\ud800m"])
def test_passwords_that_are_easy_or_cant_be_kept_are_refused(password):
    with pytest.raises(AccessError):
        check_password(password, "grace hopper 1906")


def test_nothing_matches_for_a_name_that_isnt_there_nor_what_cant_be_encoded():
    stored = hash_password(PASSWORD, QUICK)
    assert not verify_password(None, "a password that nobody has", QUICK)
    assert not verify_password(stored, "\ud800" * 12, QUICK) and not verify_password(stored, "x" * 100_000, QUICK)
    assert not verify_password("no hash", PASSWORD, QUICK)


def test_the_first_one_is_an_admin_and_one_is_always_left(settings):
    with pytest.raises(AccessError, match="first one"):
        add_user(settings, "vera", PASSWORD, Role.VIEWER, hasher=QUICK)
    assert not sign_in_needed(settings)
    add_user(settings, "ada", PASSWORD, Role.ADMIN, hasher=QUICK)
    add_user(settings, "vera", PASSWORD, Role.VIEWER, hasher=QUICK)
    for deed in (lambda: remove_user(settings, "ada"), lambda: change_role(settings, "ADA", Role.VIEWER)):
        with pytest.raises(AccessError, match="admin"):
            deed()
    assert [(user.name, user.role) for user in read_users(settings)] == [("ada", Role.ADMIN), ("vera", Role.VIEWER)]
    assert not remove_user(settings, "vera") and remove_user(settings, "ada") and not sign_in_needed(settings)


def test_names_are_taken_whatever_their_case_and_some_cant_be_had(settings):
    add_user(settings, "Ada", PASSWORD, Role.ADMIN, hasher=QUICK)
    for name in ("ADA", " ada ", "", "local", "nobody", "x" * 81, "a\x00b"):
        with pytest.raises(AccessError):
            add_user(settings, name, PASSWORD, Role.ADMIN, hasher=QUICK)
    assert len(read_users(settings)) == 1


def test_role_and_password_changes_end_earlier_sign_ins_and_are_in_the_trail(settings):
    first = add_user(settings, "ada", PASSWORD, Role.ADMIN, hasher=QUICK)
    second = change_password(settings, "ada", "another lot of words", hasher=QUICK)
    third = change_role(settings, "ada", Role.ADMIN)
    assert len({first.stamp, second.stamp, third.stamp}) == 3
    assert not verify_password(second.password_hash, PASSWORD, QUICK)
    told = [(entry.actor, entry.event, entry.subject) for entry in read_trail(settings, 9)]
    assert told == [
        ("local", "role changed to admin", "ada"),
        ("local", "password changed", "ada"),
        ("local", "user added as admin", "ada"),
    ]


def test_the_trail_names_who_changed_an_account_as_they_were_before_it(settings):
    """As in the dashboard: with the first account, or without one's own, nobody is there any more."""
    resolve_with(lambda: NOBODY if sign_in_needed(settings) else owner())
    add_user(settings, "ada", PASSWORD, Role.ADMIN, hasher=QUICK)
    resolve_with(lambda: Actor("ada", Role.ADMIN) if sign_in_needed(settings) else owner())
    remove_user(settings, "ada")
    told = [(entry.actor, entry.event) for entry in read_trail(settings, 9)]
    assert told == [("ada", "last user removed: signing in is off"), ("local", "user added as admin")]


def test_an_operator_manages_nobody(settings):
    add_user(settings, "ada", PASSWORD, Role.ADMIN, hasher=QUICK)
    before = users_path(settings).read_bytes()
    for deed in (
        lambda: add_user(settings, "eve", PASSWORD, Role.ADMIN, hasher=QUICK),
        lambda: change_role(settings, "ada", Role.ADMIN),
        lambda: change_password(settings, "ada", "another lot of words", hasher=QUICK),
        lambda: remove_user(settings, "ada"),
    ):
        with acting_as(Actor("otto", Role.OPERATOR)), pytest.raises(NotAllowed):
            deed()
    assert users_path(settings).read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 1}',
        b'{"format": 1, "users": [{"name": "x"}]}',
        b'{"format": 2, "users": []}',
        b'{"format": 1, "users": [{"name": "x", "role": "root", "password_hash": "x", "stamp": "x"}]}',
        b"[" * 50_000,
    ],
)
def test_a_damaged_file_lets_nobody_in_and_stays(settings, content):
    users_path(settings).write_bytes(content)
    assert sign_in_needed(settings)
    with pytest.raises(AccessError):
        read_users(settings)
    with pytest.raises(AccessError):
        add_user(settings, "eve", PASSWORD, Role.ADMIN, hasher=QUICK)
    assert users_path(settings).read_bytes() == content


def test_a_dangling_link_for_a_file_still_asks_for_a_sign_in(settings, tmp_path):
    users_path(settings).symlink_to(tmp_path / "gone")
    assert sign_in_needed(settings)


def test_the_commands_add_list_change_and_remove(settings, monkeypatch, capsys):
    def typed(text: str, *words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        code = run(words)
        return code, "".join(capsys.readouterr())

    monkeypatch.setattr("core.access.passwords.default_hasher", lambda: QUICK)
    assert typed(f"{PASSWORD}\n", "users", "add", "ada", "--role", "admin", "--password-stdin")[0] == 0
    assert typed(f"{PASSWORD}\n", "users", "add", "vera", "--password-stdin")[0] == 0
    code, out = typed("", "users", "list", "--json")
    assert code == 0 and json.loads(out) == [{"name": "ada", "role": "admin"}, {"name": "vera", "role": "viewer"}]
    assert typed("", "users", "role", "vera", "operator") == (0, "vera is operator now.\n")
    assert typed("short\n", "users", "password", "vera", "--password-stdin")[0] == 2
    code, out = typed("", "users", "password", "vera")
    assert code == 2 and "--password-stdin" in out
    assert typed("n\n", "users", "remove", "vera")[0] == 1 and find_user(settings, "vera")
    assert typed("", "users", "remove", "vera", "--yes")[0] == 0 and not find_user(settings, "vera")
    code, out = typed("", "audit", "--json")
    assert code == 0 and [each["event"] for each in json.loads(out)][:2] == ["user removed", "role changed to operator"]
    assert PASSWORD not in out


def test_an_accent_composed_or_not_is_one_name():
    assert user_key("Zoe\u0308") == user_key("ZO\u00cb") == user_key(" zo\u00eb ")
