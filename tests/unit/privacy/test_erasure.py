"""Erase a person: nothing of them is left in any file, what is left elsewhere is named, the record holds no name."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core import cli
from core.diagnostics.job import layout_store
from core.diagnostics.layout import Layout
from core.evaluation.vector_cache import QUALITY, EmbeddingRow, embedding_cache
from core.gallery import Gallery, IdentityNotFound, NewTemplate, Space
from core.gallery.backup import back_up, inspect_backup, restore
from core.gallery.encryption import change_key, encrypt
from core.gallery.identity_merge import merge_identities
from core.gallery.keys import Key
from core.inspection.survey import FaceFigures, figure_cache
from core.privacy.erasure import erase
from core.settings import Settings, load_settings

SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)
NAME = "Zoë Quennell"
CROP = b"\x89PNG\r\n\x1a\n" + bytes(range(40, 200)) * 8


def unit(seed: int) -> np.ndarray:
    row = np.random.default_rng(seed).normal(size=512)
    return (row / np.linalg.norm(row)).astype(np.float32)


def person(seed: int) -> list[NewTemplate]:
    return [
        NewTemplate(unit(seed + n), "hr", 112.0, crop=CROP + bytes([seed, n]), source=f"{NAME} {n}.jpg")
        for n in range(3)
    ]


@pytest.fixture
def settings() -> Settings:
    return load_settings()


@pytest.fixture
def gallery(settings: Settings):
    with Gallery.open(settings.gallery_path) as opened:
        for number in range(30):
            opened.enrol(f"Person {number}", [NewTemplate(unit(500 + number), "hr", 112.0, crop=CROP)], space=SPACE)
        opened.enrol(NAME, person(1), space=SPACE, note=f"the note of {NAME}")
        yield opened


def replace_with_other_weights(gallery: Gallery, number: int) -> None:
    """What a re-embedding leaves: other vectors, no pictures."""
    other = Space("edgeface_xs", "b" * 64, "bicubic", False)
    old = gallery.templates(number)
    gallery.add_templates(number, [NewTemplate(unit(300 + number), "hr", 112.0)], space=other)
    for template in old:
        gallery.remove_template(template.id)


def everywhere(folder: Path) -> bytes:
    return b"\0".join(f"{p}".encode() + (p.read_bytes() if p.is_file() else b"") for p in sorted(folder.rglob("*")))


def test_no_byte_is_left_in_database_journal_or_data_folder(settings, gallery, capsys):
    needles = [
        NAME.encode(),
        b"Quennell",
        *(unit(1 + n).tobytes() for n in range(3)),
        *(each.crop for each in person(1)),
    ]
    assert all(each in everywhere(settings.data_dir) for each in needles), "the search works"
    report = erase(settings, gallery, NAME)
    raw = everywhere(settings.data_dir)
    assert not any(each in raw for each in needles)
    assert not any(unit(1 + n).tobytes()[:32] in raw for n in range(3)), "not even a piece of a vector"
    assert report.complete and report.searched_files >= 1
    assert {(one.store, one.count, one.what) for one in report.erased} >= {
        ("Gallery", 3, "templates"),
        ("Gallery", 3, "pictures of the face"),
    }
    assert gallery.size == 30 and gallery.audit(1)[0].event == "erased"
    assert "Quennell" not in report.text + json.dumps(report.facts())
    with pytest.raises(IdentityNotFound):
        erase(settings, gallery, NAME)


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


def test_kept_embeddings_of_the_same_photographs_go_and_others_stay(settings, gallery):
    store = embedding_cache(settings.data_dir / "cache" / "embeddings")
    quality = np.zeros(len(QUALITY), np.float32)
    kept = {f"{n:064x}": EmbeddingRow(True, True, unit(seed) * 7, quality) for n, seed in enumerate((1, 2, 900))}
    store.write({"weights": "x"}, kept, {})
    report = erase(settings, gallery, NAME)
    assert ("Kept embeddings", 2) in {(one.store, one.count) for one in report.erased}
    assert list(store.read({"weights": "x"}, list(kept))) == [f"{2:064x}"]
    assert (unit(1) * 7).tobytes() not in everywhere(settings.data_dir)
    damaged = store.folder / "damaged.db"
    damaged.write_bytes(b"SQLite format 3\0 and no more")
    gallery.enrol(NAME, person(1), space=SPACE)
    erase(settings, gallery, NAME)
    assert not damaged.exists(), "a cache that can't be searched is thrown away"


def test_caches_of_the_inspector_and_of_diagnostics_let_go_too(settings, gallery):
    """The same photograph's small views have other vectors: they follow by its hash."""
    cache = settings.data_dir / "cache"
    mine, others = f"{1:064x}", f"{2:064x}"
    figures, quality = np.arange(3.0), np.zeros(len(QUALITY), np.float32)
    embeddings, inspections = embedding_cache(cache / "embeddings"), figure_cache(cache / "inspections")
    for view, seeds in (("HR", (1, 700)), ("16 px", (800, 701))):
        pictures = zip((mine, others), seeds, strict=True)
        embeddings.write(
            {"view": view}, {one: EmbeddingRow(True, True, unit(seed), quality) for one, seed in pictures}, {}
        )
    looked = {mine: FaceFigures(figures, unit(810), figures, unit(811)), others: FaceFigures(figures, unit(812))}
    inspections.write({"size": 16}, looked)
    layout_store(settings).write("c" * 64, Layout(np.zeros((40, 2)), "tsne", 0.0, 0.0, 0.0))
    (cache / "verdicts").mkdir()
    (cache / "verdicts" / "small.json").write_text(json.dumps({"rows": [{"identity": NAME}]}))
    (cache / "speeds.json").write_text("{}")
    report = erase(settings, gallery, NAME)
    raw = everywhere(settings.data_dir)
    assert not any(unit(seed).tobytes() in raw for seed in (1, 800, 810, 811)) and NAME.encode() not in raw
    assert all(unit(seed).tobytes() in raw for seed in (700, 701, 812)) and (cache / "speeds.json").exists()
    told = {one.store: one.count for one in report.erased}
    assert told | {"Kept embeddings": 2, "Kept figures": 1, "Kept maps": 1, "Other caches": 1} == told
    assert report.complete, report.text


def test_a_picture_that_was_enrolled_as_it_lies_in_a_data_set_is_known_by_its_hash(settings, gallery):
    store = figure_cache(settings.data_dir / "cache" / "inspections")
    same = f"{7:064x}"
    gallery.add_templates(NAME, [NewTemplate(unit(40), "hr", 112.0, image_sha256=same)], space=SPACE)
    store.write({"size": 16}, {same: FaceFigures(np.arange(3.0), unit(820))})
    erase(settings, gallery, NAME)
    assert store.read({"size": 16}, [same]) == {}


def test_files_that_still_mention_the_person_are_found_however_they_write_it(settings, gallery):
    here = settings.data_dir
    (here / "runs").mkdir()
    (here / "datasets" / NAME).mkdir(parents=True)
    (here / "runs" / "report.json").write_text(json.dumps({"who": NAME}))
    (here / "runs" / "table.csv").write_text(f"name,score\n{NAME.upper().replace('Ë', 'ë')},0.4\n")
    (here / "runs" / "vectors.bin").write_bytes(b"123" + unit(2).tobytes())
    (here / "runs" / "other.txt").write_text(f"{NAME}son and a{NAME} are other people")
    report = erase(settings, gallery, NAME)
    found = {(trace.path.name, trace.what) for trace in report.traces}
    assert found == {(NAME, "name"), ("report.json", "name"), ("table.csv", "name"), ("vectors.bin", "biometric data")}
    assert not report.complete


def test_films_and_pictures_that_cant_be_searched_keep_it_from_being_complete(settings, gallery, capsys):
    film = settings.data_dir / "runs" / "video" / "20300101T000000000Z-door" / "annotated.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"a film with names drawn into it")
    report = erase(settings, gallery, NAME)
    assert not report.complete and not report.traces
    [unsearched] = report.unsearched
    assert (unsearched.place, unsearched.what, unsearched.count) == (film.parent, "films", 1)
    assert "edgeface-studio runs remove video/20300101T000000000Z-door" in report.text
    assert "isn't complete" in report.text and report.facts()["not_searched"][0]["place"] == str(film.parent)
    gallery.enrol(NAME, person(1), space=SPACE)
    assert cli.run(["gallery", "erase", NAME, "--yes"]) == 1
    assert "Not searched: 1 file (films)" in capsys.readouterr().out
    film.unlink()
    gallery.enrol(NAME, person(1), space=SPACE)
    assert cli.run(["gallery", "erase", NAME, "--yes"]) == 0
    assert "The erasure is complete." in capsys.readouterr().out


def test_a_name_in_compressed_caches_and_odd_spellings_is_found(settings, gallery):
    here = settings.data_dir
    (here / "runs").mkdir()
    (here / "cache").mkdir()
    (here / "cache" / "kept.npz").write_bytes(gzip.compress(NAME.encode("utf-16")))
    (here / "runs" / "Zoe\u0308_Quennell_0001.txt").write_bytes(b"a file's name in NFD, with an underscore")
    (here / "runs" / "report.html.gz").write_bytes(gzip.compress(b"<td>Zo&#xEB; Quennell</td>"))
    report = erase(settings, gallery, NAME)
    assert not (here / "cache" / "kept.npz").exists()
    assert {trace.path.name for trace in report.traces} == {"Zoe\u0308_Quennell_0001.txt", "report.html.gz"}


def test_a_name_that_is_part_of_somebody_else_s_is_erased_completely(settings, gallery):
    gallery.enrol("Zoë", [NewTemplate(unit(80), "hr", 112.0)], space=SPACE)
    report = erase(settings, gallery, "Zoë")
    assert gallery.find(NAME) is not None and report.complete, report.text


def test_the_command_reports_and_its_code_says_whether_something_is_left(settings, gallery, capsys):
    back_up(gallery)
    assert cli.run(["gallery", "erase", NAME, "--yes", "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["backups"]) == 1 and not facts["complete"]
    gallery.enrol(NAME, person(1), space=SPACE)
    assert cli.run(["gallery", "erase", NAME, "--yes", "--from-backups"]) == 0
    assert "nothing was found" in capsys.readouterr().out


def test_an_erasure_on_a_server_names_what_only_its_administrator_can_search(server_address, monkeypatch, capsys):
    monkeypatch.setenv("EDGEFACE_GALLERY", server_address)
    with Gallery.open(server_address) as store:
        store.enrol(NAME, person(1), space=SPACE)
        store.enrol("Somebody else", person(2), space=SPACE)
        assert cli.run(["gallery", "erase", NAME, "--yes"]) == 1
        said = capsys.readouterr().out
        assert "write-ahead log and backups can't be searched" in said and "isn't complete" in said
        assert [one.name for one in store.identities()] == ["Somebody else"]


def test_an_encrypted_gallery_and_its_backups_forget_too(settings):
    key = Key(b"k" * 32)
    with Gallery.open(settings.gallery_path, keys=lambda: key) as gallery:
        gallery.enrol(NAME, person(1), space=SPACE)
        gallery.enrol("Bob", person(50), space=SPACE)
        back_up(gallery)
        sealed = sqlite3.connect(settings.gallery_path).execute("SELECT vector FROM template").fetchall()
        report = erase(settings, gallery, NAME, from_backups=True)
        assert report.complete, report.text
        raw = everywhere(settings.data_dir)
        assert not any(vector in raw for (vector,) in sealed[:3]) and sealed[4][0] in raw


def test_encrypting_erases_what_was_plain(settings, gallery):
    encrypt(gallery, Key(b"k" * 32))
    raw = everywhere(settings.data_dir)
    assert b"Quennell" not in raw and unit(1).tobytes()[:64] not in raw and CROP not in raw
