"""Export and import: what went in comes out, whole; names that are taken are skipped, filled up, or stop it."""

from __future__ import annotations

import json

import pytest

from core.errors import SettingsInvalid, StorageFailed
from core.gallery import Gallery, IdentityNotFound, ImportRejected
from core.gallery.transfer import export_bytes, export_gallery, import_gallery, read_gallery_archive
from tests.unit.gallery.contents import everything, rebuilt


@pytest.mark.both_databases
def test_a_gallery_travels_whole(filled, tmp_path):
    report = export_gallery(filled, tmp_path / "out" / "x.efgallery", actor="kim")
    file = tmp_path / "out" / "x.efgallery"
    assert (report.identities, report.templates, report.crops) == (3, 12, 9)
    assert report.size_bytes == file.stat().st_size and "unencrypted" in report.text
    assert file.stat().st_mode & 0o077 == 0 and list(file.parent.iterdir()) == [file]
    with Gallery.open(tmp_path / "other.db") as other:
        done = import_gallery(other, file)
        assert (len(done.added), done.templates, done.skipped) == (3, 12, [])
        assert everything(other) == everything(filled)
        assert other.audit()[0].event == "imported"
    assert filled.audit()[0].event == "exported: 3 identities" and filled.audit()[0].actor == "kim"


def test_an_export_of_an_earlier_version_holds_no_recognisability(filled, tmp_path):
    def forget(members: dict[str, bytes]) -> None:
        people = json.loads(members["identities.json"])
        for template in (each for person in people for each in person["templates"]):
            del template["recognisability"]
        members["identities.json"] = json.dumps(people).encode()

    with Gallery.open(tmp_path / "other.db") as other:
        import_gallery(other, rebuilt(export_bytes(filled)[0], forget))
        assert {each.recognisability for person in other.identities() for each in other.templates(person.id)} == {None}
        assert [row[:-1] for row in everything(other)] == [row[:-1] for row in everything(filled)]


@pytest.mark.both_databases
def test_names_and_crops_are_a_choice(filled):
    content, report = export_bytes(filled, names=["李", "=bob 🧑‍🚀", "李"], include_crops=False)
    assert (report.identities, report.crops) == (2, 0) and "no face crops" in report.text
    portable = read_gallery_archive(content)
    assert [person.name for person in portable.people] == ["李", "=Bob 🧑‍🚀"]
    assert not portable.has_crops and portable.encoders == ["edgeface_xs", "edgeface_xxs"]
    with pytest.raises(IdentityNotFound):
        export_bytes(filled, names=["nobody"])


def test_an_empty_gallery_travels_too(gallery, tmp_path):
    export_gallery(gallery, tmp_path / "e.efgallery")
    assert import_gallery(gallery, tmp_path / "e.efgallery").added == []


@pytest.mark.parametrize("name", ["gallery.db", "gallery.db-wal", "folder", "file/x"])
def test_an_export_never_lands_on_the_gallery_or_a_folder(path, space, person, templates, tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    with Gallery.open(path) as gallery:
        gallery.enrol("Ada", templates(person(1)), space=space)
        before = sorted(each.name for each in tmp_path.iterdir())
        with pytest.raises(StorageFailed):
            export_gallery(gallery, tmp_path / name)
        assert sorted(each.name for each in tmp_path.iterdir()) == before and gallery.size == 1


def test_a_failed_export_leaves_the_earlier_one(filled, tmp_path):
    target = tmp_path / "x.efgallery"
    target.write_bytes(b"earlier")
    with pytest.raises(IdentityNotFound):
        export_gallery(filled, target, names=["nobody"])
    assert target.read_bytes() == b"earlier" and not list(tmp_path.glob(".x*"))


@pytest.mark.both_databases
def test_taken_names_are_skipped(filled):
    before = everything(filled)
    report = import_gallery(filled, export_bytes(filled)[0], on_conflict="skip")
    assert len(report.skipped) == 3 and report.templates == 0 and everything(filled) == before


@pytest.mark.both_databases
def test_taken_names_get_what_they_lack(filled, space, person, templates, tmp_path):
    content = export_bytes(filled)[0]
    filled.remove_template(filled.templates("=Bob 🧑‍🚀")[0].id)
    report = import_gallery(filled, content, on_conflict="add")
    assert (report.extended, report.templates, report.repeated) == (["=Bob 🧑‍🚀"], 1, 11)
    assert len(report.skipped) == 2 and filled.identity("=Bob 🧑‍🚀").templates == 6


@pytest.mark.both_databases
def test_taken_names_can_come_in_under_another(filled):
    content = export_bytes(filled)[0]
    import_gallery(filled, content, on_conflict="rename")
    report = import_gallery(filled, content, on_conflict="rename")
    assert report.renamed[0] == ("Ada <b>Lovelace</b>", "Ada <b>Lovelace</b> (3)")
    assert filled.size == 9 and filled.identity("李 (2)").templates == 3


@pytest.mark.both_databases
def test_taken_names_can_stop_it(filled, space, person, templates):
    content = export_bytes(filled)[0]
    filled.remove("Ada <b>Lovelace</b>")
    before = everything(filled)
    with pytest.raises(ImportRejected, match="2 of 3 names"):
        import_gallery(filled, content, on_conflict="error")
    with pytest.raises(SettingsInvalid):
        import_gallery(filled, content, on_conflict="overwrite")
    assert everything(filled) == before
