"""Erase a person: nothing of them is left in any file, what is left elsewhere is named, the record holds no name."""

from __future__ import annotations

import gzip
import json
import sqlite3

import numpy as np
import pytest

from core import cli
from core.diagnostics.job import layout_store
from core.diagnostics.layout import Layout
from core.evaluation.vector_cache import QUALITY, EmbeddingRow, embedding_cache
from core.gallery import Gallery, IdentityNotFound, NewTemplate
from core.gallery.backup import back_up
from core.gallery.encryption import encrypt
from core.gallery.keys import Key
from core.inspection.survey import FaceFigures, figure_cache
from core.privacy.erasure import erase
from tests.unit.privacy.made_person import CROP, NAME, SPACE, everywhere, person, unit


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
