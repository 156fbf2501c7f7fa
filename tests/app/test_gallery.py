"""Gallery: everybody, one person, rename, delete, export, import, audit. On a real gallery with made-up vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.gallery.encryption import encrypt
from core.gallery.keys import new_key
from core.gallery.store import Gallery
from core.gallery.transfer import SUFFIX, export_bytes, import_gallery
from dashboard.gallery.transfer import import_file
from tests.app.conftest import SPACE, button, fill, shown

NASTY = "**Bold** <img src=x onerror=alert(1)> [x](http://evil.example) :smile:"


def names(data_dir):
    with Gallery.open(data_dir / "gallery.db") as gallery:
        return [person.name for person in gallery.identities()]


def number_of(data_dir, name):
    with Gallery.open(data_dir / "gallery.db") as gallery:
        return gallery.identity(name).id


def test_an_empty_gallery_names_the_next_step(open_page):
    app = open_page("gallery")
    assert not app.exception and "Nobody is enrolled yet" in shown(app)
    assert [each.label for each in app.button if each.proto.type == "primary"] == ["Get the weights on Home"]


def test_everybody_is_shown_and_found_by_part_of_a_name(open_page, own_data_dir):
    fill(own_data_dir, "Ada Lovelace", "Grace Hopper", "Émilie du Châtelet")
    app = open_page("gallery")
    text = shown(app)
    assert "3 people, 9 photographs." in text and "Ada Lovelace" in text and "Émilie du Châtelet" in text
    app.text_input(key="gallery_search").set_value("hopper").run()
    assert "Grace Hopper" in shown(app) and "Ada Lovelace" not in shown(app)
    app.text_input(key="gallery_search").set_value("*nobody*").run()
    assert r"contains “\*nobody\*”" in app.info[0].value


def test_names_are_text_wherever_they_are_shown(open_page, own_data_dir):
    fill(own_data_dir, NASTY)
    app = open_page("gallery", gallery_open=number_of(own_data_dir, NASTY))
    for text in (shown(open_page("gallery")), shown(app)):
        assert "<img src=x" not in text and "&lt;img src=x onerror" in text
    app.text_input[0].set_value("**New** <b>name</b>")
    button(app, "Save the name").click().run()
    assert r"Renamed to \*\*New\*\* \<b\>name\<\/b\>" in app.success[0].value


def test_renaming_to_a_taken_name_is_refused_in_words(open_page, own_data_dir):
    fill(own_data_dir, "Ada", "Grace")
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "Ada"))
    app.text_input[0].set_value("grace")
    button(app, "Save the name").click().run()
    assert "enrolled already" in app.error[0].value and not app.exception
    assert names(own_data_dir) == ["Ada", "Grace"]


def test_deleting_asks_first_and_erases(open_page, own_data_dir):
    fill(own_data_dir, "Ada", "Grace")
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "Ada"))
    button(app, "Delete").click().run()
    assert names(own_data_dir) == ["Ada", "Grace"]
    button(app, "Delete for good").click().run()
    assert names(own_data_dir) == ["Grace"]
    assert "Ada was deleted" in shown(app)
    assert b"Ada" not in (own_data_dir / "gallery.db").read_bytes()


def test_a_person_who_was_removed_meanwhile_is_said_to_be_gone(open_page, own_data_dir):
    fill(own_data_dir, "Ada")
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "Ada") + 5)
    assert not app.exception and len(app.error) == 1
    button(app, "All people").click().run()
    assert "Ada" in shown(app)


def test_an_export_says_what_it_holds_and_comes_back(open_page, own_data_dir, tmp_path):
    fill(own_data_dir, "Ada", "Grace")
    app = open_page("gallery")
    assert "names and notes of 2 people" in shown(app) and button(app, "Create the file").disabled
    app.checkbox(key="gallery_export_agreed").check().run()
    button(app, "Create the file").click().run()
    assert r"2 names\, 6 embeddings and 6 face crops\, unencrypted" in shown(app)
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        content, _ = export_bytes(gallery)
        gallery.remove("Ada", "Grace")
    app = open_page("gallery")
    app.file_uploader(key="gallery_import_file").set_value((f"g{SUFFIX}", content, "application/octet-stream"))
    button(app, "Import").click().run()
    assert "2 added" in shown(app)
    assert names(own_data_dir) == ["Ada", "Grace"]


def test_a_file_that_lies_is_refused_and_nothing_changes(open_page, own_data_dir):
    fill(own_data_dir, "Ada")
    app = open_page("gallery")
    app.file_uploader(key="gallery_import_file").set_value((f"g{SUFFIX}", b"PK\x03\x04 no", "application/zip"))
    button(app, "Import").click().run()
    assert not app.exception and len(app.error) == 1
    assert names(own_data_dir) == ["Ada"]


def test_a_pt_without_weights_says_what_it_needs(open_page, own_data_dir):
    app = open_page("gallery")
    app.file_uploader(key="gallery_import_file").set_value(("g.pt", b"x", "application/octet-stream"))
    button(app, "Import").click().run()
    assert "weights" in app.error[0].value and not app.exception


@pytest.mark.shared
def test_a_pt_of_names_and_embeddings_is_taken_in_for_the_weights_in_use(ready, tmp_path):
    from core.models.encoders import active_weights
    from core.settings import load_settings

    rows = np.random.default_rng(1).normal(size=(2, 512)).astype(np.float32)
    torch.save({"Ada": torch.from_numpy(rows[0]), "Grace": torch.from_numpy(rows[1])}, tmp_path / "my_gallery.pt")
    with Gallery.open(":memory:") as store:
        weights = active_weights(load_settings())
        report = import_file(store, "my_gallery.pt", (tmp_path / "my_gallery.pt").read_bytes(), "skip", weights)
        assert sorted(report.added) == ["Ada", "Grace"]


@pytest.mark.shared
def test_templates_of_other_weights_are_marked(open_page, ready):
    fill(ready, "Ada", space=replace(SPACE, weights_sha256="b" * 64))
    text = shown(open_page("gallery"))
    assert "enrolled with other weights; not searched" in text
    assert "1 person enrolled with other weights can't be searched" in text


def test_adding_photographs_leads_to_enrol_for_that_person(open_page, own_data_dir):
    fill(own_data_dir, "Ada")
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "Ada"))
    button(app, "Add photographs").click().run()
    assert app.title[0].value == "Enrol"
    assert app.session_state["enroll_add_to"] == "Ada"


def test_the_audit_trail_holds_no_names(open_page, own_data_dir):
    fill(own_data_dir, "Ada")
    [table] = open_page("gallery").dataframe
    assert table.value["Event"].tolist() == ["enrolled"]
    assert "Ada" not in table.value.to_csv()


def test_many_people_come_in_pages(open_page, own_data_dir):
    fill(own_data_dir, *(f"Person {number:02d}" for number in range(30)), photographs=1, crops=False)
    app = open_page("gallery")
    assert sum(each.label == "Open" for each in app.button) == 24
    app.selectbox[0].select_index(1).run()
    assert sum(each.label == "Open" for each in app.button) == 6


# Safety -------------------------------------------------------------------------------------------------------------


def test_a_merge_can_be_undone_and_the_next_change_ends_that(open_page, own_data_dir):
    fill(own_data_dir, "Ada", "A. Lovelace", "Grace")
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "A. Lovelace"))
    app.selectbox(key=f"gallery_merge_into_{number_of(own_data_dir, 'A. Lovelace')}").select_index(0)
    button(app, "Merge").click().run()
    assert r"A\. Lovelace was merged into Ada" in shown(app) and names(own_data_dir) == ["Ada", "Grace"]
    button(app, "Undo: the merge").click().run()
    assert r"Undone\. A\. Lovelace is restored" in shown(app)
    assert names(own_data_dir) == ["A. Lovelace", "Ada", "Grace"]
    assert not any(each.label.startswith("Undo") for each in app.button)


def test_a_rename_and_a_removed_photograph_can_be_undone(open_page, own_data_dir):
    fill(own_data_dir, "Ada")
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "Ada"))
    app.text_input[0].set_value("Ada King")
    button(app, "Save the name").click().run()
    button(app, "Undo: the new name").click().run()
    assert names(own_data_dir) == ["Ada"]
    button(app, "Remove the photograph").click().run()
    assert "2 photographs" in shown(app)
    button(app, "Undo: the removal of the photograph").click().run()
    assert "3 photographs" in shown(app) and not app.exception


def test_an_undo_that_came_too_late_says_so(open_page, own_data_dir):
    fill(own_data_dir, "Ada")
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "Ada"))
    app.text_input[0].set_value("Ada King")
    button(app, "Save the name").click().run()
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        gallery.rename("Ada King", "Countess")
    button(app, "Undo: the new name").click().run()
    assert "changed since" in app.error[0].value and not app.exception


def test_a_gallery_on_a_server_is_used_as_a_file_is(open_page, own_data_dir, postgres, server_address, monkeypatch):
    fill(own_data_dir, "Ada Lovelace", "Grace Hopper")
    with Gallery.open(own_data_dir / "gallery.db") as file, Gallery.open(server_address) as store:
        import_gallery(store, export_bytes(file)[0])
    monkeypatch.setenv("EDGEFACE_GALLERY", server_address)
    app = open_page("gallery")
    text = shown(app)
    assert not app.exception and "2 people, 6 photographs." in text and "Grace Hopper" in text
    assert "The gallery is on a database server" in text
    assert "pg_dump --schema edgeface_gallery" in text and "Not encrypted by EdgeFace Studio" in text
    assert "Back up now" not in [each.label for each in app.button]
    assert "Find wrong photographs and duplicate people" in [each.proto.label for each in app.page_link]
    monkeypatch.setattr("core.gallery.postgres._RECONNECT_S", 0.0)
    postgres.stop()
    try:
        app = open_page("gallery")
        assert not app.exception and "be reached" in app.error[0].value and "server runs" in app.error[0].value
    finally:
        postgres.start()
    assert "Grace Hopper" in shown(open_page("gallery"))


def test_back_up_then_restore(open_page, own_data_dir):
    fill(own_data_dir, "Ada", "Grace")
    app = open_page("gallery")
    button(app, "Back up now").click().run()
    assert "Backed up" in shown(app)
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        gallery.remove("Ada")
    app = open_page("gallery")
    button(app, "Restore").click().run()
    assert names(own_data_dir) == ["Grace"] and "Tick the box first" in shown(app)
    app.checkbox(key="gallery_restore_sure").check()
    button(app, "Restore").click().run()
    assert names(own_data_dir) == ["Ada", "Grace"] and "Restored" in shown(app)


def test_the_report_of_an_erasure_names_the_backups_and_erases_from_them_when_asked(open_page, own_data_dir):
    fill(own_data_dir, "Ada", "Grace")
    button(open_page("gallery"), "Back up now").click().run()
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "Ada"))
    button(app, "Delete").click().run()
    button(app, "Delete for good").click().run()
    assert "Erasure report" in shown(app) and "Backups still contain this person" in shown(app)
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "Grace"))
    button(app, "Delete").click().run()
    app.checkbox(key="gallery_delete_backups").check()
    button(app, "Delete for good").click().run()
    assert "no trace of the name or the embeddings was found" in shown(app)
    button(app, "Close").click().run()
    assert "Erasure report" not in shown(app)


def test_the_report_of_an_erasure_lists_films_that_cant_be_searched(open_page, own_data_dir):
    fill(own_data_dir, "Ada", "Grace")
    film = own_data_dir / "runs" / "video" / "20300101T000000000Z-door" / "annotated.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"a film")
    app = open_page("gallery", gallery_open=number_of(own_data_dir, "Ada"))
    button(app, "Delete").click().run()
    button(app, "Delete for good").click().run()
    assert "can't be searched: 1 place may still show this person" in shown(app)
    assert "no trace of the name or the embeddings was found" not in shown(app)
    text = shown(app).replace("\\", "").replace("\u2060", "")
    assert "**runs/video/20300101T000000000Z-door**: 1 file (films)." in text
    assert "edgeface-studio runs remove video/20300101T000000000Z-door" in text


def test_retention_deletes_old_pictures_and_says_how_many(open_page, own_data_dir):
    fill(own_data_dir, "Ada")
    app = open_page("gallery")
    app.number_input(key="gallery_crops_days").set_value(30)
    button(app, "Save").click().run()
    assert "Saved" in shown(app) and not app.exception
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        assert gallery.identity("Ada").has_crops


def test_a_key_beside_a_plain_gallery_is_said(open_page, own_data_dir, monkeypatch):
    fill(own_data_dir, "Ada")
    assert "A key is set" not in shown(open_page("gallery"))
    monkeypatch.setenv("EDGEFACE_GALLERY_KEY", new_key().text)
    assert "A key is set" in shown(open_page("gallery"))


def test_an_encrypted_gallery_says_so_and_a_missing_key_is_told(open_page, own_data_dir, monkeypatch):
    key = new_key()
    fill(own_data_dir, "Ada")
    with Gallery.open(own_data_dir / "gallery.db", keys=lambda: key) as gallery:
        encrypt(gallery, key)
    app = open_page("gallery")
    assert "no key was given" in "".join(str(each.value) for each in app.error) and not app.exception
    monkeypatch.setenv("EDGEFACE_GALLERY_KEY", key.text)
    text = shown(open_page("gallery"))
    assert "Encrypted on disk" in text and "Ada" in text and key.text not in text
