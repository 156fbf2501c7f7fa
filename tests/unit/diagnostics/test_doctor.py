"""The doctor on installations in every state: empty, complete, damaged."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from core.cli import run
from core.diagnostics import doctor
from core.diagnostics.doctor import Row, can_recognise, torch_for_torchvision
from core.gallery import Gallery, NewTemplate, Space
from core.gallery.encryption import encrypt
from core.gallery.keys import KEY_VARIABLE, new_key
from core.models.active_file import write_active
from core.models.upscalers import find_upscaler, use_upscaler
from core.settings import Settings, load_settings
from tests.made_weights import save_dsr


@pytest.fixture()
def settings() -> Settings:
    return load_settings()


def enrol_somebody(path: Path, weights_sha256: str) -> None:
    vector = np.zeros(512, np.float32)
    vector[0] = 1
    with Gallery.open(path) as gallery:
        space = Space("edgeface_xxs", weights_sha256, "bicubic", False)
        gallery.enrol("Ada", [NewTemplate(vector, "hr", 112.0)], space=space)


def use_weights_without_content(settings: Settings) -> str:
    """Select a file that can't be read as weights; returns its SHA-256."""
    from core.models.encoders import describe

    settings.weights_dir.mkdir()
    file = settings.weights_dir / "fake.pt"
    file.write_bytes(b"not weights")
    write_active(settings, encoder={"path": "weights/fake.pt", "sha256": describe(file).sha256})
    return describe(file).sha256


def test_only_what_is_needed_and_missing_stands_in_the_way():
    fine, wanted = Row("a", "ok", "", needed=True), Row("b", "missing", "")
    assert can_recognise([fine, wanted, Row("c", "warning", "", needed=True)])
    assert not can_recognise([fine, Row("d", "missing", "", needed=True)])


def test_an_empty_installation_names_the_way_to_weights_and_changes_nothing(settings, tmp_path):
    before = sorted(settings.data_dir.rglob("*"))
    rows = {row.name: row for row in doctor.examine(settings, devices=tmp_path)}
    assert not can_recognise(list(rows.values()))
    assert [row.name for row in rows.values() if row.needed and row.state == "missing"] == ["weights"]
    assert "weights fetch edgeface_xxs" in rows["weights"].how_to_get
    assert str(settings.weights_dir) in rows["weights"].how_to_get
    assert "enroll --user-id" in rows["gallery"].how_to_get
    assert sorted(settings.data_dir.rglob("*")) == before


def test_every_row_that_is_not_ok_says_how_to_mend_it(settings, tmp_path):
    for row in doctor.examine(settings, devices=tmp_path):
        assert row.detail
        assert bool(row.how_to_get) == (row.state != "ok"), row


def test_the_command_ends_with_1_when_nothing_can_be_recognised(capsys):
    assert run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "MISSING" in out and "weights fetch edgeface_xxs" in out and "Not ready" in out


def test_json_is_all_there_is_on_stdout(capsys):
    assert run(["doctor", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ready"] is False
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert states["Python"] == states["PyTorch"] == states["face detector"] == "ok"


@pytest.mark.shared
def test_official_weights_make_it_ready(settings, shared_dir, capsys):
    settings.weights_dir.mkdir()
    shutil.copy(shared_dir / "weights" / "edgeface_xxs_q.pt", settings.weights_dir / "renamed.pt")
    assert run(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    [weights] = [check for check in report["checks"] if check["name"] == "weights"]
    assert report["ready"] and "official edgeface_xxs_q" in weights["detail"] and "healthy" in weights["detail"]


def test_weights_that_were_chosen_and_are_gone_are_missing(settings):
    write_active(settings, encoder={"path": "weights/gone.pt", "sha256": "0" * 64})
    row = doctor.check_weights(settings)
    assert (row.state, row.needed) == ("missing", True)
    assert "gone" in row.detail and "weights use" in row.how_to_get


def test_weights_that_are_no_weights_are_missing(settings):
    use_weights_without_content(settings)
    row = doctor.check_weights(settings)
    assert row.state == "missing" and "can't be read as weights" in row.detail


def test_a_gallery_is_counted_and_checked(settings):
    enrol_somebody(settings.gallery_path, "a" * 64)
    row = doctor.check_gallery(settings)
    assert row.state == "ok" and "1 person" in row.detail and "integrity ok" in row.detail
    assert "Ada" not in row.detail


def test_small_faces_enrolled_through_a_network_that_was_the_default_are_said(settings):
    """The network ships and nothing was chosen: bicubic is in use, and the way back is to choose the network."""
    settings.models_dir.mkdir(exist_ok=True)
    network = save_dsr(settings.models_dir / "edgeface-dsr.safetensors")
    weights = use_weights_without_content(settings)
    made = Space("edgeface_xxs", weights, find_upscaler(settings, network).sha256, False)
    vector = np.eye(1, 512, dtype=np.float32)[0]
    with Gallery.open(settings.gallery_path) as gallery:
        gallery.enrol("Ada", [NewTemplate(vector, "hr", 112.0), NewTemplate(vector, "sr", 24.0, 24)], space=made)
    row = doctor.check_gallery(settings)
    assert row.state == "warning" and "1 template of a small face isn't searched" in row.detail
    assert "weights use edgeface-dsr" in row.how_to_get and "gallery reembed" in row.how_to_get
    use_upscaler(settings, "edgeface-dsr")
    assert doctor.check_gallery(settings).state == "ok"


def test_a_key_beside_a_plain_gallery_is_a_warning(settings, monkeypatch, capsys):
    enrol_somebody(settings.gallery_path, "a" * 64)
    key = new_key()
    monkeypatch.setenv(KEY_VARIABLE, key.text)
    row = doctor.check_gallery(settings)
    assert row.state == "warning" and "not encrypted" in row.detail and key.fingerprint in row.detail
    assert "gallery encrypt" in row.how_to_get
    assert run(["gallery", "protection"]) == 0
    assert f"Not encrypted, although the key {key.fingerprint} is set" in capsys.readouterr().out
    assert run(["gallery", "protection", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unused_key"] == key.fingerprint
    with Gallery.open(settings.gallery_path) as gallery:
        encrypt(gallery, key)
    assert doctor.check_gallery(settings).state == "ok"


def test_people_of_other_weights_are_a_warning(settings, monkeypatch):
    enrol_somebody(settings.gallery_path, "a" * 64)
    sha256 = use_weights_without_content(settings)
    row = doctor.check_gallery(settings)
    assert row.state == "warning" and "1 enrolled with other weights" in row.detail
    assert "gallery reembed" in row.how_to_get
    with Gallery.open(settings.gallery_path) as gallery:
        template = NewTemplate(np.eye(512, dtype=np.float32)[0], "hr", 112.0)
        gallery.enrol("Grace", [template], space=Space("other", sha256, "bicubic", False))
    row = doctor.check_gallery(settings)
    assert row.state == "warning" and "2 people" in row.detail and "1 enrolled with other weights" in row.detail


def test_a_file_that_is_no_gallery_is_said_to_be_none_and_left_as_it_is(settings):
    content = b"this is a text file, not a gallery\n" * 40
    settings.gallery_path.write_bytes(content)
    row = doctor.check_gallery(settings)
    assert (row.state, row.needed) == ("missing", True)
    assert settings.gallery_path.read_bytes() == content


def test_a_folder_in_the_place_of_the_gallery(settings):
    settings.gallery_path.mkdir()
    assert doctor.check_gallery(settings).state == "missing"


def test_a_damaged_gallery_is_found(settings):
    with Gallery.open(settings.gallery_path) as gallery:
        space = Space("edgeface_xxs", "a" * 64, "bicubic", False)
        for number in range(60):
            vector = np.zeros(512, np.float32)
            vector[number] = 1
            gallery.enrol(f"P{number}", [NewTemplate(vector, "hr", 112.0)], space=space)
    connection = sqlite3.connect(settings.gallery_path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = int(connection.execute("PRAGMA page_size").fetchone()[0])
    connection.close()
    with settings.gallery_path.open("r+b") as file:
        for page in range(4, 30):
            file.seek(page * size)
            file.write(b"\xff" * size)
    row = doctor.check_gallery(settings)
    assert row.state == "missing" and row.needed and row.how_to_get


def test_torchvision_says_which_torch_it_was_built_for():
    assert torch_for_torchvision(["numpy", "torch==2.14.1", "pillow"]) == "2.14.1"
    assert torch_for_torchvision(["torch (==2.9.1)"]) == "2.9.1"
    assert torch_for_torchvision(["numpy", "torchmetrics==1.0", "torch>=2"]) is None


def test_torch_of_another_version_than_torchvision_wants_is_missing(monkeypatch):
    monkeypatch.setattr(doctor, "requires", lambda name: ["torch==1.0.0"])
    row = doctor.check_torch()
    assert (row.state, row.needed) == ("missing", True)
    assert "needs torch 1.0.0" in row.detail and "requirements.txt" in row.how_to_get


@pytest.mark.skipif(not Path("/dev").is_dir(), reason="no Linux")
def test_cameras_are_found_by_their_device_files(tmp_path):
    assert doctor.check_camera(tmp_path).state == "missing"
    camera = tmp_path / "video0"
    camera.touch()
    assert doctor.check_camera(tmp_path) == Row("camera", "ok", "video0 readable")


def test_little_space_is_a_warning(settings, monkeypatch):
    assert doctor.check_disk(settings).state == "ok"
    monkeypatch.setattr(doctor, "LOW_SPACE_BYTES", 10**18)
    row = doctor.check_disk(settings)
    assert row.state == "warning" and "GB free" in row.detail
