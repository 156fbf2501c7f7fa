"""A gallery on a read-only file system can be listed and searched; changing it is refused in words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from core.cli import run
from core.errors import StorageFailed
from core.gallery import Gallery
from core.gallery.schema import MIGRATIONS, migrate
from tests.small_disk import read_only, small_disk


def test_it_is_listed_and_searched_and_not_changed(tmp_path, space, person, templates, capsys):
    with small_disk(tmp_path / "disk", 8 * 1024) as disk:
        path = disk / "gallery.db"
        with Gallery.open(path) as gallery:
            gallery.enrol("Ada", templates(person(1)), space=space)
        with read_only(disk):
            with Gallery.open(path, create=False) as gallery:
                assert gallery.search(person(1), space)[0][0].name == "Ada"
                assert gallery.counts(space) == (1, 1, 3)
                for change in (
                    lambda: gallery.enrol("Bob", templates(person(2)), space=space),
                    lambda: gallery.remove("Ada"),
                    lambda: gallery.rename("Ada", "Ada L"),
                ):
                    with pytest.raises(StorageFailed, match="read-only"):
                        change()
            assert run(["gallery", "list", "--gallery-path", str(path)]) == 0
            assert "Ada" in capsys.readouterr().out
            assert sorted(each.name for each in disk.iterdir()) == ["gallery.db"]
        with Gallery.open(path) as gallery:
            gallery.enrol("Bob", templates(person(2)), space=space)
            assert gallery.size == 2


def test_an_earlier_format_says_that_it_has_to_be_copied(tmp_path):
    with small_disk(tmp_path / "disk", 8 * 1024) as disk:
        connection = sqlite3.connect(disk / "gallery.db", isolation_level=None)
        from datetime import UTC, datetime

        migrate(connection, datetime(2030, 1, 1, tzinfo=UTC), MIGRATIONS[:1])
        connection.close()
        with read_only(disk), pytest.raises(StorageFailed, match="earlier format"):
            Gallery.open(disk / "gallery.db")


def test_a_journal_that_has_to_be_written_first_is_named(tmp_path, space, person, templates):
    with small_disk(tmp_path / "disk", 16 * 1024) as disk:
        path = disk / "gallery.db"
        with Gallery.open(path) as gallery:
            gallery.enrol("Ada", templates(person(1)), space=space)
        whole = path.read_bytes()
        writer = sqlite3.connect(path, isolation_level=None)
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("UPDATE identity SET note = 'only in the journal'")
        left = {Path(f"{path}-wal"): Path(f"{path}-wal").read_bytes()}
        writer.close()
        path.write_bytes(whole)
        for file, content in left.items():
            file.write_bytes(content)
        Path(f"{path}-shm").unlink(missing_ok=True)
        with read_only(disk), pytest.raises(StorageFailed, match="journal"):
            Gallery.open(path)
        with Gallery.open(path) as gallery:
            assert gallery.identity("Ada").note == "only in the journal"


def test_a_gallery_in_memory_is_refused_where_nothing_would_be_kept(monkeypatch, capsys):
    assert run(["gallery", "list", "--gallery-path", ":memory:"]) == 2
    assert run(["enroll", "--user-id", "Ada", "--photos", "ada.jpg", "--gallery-path", ":memory:"]) == 2
    assert "nothing would be kept" in capsys.readouterr().err
    monkeypatch.setenv("EDGEFACE_GALLERY", ":memory:")
    assert run(["gallery", "list"]) != 0
    assert "would keep nothing" in capsys.readouterr().err
