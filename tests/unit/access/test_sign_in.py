"""Sign-ins: right, wrong, unknown; slowed for a name and in all; the trail only grows."""

from __future__ import annotations

import hashlib
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from argon2 import PasswordHasher

from core.access import sign_in as module
from core.access.access_db import access_db_path, write_transaction
from core.access.errors import SignInRefused, TooManyAttempts
from core.access.roles import Role
from core.access.sign_in import FREE_FAILURES, FREE_IN_ALL, LONGEST_WAIT_S, REMEMBERED_S, sign_in
from core.access.trail import read_trail, write_trail
from core.access.users import add_user
from core.settings import load_settings

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PASSWORD = "four words quite apart"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def settings(own_data_dir):
    settings = load_settings()
    add_user(settings, "ada", PASSWORD, Role.ADMIN, hasher=QUICK)
    return settings


def attempt(settings, clock, name="ada", password="wrong wrong wrong"):
    try:
        return sign_in(settings, name, password, clock=clock, hasher=QUICK)
    except (SignInRefused, TooManyAttempts) as error:
        return error


def test_name_and_password_let_in_whatever_the_case_of_the_name(settings):
    assert attempt(settings, Clock(), " ADA", PASSWORD).name == "ada"
    assert read_trail(settings, 1)[0].event == "signed in as admin"


def test_an_unknown_name_and_a_wrong_password_read_the_same_and_cost_a_check_each(settings, monkeypatch):
    checked = []
    real = module.verify_password
    monkeypatch.setattr(module, "verify_password", lambda *given: (checked.append(given[0]), real(*given))[1])
    clock = Clock()
    known, unknown = attempt(settings, clock), attempt(settings, clock, "eve")
    assert isinstance(known, SignInRefused) and str(known) == str(unknown)
    assert checked[0] is not None and checked[1] is None


@pytest.mark.parametrize("name", ["ada", "eve"])
def test_waits_double_for_a_name_whether_it_is_there_or_not(settings, name):
    clock, waits = Clock(), []
    for _ in range(FREE_FAILURES + 12):
        outcome = attempt(settings, clock, name)
        if isinstance(outcome, TooManyAttempts):
            waits.append(outcome.wait_s)
            clock.now += outcome.wait_s
            assert isinstance(attempt(settings, clock, name), SignInRefused)
    assert waits == [min(LONGEST_WAIT_S, 2.0**power) for power in range(len(waits))] and len(waits) >= 10
    outcome = attempt(settings, clock, name, PASSWORD)
    assert isinstance(outcome, TooManyAttempts), "the right password has to wait too"


def test_another_name_doesnt_wait_and_success_forgives(settings):
    clock = Clock()
    add_user(settings, "vera", PASSWORD, Role.VIEWER, hasher=QUICK)
    for _ in range(FREE_FAILURES):
        attempt(settings, clock)
    assert isinstance(attempt(settings, clock), TooManyAttempts)
    assert attempt(settings, clock, "vera", PASSWORD).name == "vera"
    clock.now += 1
    assert attempt(settings, clock, "ada", PASSWORD).name == "ada"
    assert isinstance(attempt(settings, clock), SignInRefused)


def test_one_password_on_many_names_is_slowed_in_all(settings):
    clock = Clock()
    for number in range(FREE_IN_ALL):
        assert isinstance(attempt(settings, clock, f"name {number}"), SignInRefused)
    outcome = attempt(settings, clock, "yet another")
    assert isinstance(outcome, TooManyAttempts) and 0 < outcome.wait_s <= 1
    clock.now += REMEMBERED_S + 1
    assert isinstance(attempt(settings, clock, "yet another"), SignInRefused)


def test_guesses_side_by_side_gain_nothing(settings):
    clock = Clock()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: attempt(settings, clock), range(16)))
    assert sum(isinstance(each, SignInRefused) for each in outcomes) == FREE_FAILURES


def plain_hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).hexdigest()[:32].encode()


def test_what_was_typed_as_a_name_isnt_kept(settings):
    attempt(settings, Clock(), "my secret pass phrase")
    raw = access_db_path(settings).read_bytes()
    assert b"secret" not in raw and plain_hash("my secret pass phrase") not in raw, "nobody can try names on the file"
    assert read_trail(settings, 1)[0].subject == "unknown name"
    assert stat.S_IMODE((settings.data_dir / "access.key").stat().st_mode) == 0o600


def test_a_forgotten_attempt_is_overwritten(settings):
    clock = Clock()
    attempt(settings, clock, "bob")
    with write_transaction(settings) as connection:
        [(account,)] = connection.execute("SELECT account FROM attempt").fetchall()
    assert account.encode() in access_db_path(settings).read_bytes()
    clock.now += REMEMBERED_S + 1
    attempt(settings, clock, "ada", PASSWORD)
    assert account.encode() not in access_db_path(settings).read_bytes()


def test_plain_hashes_of_an_earlier_version_are_overwritten_and_the_trail_stays(settings):
    path = access_db_path(settings)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 0")
        connection.execute("PRAGMA secure_delete = OFF")
        rows = [(hashlib.sha256(f"bob {n}".encode()).hexdigest()[:32],) for n in range(300)]
        connection.executemany("INSERT INTO attempt(account, at) VALUES (?, 1000000.0)", rows)
        connection.execute("DELETE FROM attempt WHERE id > 5")
    assert plain_hash("bob 299") in path.read_bytes(), "deleted, and still readable"
    lines = len(read_trail(settings, 100))
    write_trail(settings, "anything")
    raw = path.read_bytes()
    assert not any(plain_hash(f"bob {n}") in raw for n in range(300))
    assert len(read_trail(settings, 100)) == lines + 1


def test_a_lost_key_only_starts_the_brake_again(settings):
    clock = Clock()
    for _ in range(FREE_FAILURES):
        attempt(settings, clock)
    assert isinstance(attempt(settings, clock), TooManyAttempts)
    (settings.data_dir / "access.key").write_bytes(b"cut")
    assert isinstance(attempt(settings, clock), SignInRefused)
    assert len((settings.data_dir / "access.key").read_bytes()) == 32


def test_the_trail_only_grows_and_is_private(settings):
    write_trail(settings, "something\nwas done", "x" * 500, actor="ada")
    latest = read_trail(settings, 1)[0]
    assert (latest.actor, latest.event, len(latest.subject)) == ("ada", "something was done", 200)
    assert stat.S_IMODE(access_db_path(settings).stat().st_mode) == 0o600
    with sqlite3.connect(access_db_path(settings)) as connection:
        for statement in ("DELETE FROM trail", "UPDATE trail SET actor = 'eve'"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                connection.execute(statement)


def test_lines_written_side_by_side_are_all_there(settings):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write_trail(settings, f"event {number}"), range(40)))
    assert {f"event {number}" for number in range(40)} <= {entry.event for entry in read_trail(settings, 100)}
