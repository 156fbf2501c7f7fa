"""Unpacks the data folder that an earlier version wrote (tests/fixtures/README.md)."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parent / "fixtures"
ARCHIVE = FIXTURES / "older_files.tar.xz"
MADE_AT = "/srv/edgeface"
"""The folder that the files were made in: run configurations hold absolute paths."""


def unpack(folder: Path) -> Path:
    """Extract the archive into `folder`, with its times and modes, and point its runs at the new place."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    root = folder / "older"
    for path in (root, *root.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    for config in root.glob("data/runs/*/*/config.json"):
        config.write_text(config.read_text(encoding="utf-8").replace(MADE_AT, root.as_posix()), encoding="utf-8")
    # The kept check of a data set goes by its folder's path: the first half of the file's name is a hash of it.
    [kept] = (root / "data" / "cache" / "verdicts").iterdir()
    place = hashlib.sha256(str((root / "data" / "datasets" / "demo").resolve()).encode()).hexdigest()[:16]
    kept.rename(kept.with_name(f"{place}-{kept.name.partition('-')[2]}"))
    # Opening a gallery may purge what has outlived its retention time: one copy stays as it was written.
    shutil.copy2(root / "data" / "gallery.db", root / "untouched.db")
    return root


def expected() -> dict[str, Any]:
    """What the version that wrote the files read in them."""
    found: dict[str, Any] = json.loads((FIXTURES / "older_files.json").read_text(encoding="utf-8"))
    return found
