"""Shards as other programs write them, for tests."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write_shard(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """A tar file with these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def pack_folder(folder: Path, into: Path, each: int = 6) -> Path:
    """The files under `folder` in shards of `each`, with their paths as names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for number in range(0, len(files), each):
        part = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files[number : number + each]}
        write_shard(into / f"{number // each:03}.tar", part)
    return into
