"""What is logged and kept of the main paths: no name, no vector, no picture, whatever goes wrong."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.enrolment.drafts import prepare_enrolment
from core.enrolment.enrol import enrol
from core.errors import CoreError
from core.gallery.backup import back_up, restore
from core.gallery.encryption import change_key, encrypt
from core.gallery.identity_merge import merge_identities, undo
from core.gallery.keys import Key
from core.gallery.store import Gallery
from core.gallery.transfer import export_bytes, import_gallery
from core.privacy.erasure import erase
from core.settings import load_settings
from core.system.logs import LEVEL_VARIABLE, log_to_file
from dashboard.shell.error_display import show_surprise

NAME, OTHER = "Zoë Quennell", "Xanthippe Vole"


def test_the_main_paths_log_nothing_about_a_person(
    make_pipeline, portrait, caplog, capsys, monkeypatch, tmp_path: Path
):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="core")
    monkeypatch.setenv(LEVEL_VARIABLE, "debug")
    log_path = load_settings().data_dir / "logs" / "dashboard.log"
    log_to_file(log_path)
    key = [Key(b"k" * 32)]
    pipeline = make_pipeline()
    pipeline.gallery.store.close()
    store = Gallery.open(tmp_path / "gallery.db", keys=lambda: key[0])
    object.__setattr__(pipeline.gallery, "store", store)
    with store:
        draft = prepare_enrolment(pipeline, [portrait], [f"{NAME}.jpg"], person=NAME)
        enrol(pipeline, NAME, draft)
        vector = store.templates(NAME)[0].vector
        with pytest.raises(CoreError):
            enrol(pipeline, NAME, draft)
        pipeline.run(portrait)
        store.rename(NAME, OTHER)
        content, _ = export_bytes(store)
        import_gallery(store, content, on_conflict="rename")
        undo(store, merge_identities(store, f"{OTHER} (2)", OTHER))
        restore(store, back_up(store).path)
        change_key(store, Key(b"o" * 32))
        key[0] = Key(b"o" * 32)
        with pytest.raises(CoreError):
            encrypt(store, key[0])
        left = erase(load_settings(), store, OTHER).traces
        trail = " ".join(f"{entry.actor} {entry.event}" for entry in store.audit())
    out, err = capsys.readouterr()
    said = "\n".join([out, err, trail, caplog.text, log_path.read_text()])
    assert "Quennell" not in said and "Vole" not in said
    assert f"{vector[0]:.4f}" not in said and Key(b"k" * 32).text not in said
    assert "gallery created" in log_path.read_text() and not left, "the log leaves no trace of an erased person"
    assert store.path.with_name("backups").is_dir() and "enrolled" in trail


def test_a_fault_is_logged_by_kind_and_place_only(caplog):
    try:
        raise ValueError(f"{NAME} {np.ones(3)}")
    except ValueError as error:
        show_surprise(error)
    [record] = [each for each in caplog.records if each.name == "dashboard.shell.error_display"]
    assert "ValueError" in record.getMessage() and record.exc_info is None
    assert "ValueError" in caplog.text and "test_silence.py" in caplog.text
    assert "Quennell" not in caplog.text and "1." not in caplog.text


def test_onnx_runtime_reports_nothing_and_gives_the_machine_no_number(tmp_path: Path):
    """Its reports wait in a database below the home folder, beside the number: neither is made."""
    program = (
        "import skimage.data; from core.models.landmark_networks import detector_in_use; "
        "from core.settings import load_settings; "
        "print(len(detector_in_use(load_settings()).detect(skimage.data.astronaut())), end='')"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("EDGEFACE_MODELS_DIR", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1" and list(tmp_path.iterdir()) == []
