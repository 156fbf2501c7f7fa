"""Paths of an installation."""

from __future__ import annotations

import pytest

from core.errors import SettingsInvalid
from core.settings import load_settings


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
