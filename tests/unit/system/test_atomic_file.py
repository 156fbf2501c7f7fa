"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import os

import pytest

from core.errors import StorageFailed
from core.system.atomic_file import write_atomically


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
