"""A server's vector index gives the answers that comparing everybody in memory gives, after every kind of write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("psycopg")

from core.errors import StorageFailed
from core.gallery import Gallery, Space
from core.gallery.encoder_view import EncoderView
from core.gallery.identity_merge import merge_identities, remove_template, undo
from core.gallery.match import Index
from core.gallery.postgres import PostgresDatabase
from core.gallery.postgres_means import index_name
from core.gallery.template_replacement import remove_replaced, store_replacements
from core.gallery.transfer import export_bytes, import_gallery

Make = Callable[..., Any]


@pytest.fixture
def indexed(monkeypatch: pytest.MonkeyPatch, store: Gallery) -> Gallery:
    """A gallery on a server whose means have an index from the first one on, which every search takes."""
    monkeypatch.setattr("core.gallery.postgres_means.INDEX_FROM", 1)
    _prefer_the_index(store)
    return store


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "same.db") as opened:
        yield opened


def _prefer_the_index(gallery: Gallery) -> None:
    with _database(gallery).searching() as connection:
        connection.execute("COMMIT")
        for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            connection.execute(f"SET {setting} = off".encode())
        connection.execute("BEGIN")


def _database(gallery: Gallery) -> PostgresDatabase:
    assert isinstance(gallery.database, PostgresDatabase)
    return gallery.database


def _forbid_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Index:
        raise AssertionError("everybody was read into memory")

    monkeypatch.setattr("core.gallery.store.build_index", refuse)


def _same(file: Gallery, server: Gallery, space: Space, probes: np.ndarray, k: int = 5) -> None:
    expected = file.search(probes, space, k)
    with pytest.MonkeyPatch.context() as patch:
        _forbid_memory(patch)
        found = server.search(probes, space, k)
        here = server.population(space)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert [(c.name, c.kind, c.size_px) for c in ours] == [(c.name, c.kind, c.size_px) for c in theirs]
        assert [c.score for c in ours] == pytest.approx([c.score for c in theirs], abs=1e-6)
    assert here == file.population(space)


def test_answers_are_those_of_a_file_after_every_write(indexed, file, space, person, templates):
    both = (file, indexed)
    probes = np.concatenate([person(seed, 2, likeness=0.4) for seed in range(8)])

    def everywhere(change: Callable[[Gallery], object]) -> list[Any]:
        done = [change(each) for each in both]
        _same(file, indexed, space, probes)
        return done

    for seed in range(6):
        everywhere(lambda g, s=seed: g.enrol(f"p{s}", templates(person(s), measured=[0.9, 0.2]), space=space))
    everywhere(lambda g: g.add_templates("p1", templates(person(7), size_px=16), space=space))
    everywhere(lambda g: g.add_templates("p1", templates(person(8)), space=space))
    everywhere(lambda g: g.rename("p1", "Augusta"))
    merged = everywhere(lambda g: merge_identities(g, "p2", "p3"))
    for gallery, change in zip(both, merged, strict=True):
        undo(gallery, change)
    _same(file, indexed, space, probes)
    removed = everywhere(lambda g: remove_template(g, g.templates("p4")[0]))
    for gallery, change in zip(both, removed, strict=True):
        undo(gallery, change)
    _same(file, indexed, space, probes)
    archive = export_bytes(file)[0]
    everywhere(lambda g: g.remove("p5", "p0"))
    everywhere(lambda g: import_gallery(g, archive))
    everywhere(lambda g: g.remove(*[each.id for each in g.identities()]))
    assert indexed.search(probes, space) == [[] for _ in probes]


def test_re_embedded_templates_are_found_in_their_new_space(indexed, file, space, person, templates):
    new = replace(space, weights_sha256="e" * 64)
    for gallery in (file, indexed):
        gallery.enrol("Ada", templates(person(1)), space=space)
        gallery.enrol("Bob", templates(person(2)), space=space)
        sources = gallery.templates("Ada")
        store_replacements(gallery, list(zip(sources, templates(person(3)), strict=True)), new)
        remove_replaced(gallery, new)
    for asked in (space, new):
        _same(file, indexed, asked, np.concatenate([person(1), person(2), person(3)]))


def test_filters_keep_spaces_apart_and_starve_nobody(indexed, file, space, person, templates):
    dsr, specialist = replace(space, upscaler="d" * 64), replace(space, upscaler="s" * 64, any_upscaler=True)
    mixed = replace(dsr, bicubic_px=(16,))
    probes = np.concatenate([person(seed, 1) for seed in range(60)])
    for gallery in (file, indexed):
        for seed in range(60):
            gallery.enrol(f"p{seed}", templates(person(seed), size_px=(16, 24)[seed % 2]), space=space)
        gallery.enrol("Ada", templates(person(1), size_px=24), space=dsr)
        gallery.add_templates("p1", templates(person(90), size_px=24), space=dsr)
        gallery.enrol("Full", templates(person(70)), space=mixed)
    for asked in (
        space,
        dsr,
        specialist,
        mixed,
        replace(space, flip_tta=False),
        replace(space, weights_sha256="f" * 64),
    ):
        for k in (1, 5, 70):
            expected = file.search(probes, asked, k)
            found = indexed.search(probes, asked, k)
            assert [[c.name for c in row] for row in found] == [[c.name for c in row] for row in expected]
        assert indexed.population(asked) == file.population(asked)
    _same(file, indexed, specialist, probes)


def test_equal_scores_come_in_the_order_of_enrolment(indexed, space, person, templates):
    for number in range(6):
        indexed.enrol(f"p{number}", templates(person(1)), space=space)
    assert [candidate.name for candidate in indexed.search(person(1), space, 3)[0]] == ["p0", "p1", "p2"]


def test_a_search_amid_a_write_sees_it_and_forgets_it_when_it_is_rolled_back(indexed, file, space, person, templates):
    for gallery in (file, indexed):
        gallery.enrol("Ada", templates(person(1)), space=space)
    with pytest.raises(RuntimeError), indexed.database.transaction():
        indexed.enrol("Bob", templates(person(2)), space=space)
        assert indexed.search(person(2), space)[0][0].name == "Bob"
        assert indexed.population(space).size == 2
        raise RuntimeError("the caller changed its mind")
    for gallery in (file, indexed):
        gallery.enrol("Cyd", templates(person(3), size_px=16), space=space)
    _same(file, indexed, space, np.concatenate([person(2), person(3)]))


def test_the_index_is_built_once_there_are_enough_means(server_address, store, space, person, templates, monkeypatch):
    monkeypatch.setattr("core.gallery.postgres_means.INDEX_FROM", 3)
    vectors = store.database.vectors
    assert vectors is not None
    with Gallery.open(server_address) as other:
        for number in range(4):
            assert (other.database.vectors.search(person(1), space, 5) is None) == (number < 3)  # type: ignore[union-attr]
            store.enrol(f"p{number}", templates(person(number)), space=space)
        view = EncoderView(other, space)
        assert (view.size, view.search(person(2))[0][0].name) == (4, "p2")
        assert vectors.search(person(1), space, 101) is None, "so many are compared in memory"
        assert len(other.search(person(1), space, 101)[0]) == 4


def test_a_gallery_of_before_gets_its_means_when_it_is_opened(server_address, space, person, templates, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr("core.gallery.postgres_means.prepare", lambda _: False)
        with Gallery.open(server_address) as old:
            old.enrol("Ada", templates(person(1)), space=space)
            assert old.database.vectors is None and old.search(person(1), space)[0][0].name == "Ada"
    monkeypatch.setattr("core.gallery.postgres_means.INDEX_FROM", 1)
    with Gallery.open(server_address) as opened:
        _forbid_memory(monkeypatch)
        assert opened.search(person(1), space)[0][0].name == "Ada"


def test_an_account_without_the_right_to_the_means_searches_in_memory_and_may_not_write(
    postgres, server_database, indexed, space, person, templates
):
    indexed.enrol("Ada", templates(person(1)), space=space)
    postgres.execute("DROP ROLE IF EXISTS reader")
    postgres.execute("CREATE ROLE reader LOGIN")
    postgres.execute("GRANT USAGE ON SCHEMA edgeface_gallery TO reader", server_database)
    for table in ("migration", "state", "encoder", "identity", "template"):
        postgres.execute(f"GRANT SELECT ON edgeface_gallery.{table} TO reader", server_database)
    address = postgres.address(server_database, "reader")
    with Gallery.open(address) as gallery:
        assert gallery.database.vectors is None and gallery.search(person(1), space)[0][0].name == "Ada"
    postgres.execute("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA edgeface_gallery TO reader", server_database)
    postgres.execute("REVOKE ALL ON edgeface_gallery.mean FROM reader", server_database)
    with Gallery.open(address) as gallery, pytest.raises(StorageFailed, match=r"may not do that: .*mean"):
        gallery.enrol("Bob", templates(person(2)), space=space)
    assert [each.name for each in indexed.identities()] == ["Ada"]
    postgres.execute("DROP OWNED BY reader", server_database)
    postgres.execute("DROP ROLE reader")


@pytest.mark.parametrize("why", ["not there", "older"])
def test_without_pgvector_everybody_is_compared_in_memory(server_address, space, person, templates, monkeypatch, why):
    if why == "older":
        monkeypatch.setattr("core.gallery.postgres_means.LEAST_PGVECTOR", (99, 0))
    else:
        monkeypatch.setattr("core.gallery.postgres_means._EXTENSION", "no_such_extension")
    monkeypatch.setattr("core.gallery.postgres_means.INDEX_FROM", 1)
    with Gallery.open(server_address) as gallery:
        assert gallery.database.vectors is None
        gallery.enrol("Ada", templates(person(1)), space=space)
        gallery.remove("Ada")
        gallery.enrol("Bob", templates(person(2)), space=space)
        assert gallery.search(person(2), space)[0][0].name == "Bob"
        assert gallery.population(space).size == 1


def test_removed_people_leave_no_vector_in_the_server_s_tables(
    postgres, server_database, indexed, space, person, templates
):
    for number in range(5):
        indexed.enrol(f"p{number}", templates(person(number)), space=space)
    gone = indexed.index(space).means(2)[0][0]
    files = _files(postgres, server_database)
    assert any(_holds(path, gone) for path in files), "the test finds what is there"
    indexed.remove("p2")
    assert "gallery tidy" in indexed.database.vectors.residue()
    table, index = (_files(postgres, server_database, name) for name in ("mean", index_name(1, 1)))
    assert not any(_holds(path, gone) for path in index), "the index is overwritten at once"
    assert any(_holds(path, gone) for path in table), "that the table isn't is what `residue` says"
    indexed.tidy(whole=True)
    assert not any(_holds(path, gone) for path in _files(postgres, server_database))
    assert indexed.search(person(1), space)[0][0].name == "p1"


def _files(postgres: Any, database: str, table: str = "") -> list[Path]:
    """The files of a table of the gallery, or of all of them, as the server has written them."""
    postgres.execute("CHECKPOINT", database)
    found = postgres.execute(
        """SELECT current_setting('data_directory') || '/' || pg_relation_filepath(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'edgeface_gallery' AND pg_relation_filepath(c.oid) IS NOT NULL"""
        + (f" AND c.relname = '{table}'" if table else ""),
        database,
    )
    return [Path(row[0]) for row in found]


def _holds(path: Path, vector: np.ndarray) -> bool:
    """Whether a file holds a piece of a vector, as float32 or as float16."""
    content = path.read_bytes()
    pieces = [
        kind[first : first + 16].tobytes() for kind in (vector, vector.astype("<f2")) for first in range(0, 512, 16)
    ]
    return any(piece in content for piece in pieces)
