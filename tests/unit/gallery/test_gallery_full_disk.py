"""A disk that is really full (a small file system of its own): said, nothing half-made, and with room it works."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import StorageFailed
from core.gallery import Gallery, GalleryBusy
from core.gallery.backup import back_up, list_backups, restore
from core.gallery.encryption import encrypt, protection_of
from core.gallery.identity_merge import merge_identities
from core.gallery.keys import Key
from core.gallery.schema import MIGRATIONS, migrate
from core.gallery.transfer import export_bytes, import_gallery
from tests.small_disk import fill, small_disk

SIZE_KB = 8 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", SIZE_KB) as place:
        yield place


def whole(path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


KEY = Key(b"k" * 32)


@pytest.mark.parametrize("what", ["enrolment", "import", "merge", "backup", "restore", "encryption"])
def test_a_full_disk_changes_nothing_and_is_said(disk, what, space, person, templates):
    path = disk / "gallery.db"
    with Gallery.open(path, keys=lambda: KEY) as made:
        assert protection_of(made).encrypted
    path.unlink()
    with Gallery.open(path, keys=lambda: None, wait_s=0.5) as gallery:
        for number in range(30):
            gallery.enrol(f"p{number}", templates(person(number)), space=space)
        content, made = export_bytes(gallery)[0], back_up(gallery).path
        many = templates(person(77, photographs=200), crop=None)
        works: dict[str, Callable[[], object]] = {
            "enrolment": lambda: gallery.enrol("many", many, space=space),
            "import": lambda: import_gallery(gallery, content, on_conflict="rename"),
            "merge": lambda: merge_identities(gallery, "p1", "p2"),
            "backup": lambda: back_up(gallery),
            "restore": lambda: restore(gallery, made),
            "encryption": lambda: encrypt(gallery, KEY),
        }
        before = gallery.identities()
        ballast = fill(disk, but=4096)
        try:
            works[what]()
        except GalleryBusy as error:  # what was merged is merged; the rewriting that erases traces found no room
            assert what == "merge" and "traces may stay" in error.what and error.next_step
        except StorageFailed as error:
            assert error.next_step and gallery.identities() == before and not protection_of(gallery).encrypted
        else:
            assert what == "merge", "it found room after all"
        assert not list(disk.glob("**/*.part*")) and [each.path for each in list_backups(path)] == [made]
        ballast.unlink()
        if what != "merge":
            works[what]()
    whole(path)


def test_a_migration_without_room_for_its_backup_isnt_begun(disk):
    path = disk / "gallery.db"
    raw = sqlite3.connect(path, isolation_level=None)
    migrate(raw, datetime.now(UTC), MIGRATIONS[:1])
    for number in range(1, 31):
        row = (number, f"p{number}", f"p{number}", "a long note " * 500, "2030-01-01T00:00:00+00:00", 0)
        raw.execute("INSERT INTO identity VALUES (?, ?, ?, ?, ?, ?)", row)
    raw.close()
    ballast = fill(disk, but=20_000)
    with pytest.raises(StorageFailed):
        Gallery.open(path, keys=lambda: None)
    ballast.unlink()
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA user_version").fetchone() == (1,) and len(MIGRATIONS) > 1
    raw.close()
    with Gallery.open(path, keys=lambda: None) as gallery:
        assert gallery.size == 30 and len(list_backups(path)) == 1
