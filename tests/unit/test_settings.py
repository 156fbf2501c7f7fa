"""Where things live, what is in use, and writes that are whole or not at all."""

from __future__ import annotations

import os

import pytest

from core.errors import SettingsInvalid, StorageFailed
from core.settings import load_settings, read_active, write_active, write_atomically


def test_everything_follows_from_the_data_folder(tmp_path) -> None:
    settings = load_settings({"EDGEFACE_DATA_DIR": str(tmp_path)})
    assert settings.gallery_path == tmp_path / "gallery.db"
    assert settings.weights_dir == tmp_path / "weights"
    assert load_settings({"EDGEFACE_GALLERY": str(tmp_path / "g.db")}).gallery_path == tmp_path / "g.db"


def test_the_projects_own_data_folder_is_the_default() -> None:
    settings = load_settings({})
    assert settings.data_dir.name == "data" and (settings.data_dir.parent / "core").is_dir()


def test_a_file_in_place_of_the_data_folder_is_refused(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(SettingsInvalid, match="is a file"):
        load_settings({"EDGEFACE_DATA_DIR": str(path)})


def test_choices_are_merged_and_removed(own_data_dir) -> None:
    settings = load_settings()
    assert read_active(settings) == {}
    write_active(settings, encoder={"path": "a"}, other=1)
    write_active(settings, encoder={"path": "b"})
    assert read_active(settings) == {"encoder": {"path": "b"}, "other": 1}
    write_active(settings, other=None)
    assert read_active(settings) == {"encoder": {"path": "b"}}


@pytest.mark.parametrize("content", ["{", "[1]", '"text"', "\udcff"])
def test_a_damaged_choice_says_which_file_and_what_to_do(own_data_dir, content) -> None:
    settings = load_settings()
    settings.active_path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsInvalid, match=r"active\.json") as refused:
        read_active(settings)
    assert "Delete it" in refused.value.next_step


def test_a_write_that_fails_leaves_the_earlier_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, b"earlier")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFailed, match="No space left") as refused:
        write_atomically(path, b"later")
    assert "Free space" in refused.value.next_step
    assert path.read_bytes() == b"earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"], "no temporary file stays"
