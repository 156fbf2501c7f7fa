"""A gallery on a PostgreSQL server: shared by processes, and every fault of the server in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psycopg")


from core.gallery import Gallery, GalleryError, GalleryNewer, GalleryUnreadable
from core.gallery.backup import back_up, restore
from core.gallery.encryption import encrypt
from core.gallery.keys import new_key
from core.gallery.postgres_connection import tls, translated
from core.gallery.transfer import export_bytes, import_gallery
from core.system.server_address import ServerAddressInvalid


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


def test_only_enrolling_makes_a_gallery(server_address):
    with pytest.raises(GalleryUnreadable, match="no gallery at"):
        Gallery.open(server_address, create=False)
    Gallery.open(server_address).close()
    Gallery.open(server_address, create=False).close()


def test_a_password_in_the_address_is_refused():
    for address in ("postgresql://ada:secret@host/db", "postgresql://host/db?user=ada&password=secret"):
        with pytest.raises(ServerAddressInvalid) as caught:
            Gallery.open(address)
        assert "secret" not in f"{caught.value} {caught.value.next_step}" and "PGPASSWORD" in caught.value.next_step


def test_changes_of_one_process_are_found_by_another(server_address, store, space, person, templates):
    store.enrol("Ada", templates(person(1)), space=space)
    with Gallery.open(server_address) as other:
        assert other.search(person(1), space)[0][0].name == "Ada"
        store.enrol("Bob", templates(person(2)), space=space)
        assert other.search(person(2), space)[0][0].name == "Bob"
        other.rename("Bob", "Rob")
        assert store.search(person(2), space)[0][0].name == "Rob"
        store.remove("Ada")
        assert [one.name for one in other.search(person(1), space)[0]] == ["Rob"]


def test_what_a_newer_program_wrote_is_left_alone(postgres, server_database, server_address, store):
    postgres.execute("INSERT INTO edgeface_gallery.migration VALUES (99, 'later', '')", server_database)
    with pytest.raises(GalleryNewer):
        Gallery.open(server_address)


def test_what_a_server_does_not_offer_is_said_in_words(server_address, store, tmp_path):
    for refused in (
        lambda: Gallery.open(server_address, keys=new_key),
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


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://host/db", {"sslmode": "require"}),
        ("postgresql://ada@10.0.0.7:5433/db", {"sslmode": "require"}),
        ("postgresql://host/db?sslmode=verify-full", {}),
        ("postgresql://localhost/db", {}),
        ("postgresql://localhost,host/db", {"sslmode": "require"}),
        ("postgresql:///db?host=/run/postgresql,host", {"sslmode": "require"}),
        ("postgresql:///db?service=gallery", {}),
        ("postgresql:///db", {}),
        ("postgresql://ada@/db?host=/run/postgresql", {}),
    ],
)
def test_faces_cross_a_network_encrypted_unless_the_address_says_how(monkeypatch, address, told):
    for name in ("PGSSLMODE", "PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    assert tls(address) == told
    monkeypatch.setenv("PGSSLMODE", "prefer")
    assert tls(address) == {}


def test_a_host_of_the_environment_is_reached_encrypted_too(monkeypatch):
    monkeypatch.delenv("PGSSLMODE", raising=False)
    monkeypatch.setenv("PGHOST", "faces.example")
    assert tls("postgresql:///db") == {"sslmode": "require"}
