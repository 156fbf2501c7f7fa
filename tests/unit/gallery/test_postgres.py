"""A gallery on a PostgreSQL server: shared by processes, and every fault of the server in words."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psycopg")

import psycopg

from core.errors import StorageFailed
from core.gallery import Gallery, GalleryBusy, GalleryError, GalleryNewer, GalleryUnreadable
from core.gallery.backup import back_up, restore
from core.gallery.encryption import encrypt
from core.gallery.keys import new_key
from core.gallery.postgres import PostgresDatabase, _tls, translated
from core.gallery.transfer import export_bytes, import_gallery
from core.settings import PROJECT_ROOT
from core.system.server_address import ServerAddressInvalid
from tests.postgres_server import Server


@pytest.fixture
def name(postgres: Server) -> Iterator[str]:
    with postgres.database() as made:
        yield made


@pytest.fixture
def address(postgres: Server, name: str) -> str:
    return postgres.address(name)


@pytest.fixture
def store(address: str) -> Iterator[Gallery]:
    with Gallery.open(address) as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1 WHERE a = ? AND b = ?", "SELECT 1 WHERE a = %s AND b = %s"),
        ("WHERE a = :upscaler_sha256 OR :x = 1", "WHERE a = %(upscaler_sha256)s OR %(x)s = 1"),
        ("WHERE a LIKE '% ?:x ' || b", "WHERE a LIKE '%% ?:x ' || b"),
        ("WHERE a = 'it''s :x'", "WHERE a = 'it''s :x'"),
        ("SELECT a::text", "SELECT a::text"),
    ],
)
def test_placeholders_become_those_of_the_driver(sql, expected):
    assert translated(sql).decode() == expected


def test_only_enrolling_makes_a_gallery(address):
    with pytest.raises(GalleryUnreadable, match="no gallery at"):
        Gallery.open(address, create=False)
    Gallery.open(address).close()
    Gallery.open(address, create=False).close()


def test_a_password_in_the_address_is_refused():
    for address in ("postgresql://ada:secret@host/db", "postgresql://host/db?user=ada&password=secret"):
        with pytest.raises(ServerAddressInvalid) as caught:
            Gallery.open(address)
        assert "secret" not in f"{caught.value} {caught.value.next_step}" and "PGPASSWORD" in caught.value.next_step


def test_changes_of_one_process_are_found_by_another(address, store, space, person, templates):
    store.enrol("Ada", templates(person(1)), space=space)
    with Gallery.open(address) as other:
        assert other.search(person(1), space)[0][0].name == "Ada"
        store.enrol("Bob", templates(person(2)), space=space)
        assert other.search(person(2), space)[0][0].name == "Bob"
        other.rename("Bob", "Rob")
        assert store.search(person(2), space)[0][0].name == "Rob"
        store.remove("Ada")
        assert [one.name for one in other.search(person(1), space)[0]] == ["Rob"]


_WRITER = textwrap.dedent(
    """
    import sys
    import numpy as np
    from core.access.actor import owner, resolve_with
    from core.gallery import Gallery, NewTemplate, Space
    resolve_with(owner)
    space = Space("edgeface_xxs", "a" * 64, "bicubic", True)
    with Gallery.open(sys.argv[1]) as gallery:
        for number in range(10):
            row = np.random.default_rng(number).normal(size=512)
            template = NewTemplate((row / np.linalg.norm(row)).astype(np.float32), "hr", 112.0)
            gallery.enrol(f"{sys.argv[2]} {number}", [template], space=space)
            shared = gallery.find("shared") or gallery.enrol("shared", [template], space=space)
            gallery.add_templates(shared.id, [template], space=space)
    """
)


def test_processes_that_write_at_once_lose_and_double_nothing(address, store, space):
    store.enrol("shared", [_template()], space=space)
    command = [sys.executable, "-c", _WRITER, address]
    writers = [subprocess.Popen([*command, name], cwd=PROJECT_ROOT) for name in ("first", "second")]
    assert [writer.wait(timeout=240) for writer in writers] == [0, 0]
    people = {one.name: one.templates for one in store.identities()}
    assert people == {f"{who} {n}": 1 for who in ("first", "second") for n in range(10)} | {"shared": 21}
    assert len(store.audit(1000)) == 41


def test_a_write_waits_for_another_and_says_when_it_waited_too_long(address, store, space):
    with psycopg.connect(address) as other:
        other.execute("UPDATE edgeface_gallery.state SET changes = changes")
        with Gallery.open(address, wait_s=0.1) as impatient:
            with pytest.raises(GalleryBusy):
                impatient.enrol("Ada", [_template()], space=space)
            assert impatient.size == 0, "reading isn't blocked"
    store.enrol("Ada", [_template()], space=space)


def test_a_restarted_server_is_connected_to_again(postgres, store, space, person, templates):
    store.enrol("Ada", templates(person(1)), space=space)
    assert store.search(person(1), space)[0][0].name == "Ada"
    postgres.stop()
    postgres.start()
    assert store.search(person(1), space)[0][0].name == "Ada"
    postgres.stop()
    postgres.start()
    store.enrol("Bob", templates(person(2)), space=space)
    assert store.size == 2


def test_a_write_that_loses_the_server_stores_nothing(postgres, store, space, person, templates):
    store.enrol("Ada", templates(person(1)), space=space)
    with pytest.raises(StorageFailed, match="can't be reached"), store.database.transaction():
        store.enrol("Bob", templates(person(2)), space=space)
        postgres.stop()
        postgres.start()
        store.rename("Ada", "Augusta")
    assert [one.name for one in store.identities()] == ["Ada"]


class _LosesTheAnswer:
    """A connection that is lost at COMMIT, before or after the server has done it."""

    def __init__(self, connection: Any, *, done: bool) -> None:
        self._connection, self._done = connection, done

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        if query == "COMMIT":
            self._connection.execute("COMMIT" if self._done else "ROLLBACK")
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return self._connection.execute(query, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.parametrize("done", [True, False])
def test_a_lost_answer_to_a_commit_is_asked_for_again(store, space, done):
    database = store.database
    assert isinstance(database, PostgresDatabase)
    store.enrol("Ada", [_template()], space=space)
    database._connection = _LosesTheAnswer(database._connection, done=done)  # type: ignore[assignment]
    if done:
        store.enrol("Bob", [_template()], space=space)
    else:
        with pytest.raises(StorageFailed, match="can't be reached"):
            store.enrol("Bob", [_template()], space=space)
    assert [one.name for one in store.identities()] == ["Ada", "Bob"][: 1 + done]


def test_a_change_whose_fate_is_not_known_is_said_to_be_so(store, space, monkeypatch):
    database = store.database
    assert isinstance(database, PostgresDatabase)
    database._connection = _LosesTheAnswer(database._connection, done=True)  # type: ignore[assignment]
    with monkeypatch.context() as gone:
        gone.setattr("core.gallery.postgres._RECONNECT_S", 0.0)
        gone.setattr(database, "path", "postgresql:///nowhere?host=/nowhere")
        with pytest.raises(StorageFailed, match="whole, or not at all"):
            store.enrol("Ada", [_template()], space=space)
    assert store.size == 1


def test_a_server_that_is_gone_is_said_in_words(postgres, address, store):
    postgres.stop()
    try:
        with pytest.raises(StorageFailed, match="can't be reached") as caught:
            Gallery.open(address)
        assert "server runs" in caught.value.next_step
    finally:
        postgres.start()


def test_a_database_that_is_not_there_is_said_in_words(postgres):
    with pytest.raises(StorageFailed, match="nowhere"):
        Gallery.open(postgres.address("nowhere"))


def test_an_account_without_permission_may_read_but_not_write(postgres, name, store, space):
    store.enrol("Ada", [_template()], space=space)
    postgres.execute("DROP ROLE IF EXISTS onlooker")
    postgres.execute("CREATE ROLE onlooker LOGIN")
    with pytest.raises(StorageFailed, match="may not"):
        Gallery.open(postgres.address(name, "onlooker"))
    postgres.execute("GRANT USAGE ON SCHEMA edgeface_gallery TO onlooker", name)
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA edgeface_gallery TO onlooker", name)
    with Gallery.open(postgres.address(name, "onlooker")) as gallery:
        assert gallery.size == 1
        with pytest.raises(StorageFailed, match="may not"):
            gallery.enrol("Bob", [_template()], space=space)
        with pytest.raises(GalleryBusy, match="traces may stay"):
            gallery.tidy()
    assert store.size == 1
    postgres.execute("DROP OWNED BY onlooker", name)
    postgres.execute("DROP ROLE onlooker")


def test_what_a_newer_program_wrote_is_left_alone(postgres, name, address, store):
    postgres.execute("INSERT INTO edgeface_gallery.migration VALUES (99, 'later', '')", name)
    with pytest.raises(GalleryNewer):
        Gallery.open(address)


def test_what_a_server_does_not_offer_is_said_in_words(address, store, tmp_path):
    for refused in (
        lambda: Gallery.open(address, keys=new_key),
        lambda: encrypt(store, new_key()),
        lambda: back_up(store, tmp_path / "backup.db"),
        lambda: restore(store, tmp_path / "backup.db"),
    ):
        with pytest.raises(GalleryError, match="on a server"):
            refused()


def test_galleries_travel_between_a_file_and_a_server_and_back(
    store: Gallery, tmp_path: Path, space: Any, person: Callable[..., Any], templates: Callable[..., Any]
) -> None:
    with Gallery.open(tmp_path / "one.db") as one, Gallery.open(tmp_path / "two.db") as two:
        one.enrol("Ada", templates(person(1), measured=[0.25]), space=space, note="countess")
        one.add_templates("Ada", templates(person(1), size_px=16), space=space)
        one.enrol("Bob", templates(person(2)), space=space)
        import_gallery(store, export_bytes(one)[0])
        import_gallery(two, export_bytes(store)[0])
        for other in (store, two):
            assert [_facts(each) for each in other.identities()] == [_facts(each) for each in one.identities()]
            assert (other.index(space).matrix == one.index(space).matrix).all()


def _facts(identity: Any) -> tuple[Any, ...]:
    return (identity.name, identity.note, identity.enrolled_at, identity.templates, identity.photographs)


def _template() -> Any:
    import numpy as np

    from core.gallery import NewTemplate

    return NewTemplate(np.eye(1, 512, dtype=np.float32)[0], "hr", 112.0)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://host/db", {"sslmode": "require"}),
        ("postgresql://ada@10.0.0.7:5433/db", {"sslmode": "require"}),
        ("postgresql://host/db?sslmode=verify-full", {}),
        ("postgresql://localhost/db", {}),
        ("postgresql:///db", {}),
        ("postgresql://ada@/db?host=/run/postgresql", {}),
    ],
)
def test_faces_cross_a_network_encrypted_unless_the_address_says_how(monkeypatch, address, told):
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert _tls(address) == told
    monkeypatch.setenv("PGSSLMODE", "prefer")
    assert _tls(address) == {}
