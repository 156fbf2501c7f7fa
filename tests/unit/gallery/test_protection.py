"""Encryption at rest: nothing readable on the disk, the same answers, the right key or a refusal."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StorageFailed
from core.gallery import Gallery, GalleryError, GalleryLocked, GalleryNewer, GalleryUnreadable, NewTemplate, Space
from core.gallery.cipher import AesGcmCipher
from core.gallery.encryption import change_key, decrypt, encrypt, protection_of
from core.gallery.keys import Key, KeyInvalid, key_given, new_key, parse_key, read_key_file, write_key_file
from core.gallery.template_replacement import plan_replacement, read_sources, remove_replaced, store_replacements
from core.gallery.transfer import export_bytes, import_gallery

KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)
SECRETS = (b"Adalovelace", b"adalovelace", b"a note of hers", b"ada-on-holiday.jpg", b"RIFF")
CROP = b"RIFF\x24\x00\x00\x00WEBPVP8 a crop of a face"


def on_disk(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(path.parent.iterdir()) if each.is_file())


def leaks(path: Path, rows: np.ndarray) -> list[bytes]:
    raw = on_disk(path)
    return [each for each in (*SECRETS, *(row.tobytes()[:64] for row in rows)) if each in raw]


def enrol_ada(gallery: Gallery, rows: np.ndarray, space: Space) -> None:
    found = [NewTemplate(row, "hr", 112.0, crop=CROP, source="ada-on-holiday.jpg") for row in rows]
    gallery.enrol("Adalovelace", found, space=space, note="a note of hers")


def test_encrypting_leaves_nothing_readable_and_changes_no_answer(path, space, person):
    rows = person(1)
    with Gallery.open(path, keys=lambda: KEY, backup_first=False) as gallery:
        decrypt(gallery)
        enrol_ada(gallery, rows, space)
        gallery.enrol("Bob", [NewTemplate(row, "hr", 112.0) for row in person(2)], space=space)
        assert len(leaks(path, rows)) == len(SECRETS) + len(rows), "in plain everything can be found: the search works"
        before = gallery.search(rows, space), gallery.identities(), gallery.covers()
        encrypt(gallery, KEY)
        assert leaks(path, rows) == []
        assert (gallery.search(rows, space), gallery.identities(), gallery.covers()) == before
        assert gallery.identity("ADALOVELACE").note == "a note of hers"
        assert [each.name for each in gallery.identities("love")] == ["Adalovelace"]
        assert [each.source for each in gallery.templates("adalovelace")] == ["ada-on-holiday.jpg"] * 3
    with Gallery.open(path, keys=lambda: KEY) as again:
        assert again.search(rows, space) == before[0]
        decrypt(again)
        assert not protection_of(again).encrypted
    with Gallery.open(path, keys=lambda: None) as plain:
        assert plain.search(rows, space) == before[0]


def test_a_gallery_made_with_a_key_is_encrypted_from_its_first_byte(path, space, person):
    rows = person(1)
    with Gallery.open(path, keys=lambda: KEY) as gallery:
        enrol_ada(gallery, rows, space)
        assert protection_of(gallery).fingerprint == KEY.fingerprint
        assert leaks(path, rows) == []
        gallery.rename("Adalovelace", "Ada King")
        assert gallery.find("ada  king") is not None and gallery.find("Adalovelace") is None


def test_one_that_was_there_is_left_plain_until_asked(path, space, person):
    with Gallery.open(path, keys=lambda: None) as gallery:
        enrol_ada(gallery, person(1), space)
    with Gallery.open(path, keys=lambda: KEY) as gallery:
        assert not protection_of(gallery).encrypted
        encrypt(gallery, KEY)
        with pytest.raises(GalleryError, match="encrypted already"):
            encrypt(gallery, OTHER)


@pytest.mark.parametrize(("key", "says"), [(None, "no key was given"), (OTHER, "another key")])
def test_without_the_right_key_it_stays_closed_and_says_which(path, space, person, key, says):
    with Gallery.open(path, keys=lambda: KEY) as gallery:
        enrol_ada(gallery, person(1), space)
    with pytest.raises(GalleryLocked, match=says) as caught:
        Gallery.open(path, keys=lambda: key)
    assert KEY.fingerprint in str(caught.value) and KEY.text not in str(caught.value) and caught.value.next_step


def test_changing_the_key_changes_every_value(path, space, person):
    rows = person(1)
    with Gallery.open(path, keys=lambda: KEY) as gallery:
        enrol_ada(gallery, rows, space)
        before = {each for (each,) in sqlite3.connect(path).execute("SELECT vector FROM template")}
        change_key(gallery, OTHER)
        after = {each for (each,) in sqlite3.connect(path).execute("SELECT vector FROM template")}
        assert not before & after and not any(each in on_disk(path) for each in before)
        assert gallery.search(rows, space)[0][0].name == "Adalovelace"
    with pytest.raises(GalleryLocked):
        Gallery.open(path, keys=lambda: KEY)
    with Gallery.open(path, keys=lambda: OTHER) as gallery:
        assert gallery.names_in(space) == ["Adalovelace"]


def test_a_connection_that_was_open_meanwhile_never_writes_in_plain(path, space, person):
    with Gallery.open(path, keys=lambda: None) as early, Gallery.open(path, keys=lambda: KEY) as late:
        enrol_ada(early, person(1), space)
        encrypt(late, KEY)
        with pytest.raises(GalleryLocked):
            early.enrol("Bob", [NewTemplate(person(2)[0], "hr", 112.0)], space=space)
        with pytest.raises(GalleryLocked):
            early.identities()
        assert [each.name for each in late.identities()] == ["Adalovelace"]
    with Gallery.open(path, keys=lambda: KEY) as gallery, Gallery.open(path, keys=lambda: KEY) as other:
        decrypt(gallery)
        assert [each.name for each in other.identities()] == ["Adalovelace"]


def test_a_vector_cannot_be_moved_under_another_name(path, space, person):
    with Gallery.open(path, keys=lambda: KEY) as gallery:
        enrol_ada(gallery, person(1), space)
        gallery.enrol("Bob", [NewTemplate(person(2)[0], "hr", 112.0)], space=space)
    raw = sqlite3.connect(path)
    raw.execute("UPDATE template SET identity_id = 2 WHERE identity_id = 1")
    raw.commit()
    raw.close()
    with Gallery.open(path, keys=lambda: KEY) as gallery, pytest.raises(GalleryUnreadable, match="damaged"):
        gallery.search(person(1), space)


def test_a_scheme_of_a_newer_programme_is_refused(path):
    Gallery.open(path, keys=lambda: KEY).close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE protection SET scheme = 'chacha 9'")
    raw.commit()
    raw.close()
    with pytest.raises(GalleryNewer, match="chacha 9"):
        Gallery.open(path, keys=lambda: KEY)


def test_import_export_and_reembedding_work_on_an_encrypted_gallery(path, space, person):
    """Pictures without a photograph's hash are compared by content, which two sealed copies don't show."""
    rows, new = person(1), Space("tuned", "b" * 64, "bicubic", True)
    with Gallery.open(path, keys=lambda: KEY) as gallery:
        enrol_ada(gallery, rows[:1], space)
        content, report = export_bytes(gallery)
        assert report.crops == 1 and b"Adalovelace" in content
        assert import_gallery(gallery, content, on_conflict="rename").renamed == [("Adalovelace", "Adalovelace (2)")]
        assert import_gallery(gallery, content, on_conflict="add").repeated == 1
        sources = read_sources(gallery, plan_replacement(gallery, new).sources)
        made = [(each, NewTemplate(rows[1], "hr", 112.0, crop=each.crop)) for each in sources]
        assert store_replacements(gallery, made, new) == 2 and store_replacements(gallery, made, new) == 0
        assert remove_replaced(gallery, new) == 2
        assert gallery.names_in(new) == ["Adalovelace", "Adalovelace (2)"]
        assert {each.added_at for each in gallery.templates("Adalovelace")} == {sources[0].added_at}
    assert leaks(path, rows) == []


@settings(deadline=None)
@given(st.binary(max_size=3000), st.integers(1, 10**6))
def test_a_sealed_value_opens_where_it_belongs_and_nowhere_else(value, number):
    cipher = AesGcmCipher(KEY)
    closed = cipher.encrypt(value, "vector", number)
    assert cipher.decrypt(closed, "vector", number) == value and cipher.encrypt(value, "vector", number) != closed
    for wrong in (lambda: cipher.decrypt(closed, "crop", number), lambda: cipher.decrypt(closed, "vector", number + 1)):
        with pytest.raises(ValueError):
            wrong()
    for changed in (closed[:-1], closed[:5], b"", bytes([closed[0] ^ 1]) + closed[1:]):
        with pytest.raises(ValueError):
            cipher.decrypt(changed, "vector", number)
    with pytest.raises(ValueError):
        AesGcmCipher(OTHER).decrypt(closed, "vector", number)


# Keys ---------------------------------------------------------------------------------------------------------------


def test_a_key_goes_into_a_private_file_and_comes_back(tmp_path):
    key, path = new_key(), tmp_path / "new" / "gallery.key"
    write_key_file(path, key)
    assert read_key_file(path) == key and path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StorageFailed, match="never overwritten"):
        write_key_file(path, new_key())
    assert key_given({"EDGEFACE_GALLERY_KEY_FILE": str(path)}) == key
    assert key_given({"EDGEFACE_GALLERY_KEY": key.text}) == key
    assert key_given({}) is None
    assert key.text not in repr(key)
    with pytest.raises(KeyInvalid, match="given twice"):
        key_given({"EDGEFACE_GALLERY_KEY": key.text, "EDGEFACE_GALLERY_KEY_FILE": str(path)})


@settings(deadline=None)
@given(st.text(max_size=80))
def test_what_is_no_key_is_refused_without_being_repeated(text):
    try:
        assert len(parse_key(text, "the variable").secret) == 32
    except KeyInvalid as error:
        assert "the variable holds no key" in error.what and (len(text) < 8 or text not in str(error))


def test_a_key_file_that_is_missing_or_a_folder_is_said(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(KeyInvalid, match="can't be read"):
            read_key_file(path)


def test_the_keyring_is_asked_or_its_absence_said():
    try:
        import keyring
    except ImportError:
        with pytest.raises(KeyInvalid, match="isn't installed"):
            key_given({"EDGEFACE_GALLERY_KEYRING": "gallery"})
        return
    from keyring.backends.null import Keyring

    keyring.set_keyring(Keyring())
    with pytest.raises(KeyInvalid, match="no entry"):
        key_given({"EDGEFACE_GALLERY_KEYRING": "gallery"})
