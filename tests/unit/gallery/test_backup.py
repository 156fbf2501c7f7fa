"""Backups while the gallery is used, and the way back: whole, checked, and nobody erased comes back."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import CoreError, StorageFailed
from core.gallery import Gallery, GalleryBusy, GalleryError, GalleryLocked, GalleryNewer, GalleryUnreadable
from core.gallery.backup import back_up, inspect_backup, list_backups, restore
from core.gallery.encryption import change_key, encrypt, protection_of
from core.gallery.identity_merge import merge_identities
from core.gallery.keys import Key
from core.gallery.schema import MIGRATIONS, migrate

KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)


def names(gallery: Gallery) -> list[str]:
    return [person.name for person in gallery.identities()]


@pytest.fixture
def filled(gallery, space, person, templates):
    for number, name in enumerate(("Ada", "Bob", "Cyd")):
        gallery.enrol(name, templates(person(number)), space=space)
    return gallery


def test_a_backup_is_one_private_checked_file_and_the_way_back(filled, space, person, templates):
    made = back_up(filled)
    assert (made.people, made.templates, made.problem) == (3, 9, "")
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in made.path.parent.iterdir()] == [made.path.name], "no journal, nothing unfinished"
    filled.remove("Bob")
    filled.rename("Cyd", "Charis")
    filled.enrol("Dee", templates(person(9)), space=space)
    filled.search(person(1), space)
    done = restore(filled, made.path)
    assert names(filled) == ["Ada", "Bob", "Cyd"] and (done.people, done.left_out) == (3, ())
    assert filled.search(person(1), space)[0][0].name == "Bob"
    events = [entry.event for entry in filled.audit()]
    assert events[0] == "restored from a backup" and events.count("renamed") == 1, "the trail goes on"
    assert filled.enrol("Eve", templates(person(10)), space=space).id == 5, "a number is never given twice"
    assert [each.path for each in list_backups(filled.path)] == [done.earlier, made.path]
    restore(filled, done.earlier)
    assert names(filled) == ["Ada", "Charis", "Dee"]


def test_who_was_erased_since_stays_erased(filled):
    made = back_up(filled)
    filled.remove("Bob", event="erased")
    assert restore(filled, made.path).left_out == (2,)
    assert names(filled) == ["Ada", "Cyd"]
    assert b"Bob" not in Path(filled.path).read_bytes()


def test_another_process_and_its_copy_in_memory_follow(filled, space, person):
    made = back_up(filled)
    with Gallery.open(filled.path) as other:
        merge_identities(filled, "Bob", "Ada")
        assert {found.name for found in other.search(person(1), space)[0]} == {"Ada", "Cyd"}
        restore(filled, made.path)
        assert other.search(person(1), space)[0][0].name == "Bob"
        assert len(other.templates("Ada")) == 3


def test_a_backup_amid_writes_holds_one_moment(filled, space, person, templates):
    stop = threading.Event()

    def write() -> None:
        number = 100
        with Gallery.open(filled.path) as other:
            while not stop.is_set():
                other.enrol(f"p{number}", templates(person(number)), space=space)
                number += 1
                time.sleep(0.002)  # SQLite doesn't queue: who never pauses starves the others

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [back_up(filled) for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    assert all(each.templates == 3 * each.people and not each.problem for each in made)


@pytest.mark.parametrize("damage", ["cut", "noise", "text", "other", "newer", "absent", "empty"])
def test_what_is_no_whole_backup_is_refused_and_nothing_changes(filled, tmp_path, damage):
    made = back_up(filled).path
    content = made.read_bytes()
    if damage == "cut":
        made.write_bytes(content[: len(content) // 2])
    elif damage == "noise":
        made.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    elif damage == "text":
        made.write_bytes(b"a letter")
    elif damage == "empty":
        made.write_bytes(b"")
    elif damage == "absent":
        made.unlink()
    else:
        raw = sqlite3.connect(made)
        raw.execute("PRAGMA user_version = 999" if damage == "newer" else "PRAGMA application_id = 7")
        raw.commit()
        raw.close()
    before = names(filled), len(filled.audit())
    with pytest.raises(GalleryNewer if damage == "newer" else GalleryUnreadable) as caught:
        restore(filled, made)
    assert caught.value.next_step
    assert (names(filled), len(filled.audit())) == before
    assert not list(made.parent.glob(".*")) and len(list_backups(filled.path)) == (0 if damage == "absent" else 1)
    if damage not in ("absent", "cut", "noise"):
        assert inspect_backup(made).problem


def test_an_encrypted_gallery_stays_encrypted_whatever_is_restored(path, space, person, templates):
    key = [None]
    with Gallery.open(path, keys=lambda: key[0]) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        plain = back_up(gallery)
        key[0] = KEY
        encrypt(gallery, KEY)
        old = back_up(gallery)
        assert old.protection.fingerprint == KEY.fingerprint and b"Ada" not in old.path.read_bytes()
        change_key(gallery, OTHER)
        key[0] = OTHER
        restore(gallery, plain.path)
        assert protection_of(gallery).fingerprint == OTHER.fingerprint and b"Ada" not in path.read_bytes()
        with pytest.raises(GalleryLocked, match=KEY.fingerprint):
            restore(gallery, old.path)
        restore(gallery, old.path, backup_key=KEY)
        assert names(gallery) == ["Ada"] and protection_of(gallery).fingerprint == OTHER.fingerprint


def test_an_older_gallery_is_backed_up_before_it_is_migrated(path, space, person, templates):
    raw = sqlite3.connect(path, isolation_level=None)
    migrate(raw, datetime.now(UTC), MIGRATIONS[:1])
    raw.execute("INSERT INTO identity VALUES (1, 'Ada', 'ada', '', '2030-01-01T00:00:00+00:00', 0)")
    raw.close()
    with Gallery.open(path) as gallery:
        assert names(gallery) == ["Ada"]
        [kept] = list_backups(path)
        assert (kept.format, kept.people, kept.problem) == (1, 1, "")
        gallery.enrol("Bob", templates(person(1)), space=space)
        assert restore(gallery, kept.path).people == 1, "an older one is brought up to date in a copy"
        assert inspect_backup(kept.path).format == 1
        assert [each.path.name for each in list_backups(path)].count(kept.path.name) == 1


def test_no_backup_goes_over_the_gallery_or_where_nothing_can_be_written(filled, tmp_path):
    with pytest.raises(GalleryError, match="itself"):
        back_up(filled, filled.path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageFailed):
        back_up(filled, tmp_path / "file" / "backup.db")
    with Gallery.open() as memory:
        for work in (lambda: back_up(memory), lambda: restore(memory, filled.path)):
            with pytest.raises(GalleryError, match="memory"):
                work()
    assert back_up(filled, tmp_path).path.parent == tmp_path, "a folder gets a file with the date in its name"


def test_a_writer_in_the_way_of_a_restore_is_said(filled):
    made = back_up(filled)
    with Gallery.open(filled.path, wait_s=0.2) as gallery:
        other = sqlite3.connect(filled.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CoreError) as caught:
            restore(gallery, made.path)
        other.execute("ROLLBACK")
        other.close()
        assert isinstance(caught.value, GalleryBusy) and names(gallery) == ["Ada", "Bob", "Cyd"]
