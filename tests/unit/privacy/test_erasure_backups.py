"""Backups after an erasure: those that hold the person are named or erased too, under any name, number or key."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from core.gallery import Gallery, NewTemplate
from core.gallery.backup import back_up, inspect_backup, restore
from core.gallery.encryption import change_key
from core.gallery.identity_merge import merge_identities
from core.gallery.keys import Key
from core.privacy.erasure import erase
from tests.unit.privacy.made_person import CROP, NAME, SPACE, everywhere, person, replace_with_other_weights, unit


def test_backups_that_hold_the_person_are_named_or_erased_too(settings, gallery):
    before = back_up(gallery).path
    gallery.rename(NAME, "Somebody Else")
    renamed = back_up(gallery).path
    report = erase(settings, gallery, "Somebody Else")
    assert set(report.backups) == {before, renamed}, "known by the vectors where the name was another"
    assert not report.complete
    assert f"{before.name}: remove that file when you don't need it any more." in report.text
    with Gallery.open(settings.gallery_path) as again:
        again.enrol(NAME, person(1), space=SPACE)
        report = erase(settings, again, NAME, from_backups=True)
    assert report.complete, report.text
    raw = everywhere(settings.data_dir)
    assert b"Quennell" not in raw and unit(2).tobytes() not in raw
    with Gallery.open(before) as backup:
        assert backup.size == 30


def test_a_backup_that_somebody_was_erased_from_keeps_the_time_it_was_made_at(settings, gallery):
    path = back_up(gallery).path
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert erase(settings, gallery, NAME, from_backups=True).complete
    assert inspect_backup(path).made_at.timestamp() == 1_000_000_000


def test_a_backup_of_before_other_weights_and_another_name_is_known_by_the_number(settings, gallery):
    before = back_up(gallery).path
    number = gallery.identity(NAME).id
    replace_with_other_weights(gallery, number)
    gallery.rename(number, "Somebody Else")
    gallery.enrol(NAME, person(70), space=SPACE)  # a namesake of the earlier name, enrolled since
    (settings.data_dir / "old.csv").write_bytes(unit(2).tobytes())
    report = erase(settings, gallery, number)
    assert report.backups == (before,) and not report.complete
    assert [(trace.path.name, trace.what) for trace in report.traces] == [("old.csv", "biometric data")]
    with Gallery.open(settings.gallery_path, keys=lambda: None) as again:
        again.enrol("Third", person(1), space=SPACE)
        (settings.data_dir / "old.csv").unlink()
        report = erase(settings, again, "Third", from_backups=True)
    assert report.complete, report.text
    raw = everywhere(settings.data_dir)
    assert unit(2).tobytes() not in raw and unit(71).tobytes() in raw, "the namesake stays"


@pytest.mark.parametrize("key", [None, Key(b"k" * 32)], ids=["plain", "encrypted"])
def test_a_name_in_other_case_and_an_entry_merged_since_are_erased_from_backups(settings, key):
    with Gallery.open(settings.gallery_path, keys=lambda: key) as gallery:
        for name, seed in ((NAME, 1), ("Z. Quennell", 20)):
            gallery.enrol(name, person(seed), space=SPACE)
        gallery.enrol("Bob", [NewTemplate(unit(50), "hr", 112.0, crop=CROP)], space=SPACE)
        first = back_up(gallery).path
        merge_identities(gallery, "Z. Quennell", NAME)
        replace_with_other_weights(gallery, gallery.identity(NAME).id)
        gallery.rename(NAME, NAME.upper())
        report = erase(settings, gallery, NAME.upper(), from_backups=True)
        assert report.complete, report.text
        with Gallery.open(first, keys=lambda: key) as backup:
            assert [one.name for one in backup.identities()] == ["Bob"]


def test_the_same_number_in_a_backup_of_another_gallery_is_somebody_else(settings, gallery):
    with Gallery.open(settings.data_dir / "other.db") as other:
        for number in range(40):
            other.enrol(f"Stranger {number}", [NewTemplate(unit(900 + number), "hr", 112.0)], space=SPACE)
        stranger = back_up(other).path
    report = erase(settings, gallery, NAME, from_backups=True)
    assert report.complete, report.text
    with Gallery.open(stranger) as backup:
        assert backup.size == 40


def test_who_was_erased_stays_so_after_a_restore_of_a_backup_that_an_erasure_has_changed(settings, gallery):
    kept = back_up(gallery).path
    gallery.enrol("Later", person(60), space=SPACE)
    erase(settings, gallery, NAME, from_backups=True)
    erase(settings, gallery, "Person 3")
    restored = restore(gallery, kept)
    assert len(restored.left_out) == 1 and gallery.find("Person 3") is None and gallery.find(NAME) is None
    assert gallery.size == 29


def test_a_backup_under_another_key_is_known_by_the_number_and_stays_doubtful(settings):
    key = [Key(b"k" * 32)]
    with Gallery.open(settings.gallery_path, keys=lambda: key[0]) as gallery:
        gallery.enrol(NAME, person(1), space=SPACE)
        gallery.enrol("Bob", person(50), space=SPACE)
        first = back_up(gallery).path
        change_key(gallery, other := Key(b"o" * 32))
        key[0] = other
        second = back_up(gallery).path
        report = erase(settings, gallery, NAME)
        assert (set(report.backups), report.unreadable) == ({first, second}, ())
        gallery.enrol(NAME, person(1), space=SPACE)
        report = erase(settings, gallery, NAME, from_backups=True)
        assert (report.backups, report.unreadable) == ((), (first,)), "its names and vectors couldn't be compared"


def test_what_a_backup_couldn_t_let_go_is_said(settings, gallery):
    kept = back_up(gallery).path
    with closing(sqlite3.connect(kept, isolation_level=None)) as connection:
        connection.execute("CREATE TRIGGER stays BEFORE DELETE ON identity BEGIN SELECT RAISE(ABORT, 'no'); END")
    report = erase(settings, gallery, NAME, from_backups=True)
    assert report.backups == (kept,) and not report.complete
    assert kept.name in report.text and ("Backups", 0) in {(one.store, one.count) for one in report.erased}
