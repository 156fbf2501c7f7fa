"""Which weights are here and in use: known by content, noticed when changed, taken into use only when they work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from core.errors import SettingsInvalid
from core.models import encoders
from core.models.active_file import read_active, write_active
from core.models.errors import WeightsMismatch, WeightsMissing, WeightsUnhealthy, WeightsUnsafe
from core.settings import Settings


@pytest.fixture()
def settings(tmp_path: Path) -> Settings:
    data = tmp_path / "data"
    for folder in (data / "weights", tmp_path / "models"):
        folder.mkdir(parents=True)
    return Settings(data_dir=data, models_dir=tmp_path / "models", gallery_path=data / "gallery.db")


def put(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def test_nothing_here_names_three_ways_to_weights(settings: Settings) -> None:
    assert encoders.scan(settings) == []
    with pytest.raises(WeightsMissing) as caught:
        encoders.active_weights(settings)
    step = caught.value.next_step
    assert "edgeface-studio weights fetch edgeface_xxs" in step
    assert "weights use FILE" in step and str(settings.weights_dir) in step


def test_folders_that_are_not_there_hold_nothing(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "none", tmp_path / "no models", tmp_path / "g.db")
    assert encoders.scan(settings) == []


def test_the_list_holds_encoder_files_only(settings: Settings) -> None:
    for name in ("b.pt", "a.PTH", "c.ckpt", "notes.txt", ".hidden.pt", "x.pt.part"):
        put(settings.weights_dir, name, name.encode())
    (settings.weights_dir / "folder.pt").mkdir()
    (settings.weights_dir / "gone.pt").symlink_to(settings.weights_dir / "nowhere")
    tensors = {"w": np.zeros(1, np.float32)}
    save_file(tensors, settings.models_dir / "dsr.safetensors", {"format": "edgeface-studio-dsr-1"})
    save_file(tensors, settings.models_dir / "starter.safetensors", {"variant": "edgeface_xxs"})
    put(settings.models_dir, "damaged.safetensors", b"\xff" * 9)
    names = [file.path.name for file in encoders.scan(settings)]
    assert names == ["a.PTH", "b.pt", "c.ckpt", "damaged.safetensors", "starter.safetensors"]


def test_hashes_follow_the_content(settings: Settings) -> None:
    path = put(settings.weights_dir, "a.pt", b"one")
    first = encoders.describe(path)
    put(settings.weights_dir, "a.pt", b"two")
    os.utime(path, ns=(1, 1))
    assert encoders.describe(path).sha256 != first.sha256
    assert first.size_bytes == 3 and first.official is None and first.name == "a"


def test_the_one_in_use_is_the_one_chosen(settings: Settings) -> None:
    put(settings.weights_dir, "a.pt", b"a")
    chosen = encoders.describe(put(settings.weights_dir, "b.pt", b"b"))
    write_active(settings, encoder={"path": "weights/b.pt", "sha256": chosen.sha256})
    assert encoders.active_weights(settings) == chosen
    assert encoders.resolve_weights(settings) == chosen.path


def test_a_chosen_file_that_is_gone_is_said(settings: Settings) -> None:
    write_active(settings, encoder={"path": "weights/b.pt", "sha256": "0" * 64})
    with pytest.raises(WeightsMissing, match=r"are gone: .*b\.pt"):
        encoders.active_weights(settings)


def test_a_chosen_file_that_was_changed_is_said(settings: Settings) -> None:
    chosen = encoders.describe(put(settings.weights_dir, "b.pt", b"b"))
    write_active(settings, encoder={"path": "weights/b.pt", "sha256": chosen.sha256})
    put(settings.weights_dir, "b.pt", b"something else")
    with pytest.raises(WeightsMissing, match="have changed since they were chosen"):
        encoders.active_weights(settings)


@pytest.mark.parametrize("entry", ["b.pt", 3, {}, {"path": "b.pt"}, {"path": 1, "sha256": "x"}, ["b.pt"]])
def test_a_damaged_choice_is_refused(settings: Settings, entry: object) -> None:
    write_active(settings, encoder=entry)
    with pytest.raises(SettingsInvalid, match="doesn't say which weights"):
        encoders.active_weights(settings)


def test_an_unofficial_file_is_not_taken_unasked(settings: Settings) -> None:
    put(settings.weights_dir, "mine.pt", b"mine")
    with pytest.raises(WeightsMissing, match=r"holds mine\.pt") as caught:
        encoders.active_weights(settings)
    assert "weights use mine" in caught.value.next_step


def test_a_shipped_starter_is_taken(settings: Settings) -> None:
    put(settings.models_dir, "starter.pt", b"starter")
    assert encoders.active_weights(settings).name == "starter"


def test_finding_by_path_and_name(settings: Settings, tmp_path: Path) -> None:
    stored = put(settings.weights_dir, "mine.pt", b"mine")
    outside = put(tmp_path, "other.bin", b"other")
    for asked in ("mine", "mine.pt", stored, str(stored)):
        assert encoders.find_weights(settings, asked).path == stored
    assert encoders.find_weights(settings, outside).path == outside


@pytest.mark.parametrize("asked", ["", "  ", "nothing", "a\0b", "/no/such/file.pt", Path("none.pt"), "x" * 5000])
def test_what_cannot_be_found_is_said(settings: Settings, asked: str | Path) -> None:
    with pytest.raises(WeightsMissing) as caught:
        encoders.find_weights(settings, asked)
    assert caught.value.next_step


def test_an_official_name_that_is_not_here_says_how_to_fetch_it(settings: Settings) -> None:
    with pytest.raises(WeightsMissing, match="edgeface_base aren't here") as caught:
        encoders.find_weights(settings, "edgeface_base")
    assert "weights fetch edgeface_base" in caught.value.next_step


def test_a_folder_is_no_weights_file(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="isn't a file"):
        encoders.find_weights(settings, tmp_path)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "zip"])
def test_what_is_no_weights_file_is_not_taken_into_use(settings: Settings, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(WeightsUnsafe):
        encoders.use_weights(settings, put(tmp_path, "bad.pt", content))
    assert read_active(settings) == {} and list(settings.weights_dir.iterdir()) == []


def test_incomplete_or_unhealthy_weights_are_not_taken_into_use(settings: Settings, saved, xxs_state) -> None:
    incomplete = {key: tensor for key, tensor in xxs_state.items() if "pos_embd" not in key}
    with pytest.raises(WeightsMismatch):
        encoders.use_weights(settings, saved(incomplete))
    with pytest.raises(WeightsUnhealthy):
        encoders.use_weights(settings, saved(xxs_state))
    assert read_active(settings) == {} and list(settings.weights_dir.iterdir()) == []


def test_no_torch_is_imported_to_look(tmp_path: Path) -> None:
    code = (
        "import sys; from core.models import encoders, download; from core.settings import load_settings;"
        "encoders.scan(load_settings()); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# With the official files -----------------------------------------------------------------------------------------


@pytest.mark.shared
def test_official_files_are_known_under_any_name(settings: Settings, shared_dir: Path) -> None:
    shutil.copy(shared_dir / "weights" / "edgeface_xs_q.pt", settings.weights_dir / "a.pt")
    shutil.copy(shared_dir / "weights" / "edgeface_xxs_q.pt", settings.weights_dir / "edgeface_xxs.pt")
    variants = {file.name: file.official.name for file in encoders.scan(settings) if file.official}
    assert variants == {"a": "edgeface_xs_q", "edgeface_xxs": "edgeface_xxs_q"}
    assert encoders.active_weights(settings).name == "edgeface_xxs", "xxs_q comes before xs_q"
    assert encoders.find_weights(settings, "edgeface_xs_q").name == "a"


@pytest.mark.shared
def test_using_a_file_keeps_a_copy(settings: Settings, shared_dir: Path, tmp_path: Path) -> None:
    official = shared_dir / "weights" / "edgeface_xxs_q.pt"
    put(settings.weights_dir, "my_file.pt", b"something else of that name")
    theirs = tmp_path / "my file.weights"
    shutil.copy(official, theirs)
    kept = encoders.use_weights(settings, theirs)
    assert kept.path == settings.weights_dir / "my_file-2.pt"
    assert kept.path.read_bytes() == official.read_bytes()
    assert json.loads(settings.active_path.read_text())["encoder"] == {
        "path": "weights/my_file-2.pt",
        "sha256": kept.sha256,
    }
    assert encoders.active_weights(settings) == kept
    before = sorted(settings.weights_dir.iterdir())
    assert encoders.use_weights(settings, official) == kept, "the same content isn't copied twice"
    assert encoders.use_weights(settings, "my_file-2") == kept
    assert sorted(settings.weights_dir.iterdir()) == before


@pytest.mark.shared
def test_the_choice_moves_with_the_data_folder(settings: Settings, shared_dir: Path, tmp_path: Path) -> None:
    encoders.use_weights(settings, shared_dir / "weights" / "edgeface_xxs_q.pt")
    moved = settings.data_dir.rename(tmp_path / "moved")
    elsewhere = Settings(moved, settings.models_dir, moved / "gallery.db")
    assert encoders.active_weights(elsewhere).path.is_relative_to(moved)
