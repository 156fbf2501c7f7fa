"""Which landmark network is in use: chosen or shipped, tried on faces first; its metadata read without onnx."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from core.errors import SettingsInvalid, WeightsMissing
from core.faces.align import ARCFACE_TEMPLATE
from core.faces.landmarks.look import Look
from core.faces.landmarks.network import FILE, LandmarksUnusable, Readings, shipped_path
from core.models import encoders, landmark_networks
from core.models.active import find_model, use_model
from core.models.active_file import read_active
from core.models.onnx_metadata import read_onnx_metadata
from core.settings import PROJECT_ROOT, Settings
from tests.made_weights import save_dsr, save_landmarks

SHIPPED = PROJECT_ROOT / "data" / "models" / FILE


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "data", tmp_path / "models", tmp_path / "data" / "gallery.db")


@pytest.fixture
def unchecked(monkeypatch):
    """Files are taken as they are: what reading faces asks of them has tests of its own."""
    monkeypatch.setattr(landmark_networks._LandmarkNetworks, "check", lambda self, file: None)


def test_it_is_the_shipped_one_until_another_is_chosen(settings, unchecked, tmp_path, monkeypatch):
    monkeypatch.setattr(landmark_networks, "shipped_path", lambda folder: folder / FILE)
    with pytest.raises(LandmarksUnusable, match="no landmark network at") as missing:
        landmark_networks.active_landmarks(settings)
    assert "train landmarks" in missing.value.next_step
    shipped = save_landmarks(settings.models_dir / FILE)
    save_landmarks(settings.models_dir / "another.onnx", 1)
    assert landmark_networks.resolve_landmarks(settings) == shipped.resolve()
    mine = save_landmarks(tmp_path / "my own.onnx", 2)
    used = landmark_networks.use_landmarks(settings, mine)
    assert used.path == (settings.weights_dir / "my_own.onnx").resolve()
    assert read_active(settings)["landmarks"] == {"path": "weights/my_own.onnx", "sha256": used.sha256}
    assert landmark_networks.active_landmarks(settings) == used
    assert [file.name for file in landmark_networks.scan(settings)] == ["my_own", "another", "edgeface-landmarks"]
    assert landmark_networks.use_landmarks(settings, "edgeface-landmarks").path == shipped.resolve()
    assert len(list(settings.weights_dir.iterdir())) == 1, "what is stored isn't copied again"


def test_a_folder_of_models_without_one_leaves_the_projects_own(settings):
    assert shipped_path(settings.models_dir) == SHIPPED
    own = save_landmarks(settings.models_dir / FILE)
    assert shipped_path(settings.models_dir) == own


def test_a_changed_or_missing_file_is_said(settings, unchecked, tmp_path):
    used = landmark_networks.use_landmarks(settings, save_landmarks(tmp_path / "mine.onnx"))
    save_landmarks(used.path, 9)
    with pytest.raises(LandmarksUnusable, match="has changed since it was chosen"):
        landmark_networks.active_landmarks(settings)
    used.path.unlink()
    with pytest.raises(LandmarksUnusable, match="is gone") as gone:
        landmark_networks.active_landmarks(settings)
    assert "weights use edgeface-landmarks" in gone.value.next_step


def test_models_are_told_apart_by_content(settings, unchecked, tmp_path):
    network = save_landmarks(tmp_path / "network.onnx")
    found = find_model(settings, network)
    assert isinstance(found, landmark_networks.LandmarkFile)
    assert use_model(settings, network).name == "network"
    assert isinstance(find_model(settings, "network"), landmark_networks.LandmarkFile)
    upscaler = save_dsr(settings.weights_dir / "dsr.safetensors")
    assert type(find_model(settings, upscaler)).__name__ == "UpscalerFile"
    assert [file.name for file in encoders.scan(settings)] == []
    with pytest.raises(WeightsMissing, match="no weights called 'nobody'"):
        find_model(settings, "nobody")


def test_other_files_are_refused(settings, tmp_path):
    other = save_landmarks(tmp_path / "other.onnx", format="edgeface-studio-onnx-1")
    with pytest.raises(LandmarksUnusable, match="isn't a landmark network of this project"):
        landmark_networks.use_landmarks(settings, other)
    training = save_dsr(tmp_path / "landmarks.safetensors", format="edgeface-studio-landmarks-1")
    with pytest.raises(LandmarksUnusable, match="for further training") as refused:
        use_model(settings, training)
    assert ".onnx" in refused.value.next_step
    with pytest.raises(LandmarksUnusable, match="no landmark network called 'nobody'"):
        landmark_networks.find_landmarks(settings, "nobody")
    with pytest.raises(SettingsInvalid, match="No landmark network was named"):
        landmark_networks.find_landmarks(settings, " ")
    with pytest.raises(LandmarksUnusable, match="no landmark network at"):
        landmark_networks.describe(tmp_path / "missing.onnx")


def test_one_that_reads_no_faces_is_refused_and_nothing_changes(settings, tmp_path):
    bad = save_landmarks(tmp_path / "bad.onnx")
    with pytest.raises(LandmarksUnusable, match=r"bad\.onnx loads but can't read faces: .* px of 112 off") as refused:
        use_model(settings, bad)
    assert "100 faces" in refused.value.what
    assert read_active(settings) == {} and not settings.weights_dir.exists()


def test_one_that_reads_upright_faces_alone_is_refused(settings, tmp_path, monkeypatch):
    """A network whose points fit the faces; upside down once as it should and once as if they were upright."""
    look = Look((56.0, 56.0), 1.3 * 112)
    upright = look.from_picture(ARCFACE_TEMPLATE)
    turned = look.from_picture(111 - ARCFACE_TEMPLATE)
    answers: list[np.ndarray] = []

    def read(self, looks):
        number = len(looks)
        points = np.repeat(answers.pop(0)[None], number, axis=0)
        return Readings(points, np.zeros((number, 5)), np.ones(number), np.ones(number))

    monkeypatch.setattr(landmark_networks.Landmarker, "read", read)
    file = landmark_networks.describe(save_landmarks(tmp_path / "n.onnx"))
    answers += [upright, turned]
    landmark_networks.check_landmarks(file)
    answers += [upright, upright]
    with pytest.raises(LandmarksUnusable, match="can't read upside-down faces"):
        landmark_networks.check_landmarks(file)


@pytest.mark.skipif(not SHIPPED.is_file(), reason="no landmark network is shipped yet")
def test_the_shipped_network_reads_faces(settings):
    settings.models_dir.mkdir(parents=True)
    shutil.copy(SHIPPED, settings.models_dir)
    landmark_networks.check_landmarks(landmark_networks.active_landmarks(settings))
    assert SHIPPED.stat().st_size <= 1_000_000


@pytest.mark.skipif(not SHIPPED.with_suffix(".md").is_file(), reason="no landmark network is shipped yet")
def test_the_shipped_card_is_that_of_the_shipped_network():
    card = SHIPPED.with_suffix(".md").read_text(encoding="utf-8")
    assert landmark_networks.describe(SHIPPED).sha256 in card
    assert json.loads(read_onnx_metadata(SHIPPED)["figures"])["error_px"] > 0


def test_metadata_is_read_as_onnx_reads_it(tmp_path):
    texts = {"empty": "", "long": "x" * 300, "umlaut": "Größe"}
    path = save_landmarks(tmp_path / "n.onnx", **texts)
    read_by_onnx = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert read_onnx_metadata(path) == read_by_onnx == {"format": "edgeface-studio-landmarks-1", **texts}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"\xff" * 40,
        b"PK\x03\x04" + b"x" * 100,
        b"\x72\x05\x0a",
        b"\x72\x03\x0a\x05a",
        b"\x72\x02\x0a\x00",
    ],
)
def test_files_of_another_form_have_no_metadata(content, tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    assert read_onnx_metadata(path) in ({}, {"": ""})
