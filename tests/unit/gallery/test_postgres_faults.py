"""A gallery on a PostgreSQL server when things go wrong: nothing is lost or stored twice, each fault is in words."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("psycopg")

import psycopg

from core.cli import run
from core.diagnostics import doctor
from core.errors import StorageFailed
from core.gallery import Gallery, GalleryBusy, NewTemplate
from core.gallery.postgres import PostgresDatabase
from core.settings import PROJECT_ROOT, load_settings


def _template() -> NewTemplate:
    return NewTemplate(np.eye(1, 512, dtype=np.float32)[0], "hr", 112.0)


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


def test_processes_that_write_at_once_lose_and_double_nothing(server_address, store, space):
    store.enrol("shared", [_template()], space=space)
    command = [sys.executable, "-c", _WRITER, server_address]
    writers = [subprocess.Popen([*command, who], cwd=PROJECT_ROOT) for who in ("first", "second")]
    assert [writer.wait(timeout=240) for writer in writers] == [0, 0]
    people = {one.name: one.templates for one in store.identities()}
    assert people == {f"{who} {n}": 1 for who in ("first", "second") for n in range(10)} | {"shared": 21}
    assert len(store.audit(1000)) == 41


def test_a_write_waits_for_another_and_says_when_it_waited_too_long(server_address, store, space):
    with psycopg.connect(server_address) as other:
        other.execute("UPDATE edgeface_gallery.state SET changes = changes")
        with Gallery.open(server_address, wait_s=0.1) as impatient:
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


_PERSISTENT_WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import numpy as np
    from core.access.actor import owner, resolve_with
    from core.errors import StorageFailed
    from core.gallery import Gallery, NewTemplate, Space
    resolve_with(owner)
    space = Space("edgeface_xxs", "a" * 64, "bicubic", True)
    template = NewTemplate(np.eye(1, 512, dtype=np.float32)[0], "hr", 112.0)
    stored = 0
    with Gallery.open(sys.argv[1]) as gallery:
        while not Path(sys.argv[3]).exists():
            try:
                gallery.enrol(f"{sys.argv[2]} {stored}", [template], space=space)
            except StorageFailed as error:  # what isn't there can be repeated: a name that is taken would end this
                assert "Nothing was changed" in error.next_step, error
            else:
                stored += 1
    print(stored)
    """
)


@pytest.mark.parametrize("crash", [False, True])
def test_writers_go_on_through_restarts_of_the_server(postgres, server_address, store, tmp_path, crash):
    end = tmp_path / "end"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _PERSISTENT_WRITER, server_address, who, str(end)],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in ("first", "second")
    ]
    try:
        for _ in range(2):
            enough = store.size + 10
            while store.size < enough:
                assert all(each.poll() is None for each in writers)
                time.sleep(0.02)
            postgres.stop(crash=crash)
            postgres.start()
    finally:
        end.touch()
    stored = [int(each.communicate(timeout=240)[0]) for each in writers]
    assert [each.returncode for each in writers] == [0, 0]
    assert sorted(one.name for one in store.identities()) == sorted(
        f"{who} {number}" for who, count in zip(("first", "second"), stored, strict=True) for number in range(count)
    )
    assert len(store.audit(100_000)) == sum(stored)


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

    def __init__(self, connection: Any, *, done: bool, then: Callable[[], None] = lambda: None) -> None:
        self._connection, self._done, self._then = connection, done, then

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        if query == "COMMIT":
            self._connection.execute("COMMIT" if self._done else "ROLLBACK")
            self._then()
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


def test_a_write_that_a_crash_took_is_not_taken_for_another_s(server_address, store, space, monkeypatch):
    """The server gives the lost transaction's number to the next one."""
    database = store.database
    assert isinstance(database, PostgresDatabase)
    with Gallery.open(server_address) as other:

        def enrol() -> None:
            other.enrol("Carl", [_template()], space=space)
            other.set_note("Carl", "a second write")

        database._connection = _LosesTheAnswer(database._connection, done=False, then=enrol)  # type: ignore[assignment]
        with pytest.raises(StorageFailed, match="can't be reached"):
            store.enrol("Ada", [_template()], space=space)
        other.remove("Carl")
        monkeypatch.setattr("core.gallery.postgres.REMEMBERED", 1)
        database._connection = _LosesTheAnswer(database._connection, done=False, then=enrol)  # type: ignore[assignment]
        with pytest.raises(StorageFailed, match="whole, or not at all"):
            store.enrol("Ada", [_template()], space=space)
        assert [one.name for one in store.identities()] == ["Carl"]


def test_the_server_remembers_a_bounded_number_of_writes(postgres, server_database, store):
    for _ in range(70):
        with store.database.transaction():
            pass
    query = "SELECT cardinality(recent), array_lower(recent, 1), changes FROM edgeface_gallery.state"
    assert postgres.execute(query, server_database) == [(64, 1, 70)]


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


def test_a_server_that_is_gone_is_said_in_words(postgres, server_address, store, monkeypatch):
    monkeypatch.setattr("core.gallery.postgres._RECONNECT_S", 0.2)
    postgres.stop()
    try:
        for _ in range(2):
            with pytest.raises(StorageFailed, match="can't be reached"):
                store.identities()
        with pytest.raises(StorageFailed, match="can't be reached") as caught:
            Gallery.open(server_address)
        assert "server runs" in caught.value.next_step
        row = doctor.check_gallery(load_settings({"EDGEFACE_GALLERY": server_address}))
        assert row.state == "missing" and "can't be reached" in row.detail and "server runs" in row.how_to_get
    finally:
        postgres.start()


def test_a_database_that_is_not_there_is_said_in_words(postgres):
    with pytest.raises(StorageFailed, match="nowhere"):
        Gallery.open(postgres.address("nowhere"))


def test_an_account_without_permission_may_read_but_not_write(postgres, server_database, store, space):
    store.enrol("Ada", [_template()], space=space)
    postgres.execute("DROP ROLE IF EXISTS onlooker")
    postgres.execute("CREATE ROLE onlooker LOGIN")
    with pytest.raises(StorageFailed, match="may not"):
        Gallery.open(postgres.address(server_database, "onlooker"))
    postgres.execute("GRANT USAGE ON SCHEMA edgeface_gallery TO onlooker", server_database)
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA edgeface_gallery TO onlooker", server_database)
    with Gallery.open(postgres.address(server_database, "onlooker")) as gallery:
        assert gallery.size == 1
        with pytest.raises(StorageFailed, match="may not"):
            gallery.enrol("Bob", [_template()], space=space)
        with pytest.raises(GalleryBusy, match="traces may stay"):
            gallery.tidy()
    assert store.size == 1
    postgres.execute("DROP OWNED BY onlooker", server_database)
    postgres.execute("DROP ROLE onlooker")


def test_a_wrong_password_is_said_and_none_is_ever_shown(postgres, server_database, monkeypatch, caplog, capsys):
    postgres.execute("CREATE ROLE locked LOGIN PASSWORD 'the right one'")
    postgres.execute("GRANT CREATE ON DATABASE " + server_database + " TO locked")
    postgres.ask_for_password("locked")
    address = postgres.address(server_database, "locked")
    caplog.set_level(logging.DEBUG)
    for password in ("", "a wrong one"):
        monkeypatch.setenv("PGPASSWORD", password)
        with pytest.raises(StorageFailed, match="password") as caught:
            Gallery.open(address)
        assert "PGPASSWORD" in caught.value.next_step and "wrong one" not in str(caught.value)
    monkeypatch.setenv("EDGEFACE_GALLERY", address)
    row = doctor.check_gallery(load_settings())
    assert row.state == "missing" and "password" in row.detail
    monkeypatch.setenv("PGPASSWORD", "the right one")
    Gallery.open(address).close()
    assert run(["gallery", "list"]) == 0
    monkeypatch.setenv("EDGEFACE_GALLERY", address.replace("locked@", "locked:the%20right%20one@"))
    assert run(["gallery", "list"]) != 0
    printed = f"{row}{capsys.readouterr()}{caplog.text}"
    assert "password" in printed
    for secret in ("wrong one", "right one", "right%20one"):
        assert secret not in printed


def test_the_doctor_names_a_gallery_that_answers(server_address, store, space):
    store.enrol("Ada", [_template()], space=space)
    row = doctor.check_gallery(load_settings({"EDGEFACE_GALLERY": server_address}))
    assert row.state != "missing" and "1 person" in row.detail and "the server answers" in row.detail


@pytest.mark.parametrize("words", [["backup"], ["backups"], ["restore", "copy.db"]])
def test_commands_of_backups_name_what_takes_their_place(server_address, store, monkeypatch, capsys, words):
    monkeypatch.setenv("EDGEFACE_GALLERY", server_address)
    assert run(["gallery", *words]) == 2
    assert "pg_dump --schema edgeface_gallery" in capsys.readouterr().err
