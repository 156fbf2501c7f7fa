"""Enrol, add, rename, remove, list: each change whole, each refusal in words, nothing left behind."""

from __future__ import annotations

import re
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.gallery import (
    Gallery,
    IdentityNotFound,
    NameInvalid,
    NameTaken,
    NewTemplate,
    Space,
    SpaceMismatch,
    TemplateInvalid,
)

pytestmark = pytest.mark.both_databases

CROP = b"RIFF\x24\x00\x00\x00WEBPVP8 a crop of a face"


def check(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


def test_who_was_enrolled_is_there_after_opening_again(path, space, person, templates):
    with Gallery.open(path) as gallery:
        enrolled = gallery.enrol("Ada Lovelace", templates(person(1)), space=space, note=" mathematician ", actor="me")
    assert (enrolled.name, enrolled.note, enrolled.templates) == ("Ada Lovelace", "mathematician", 3)
    assert (enrolled.in_space, enrolled.photographs, enrolled.has_crops) == (3, 3, True)
    with Gallery.open(path) as gallery:
        assert gallery.identities() == [enrolled]
        assert gallery.identity("ada LOVELACE") == enrolled == gallery.identity(enrolled.id)
        stored = gallery.templates("Ada Lovelace")
        assert [template.crop for template in stored] == [CROP] * 3
        np.testing.assert_allclose(np.stack([template.vector for template in stored]), person(1), atol=1e-6)
        assert gallery.covers() == {enrolled.id: CROP}
    assert path.stat().st_mode & 0o077 == 0, "faces are nobody else's business"


@pytest.mark.parametrize("name", ["O'Brien <b>x</b>", "李小龍", "محمد علي", "🧑‍🚀 Kim", "0", "=1+1", "a" * 200, "%_"])
def test_names_of_every_script_are_kept_as_text(gallery, space, person, templates, name):
    assert gallery.enrol(f"  {name} ", templates(person(1)), space=space).name == name
    assert [found.name for found in gallery.identities(search=name.upper())] == [name]


@pytest.mark.parametrize("name", ["", "  ", "a" * 201, "a\nb", "a\x00b", "\u200b", "a\u202eb", "\ud800", "a\u2028b"])
def test_names_that_cannot_be_shown_are_refused(gallery, space, person, templates, name):
    with pytest.raises(NameInvalid):
        gallery.enrol(name, templates(person(1)), space=space)
    assert gallery.size == 0 and gallery.audit() == []


@pytest.mark.parametrize("other", ["ADA", "ada", " Ada "])
def test_a_name_is_taken_whatever_its_case(gallery, space, person, templates, other):
    gallery.enrol("Ada", templates(person(1)), space=space)
    with pytest.raises(NameTaken):
        gallery.enrol(other, templates(person(2)), space=space)
    assert gallery.identity("Ada").templates == 3


def test_case_and_form_are_unicode_aware(gallery, space, person, templates):
    gallery.enrol("STRASSE É", templates(person(1)), space=space)
    with pytest.raises(NameTaken):
        gallery.enrol("straße e\u0301", templates(person(2)), space=space)


def _bad(**changes: object) -> NewTemplate:
    unit = np.zeros(512, np.float32)
    unit[0] = 1.0
    return NewTemplate(**({"vector": unit, "kind": "hr", "probe_px": 112.0} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"vector": np.zeros(512, np.float32)},
        {"vector": np.full(512, np.nan, np.float32)},
        {"vector": np.full(512, 0.05, np.float32)},
        {"vector": np.ones((1, 512), np.float32)},
        {"vector": np.array(["a"] * 512)},
        {"kind": "other"},
        {"kind": "sr"},
        {"kind": "hr", "size_px": 16},
        {"probe_px": 0.0},
        {"probe_px": float("nan")},
        {"recognisability": -0.1},
        {"recognisability": 1.1},
        {"recognisability": float("nan")},
        {"crop": b"<script>"},
        {"crop": b"RIFF" + b"\0" * 3_000_000},
    ],
)
def test_templates_that_make_no_sense_are_refused_whole(gallery, space, person, templates, changes):
    with pytest.raises(TemplateInvalid):
        gallery.enrol("Ada", [*templates(person(1)), _bad(**changes)], space=space)
    assert gallery.size == 0 and gallery.audit() == []


def test_recognisability_is_kept_with_its_template(gallery, space, person, templates):
    gallery.enrol("Ada", templates(person(1), measured=[0.0, 0.62]), space=space)
    assert [each.recognisability for each in gallery.templates("Ada")] == [0.0, 0.62, None]


def test_vectors_of_another_length_are_refused(gallery, space):
    with pytest.raises(SpaceMismatch):
        gallery.enrol("Ada", [_bad(vector=np.ones(4, np.float32) / 2)], space=space)


def test_tiny_drift_of_the_norm_is_rounded_away(gallery, space):
    vector = np.zeros(512, np.float32)
    vector[3] = 1.0005
    gallery.enrol("Ada", [_bad(vector=vector)], space=space)
    assert np.linalg.norm(gallery.templates("Ada")[0].vector) == pytest.approx(1.0, abs=1e-7)


def test_nothing_to_enrol_is_an_error(gallery, space):
    with pytest.raises(TemplateInvalid, match="nothing to enrol"):
        gallery.enrol("Ada", [], space=space)


def test_photographs_are_added_later(gallery, space, person, templates):
    gallery.enrol("Ada", templates(person(1)), space=space)
    grown = gallery.add_templates("ADA", templates(person(1, 5)[3:]), space=space)
    assert grown.templates == 5
    with pytest.raises(IdentityNotFound):
        gallery.add_templates("Bob", templates(person(2)), space=space)


def test_renaming(gallery, space, person, templates):
    ada = gallery.enrol("Ada", templates(person(1)), space=space)
    gallery.enrol("Bob", templates(person(2)), space=space)
    assert gallery.rename("ada", "ADA").id == ada.id
    assert gallery.search(person(1), space)[0][0].name == "ADA"
    with pytest.raises(NameTaken):
        gallery.rename("ADA", "bob")
    with pytest.raises(NameInvalid):
        gallery.rename("ADA", " ")
    with pytest.raises(IdentityNotFound):
        gallery.rename("Eve", "Eva")
    assert gallery.find("Ada").name == "ADA" and gallery.find("Eve") is None


def test_removing_all_or_none(gallery, space, person, templates):
    for seed, name in enumerate(["Ada", "Bob", "Cyd"]):
        gallery.enrol(name, templates(person(seed)), space=space)
    with pytest.raises(IdentityNotFound):
        gallery.remove("Ada", "Nobody")
    assert gallery.size == 3
    gallery.remove("ada", "CYD")
    assert [identity.name for identity in gallery.identities()] == ["Bob"]
    assert gallery.search(person(0), space)[0][0].name == "Bob"


def test_a_number_is_never_given_twice(gallery, space, person, templates):
    first = gallery.enrol("Ada", templates(person(1)), space=space)
    gallery.remove(first.id)
    assert gallery.enrol("Bob", templates(person(2)), space=space).id > first.id


def test_one_template_can_go(gallery, space, person, templates):
    gallery.enrol("Ada", templates(person(1)), space=space)
    gallery.remove_template(gallery.templates("Ada")[0].id)
    assert gallery.identity("Ada").templates == 2
    with pytest.raises(IdentityNotFound):
        gallery.remove_template(10**30)


@pytest.mark.parametrize("number", [0, -1, 7, 10**30])
def test_a_number_that_nobody_has(gallery, number):
    with pytest.raises(IdentityNotFound):
        gallery.identity(number)


def test_the_audit_trail_says_who_and_when_but_no_name(path, space, person, templates):
    moment = datetime(2030, 1, 2, tzinfo=UTC)
    with Gallery.open(path, now=lambda: moment) as gallery:
        ada = gallery.enrol("Ada", templates(person(1)), space=space, actor="kim")
        gallery.add_templates("Ada", templates(person(1)), space=space)
        gallery.rename("Ada", "Augusta")
        gallery.set_note("Augusta", "countess")
        gallery.remove_template(gallery.templates("Augusta")[0].id)
        gallery.remove("Augusta")
        entries = gallery.audit()
    events = ["removed", "template removed", "note changed", "renamed", "templates added", "enrolled"]
    assert [entry.event for entry in entries] == events
    assert {entry.identity_id for entry in entries} == {ada.id} and {entry.at for entry in entries} == {moment}
    assert [entry.actor for entry in entries] == ["local"] * 5 + ["kim"]
    assert "Ada" not in repr(entries) and "Augusta" not in repr(entries)


def test_what_is_removed_leaves_no_byte_behind(path, space, person, templates):
    """Pages split and merge while 40 people come and go; of those who went, no name, vector or crop is anywhere."""
    random = np.random.default_rng(0)
    gone: list[bytes] = []
    reader = Gallery.open(path)
    with Gallery.open(path) as gallery:
        for number in range(40):
            crop = b"RIFF" + random.bytes(int(random.integers(50, 9000)))
            vectors = person(number, 4)
            gallery.enrol(
                f"Person Number {number:03d}", templates(vectors, crop=crop), space=space, note=f"note-{number:03d}"
            )
            reader.search(vectors, space)
            if number % 2:
                vector = gallery.templates(f"Person Number {number:03d}")[0].vector
                gone += [vector.tobytes(), vector.tobytes()[100:140], crop, crop[-40:]]
                gone += [f"Person Number {number:03d}".encode(), f"person number {number:03d}".encode()]
                gone += [f"note-{number:03d}".encode()]
        for number in range(1, 40, 2):
            gallery.rename(f"Person Number {number:03d}", f"Renamed {number}")
        gallery.remove(*[f"Renamed {number}" for number in range(1, 40, 2)])
        files = [path, path.with_name("gallery.db-wal"), path.with_name("gallery.db-shm")]
        content = b"".join(file.read_bytes() for file in files if file.exists())
        assert b"Person Number 002" in content, "the search below would find what is there"
        assert [trace for trace in gone if trace in content] == []
        assert gallery.size == 20 == reader.size
    reader.close()
    assert check(path) == "ok"


def test_memory_gallery_is_shared_by_threads(space, person, templates):
    with Gallery.open(":memory:") as gallery:
        failures: list[Exception] = []

        def work(number: int) -> None:
            try:
                gallery.enrol(f"p{number}", templates(person(number)), space=space)
                assert gallery.search(person(number), space)[0][0].name == f"p{number}"
            except Exception as error:  # noqa: BLE001 - handed to the main thread
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == [] and gallery.size == 16
        gallery.remove("p3")
        assert gallery.size == 15
    assert not Path(":memory:").exists()


def test_spaces_are_listed_with_what_they_meet(gallery, space, person, templates):
    other = Space("edgeface_xs", "b" * 64, "bicubic", True)
    gallery.enrol("Ada", templates(person(1)), space=space)
    gallery.enrol("Bob", templates(person(2, 2)), space=other)
    assert [(found.encoder_name, found.upscaler, t, i) for found, t, i in gallery.spaces()] == [
        ("edgeface_xxs", "", 3, 1),
        ("edgeface_xs", "", 2, 1),
    ]
    gallery.add_templates("Ada", templates(person(1), size_px=16), space=space)
    assert gallery.spaces()[0] == (space, 6, 1)
    assert gallery.identity("Ada", space=other).in_space == 0
    assert gallery.names_in(space) == ["Ada"]


def test_counts_follow_every_change_and_say_what_the_list_says(gallery, place, space, person, templates):
    other = Space("edgeface_xs", "b" * 64, "bicubic", True)
    gallery.enrol("Ada", templates(person(1)), space=space)
    gallery.enrol("Bob", templates(person(2), size_px=None), space=other)
    gallery.enrol("Cleo", [replace(templates(person(3))[0], image_sha256="")], space=space)

    def listed(store: Gallery, of: Space | None) -> tuple[int, int, int]:
        people = store.identities(space=of)
        findable = sum(one.in_space > 0 for one in people) if of is not None else 0
        return len(people), findable, sum(one.photographs for one in people)

    for of in (space, other, None):
        assert gallery.counts(of) == listed(gallery, of)
    assert gallery.counts(space)[:2] == (3, 2)
    with Gallery.open(place) as elsewhere:  # as another programme would
        elsewhere.enrol("Dan", templates(person(4)), space=space)
    assert gallery.counts(space) == listed(gallery, space) and gallery.counts(space)[0] == 4
    gallery.remove("Ada")
    assert gallery.counts(space) == listed(gallery, space) and gallery.counts(space)[0] == 3


def test_counting_reads_no_row_of_templates(path, space, person, templates):
    """The rows hold vectors and crops; with many people reading them takes seconds."""
    asked: list[str] = []
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        connection = gallery.database._connection
        connection.set_trace_callback(asked.append)
        gallery.counts(space)
        connection.set_trace_callback(None)
        queries = [query for query in asked if query.startswith("SELECT") and "template" in query]
        assert queries
        for query in queries:
            plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
            assert not re.search(r"(SCAN|SEARCH) (t|template)\b(?! USING COVERING INDEX)", plan), plan
