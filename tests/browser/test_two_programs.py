"""A dashboard in a browser and commands in a terminal, on one gallery: neither loses what the other wrote."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image

from tests.browser.conftest import ROOT, Server, give_files, remove_everybody
from tests.browser.test_gallery import open_person, rename_to

pytestmark = [pytest.mark.browser, pytest.mark.shared]


def command(server: Server, *words: str) -> str:
    """What a command prints, with the dashboard's data folder; it ends well."""
    environment = {
        **os.environ,
        "EDGEFACE_DATA_DIR": str(server.data_dir),
        "EDGEFACE_MODELS_DIR": str(server.data_dir / "models"),
    }
    run = subprocess.run(
        [sys.executable, "-m", "core", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def names(server: Server) -> list[str]:
    return [person["name"] for person in json.loads(command(server, "gallery", "list", "--json"))]


def rename(page: Any, server: Server, name: str, new_name: str) -> None:
    open_person(page, server, name)
    rename_to(page, new_name)


def test_neither_loses_what_the_other_wrote(ready_server: Server, page: Any, tmp_path: Path) -> None:
    server, photograph = ready_server, tmp_path / "eileen.png"
    Image.fromarray(skimage.data.astronaut()).save(photograph)
    remove_everybody(server.data_dir)
    with closing(sqlite3.connect(server.data_dir / "gallery.db")) as connection:
        [[earlier]] = connection.execute("SELECT coalesce(max(id), 0) FROM audit")
    command(server, "enroll", "--user-id", "Eileen", "--photos", str(photograph))
    page.goto(server.url("identify"))
    give_files(page, photograph)  # the pipeline opens a second connection
    page.get_by_text("Results as CSV").wait_for()
    command(server, "gallery", "list")
    rename(page, server, "Eileen", "Eileen Collins")
    mirrored = tmp_path / "mirrored.png"
    Image.open(photograph).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored)
    command(server, "enroll", "--user-id", "From the terminal", "--photos", str(mirrored), "--force")
    assert names(server) == ["Eileen Collins", "From the terminal"]
    open_person(page, server, "From the terminal")
    rename(page, server, "Eileen Collins", "Colonel Collins")
    assert names(server) == ["Colonel Collins", "From the terminal"]
    copy = tmp_path / "copy.db"
    command(server, "gallery", "backup", str(copy))
    for file in (copy, server.data_dir / "gallery.db"):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            events = [
                row[0] for row in connection.execute("SELECT event FROM audit WHERE id > ? ORDER BY id", (earlier,))
            ]
            assert events[:4] == ["enrolled", "renamed", "enrolled", "renamed"]
