"""Search a folder's files, byte by byte, for a name and for pieces of biometric data: is anything left of a person?"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.sqlite_files import must_stay_open, raw_chunks

MAX_FILE_BYTES = 512_000_000
"""Larger files are weights and the like; they are passed over."""

_NOT_SEARCHED = frozenset({".safetensors", ".pt", ".pth", ".ckpt", ".onnx", ".png", ".jpg", ".jpeg", ".webp"})
"""Weights, and pictures of data sets: a name isn't written in them, and they'd take most of the time."""


@dataclass(frozen=True)
class Trace:
    """Where something was found: the file, or the folder that is called so, and what ("name" or "biometric data")."""

    path: Path
    what: str


def find_traces(
    places: Sequence[Path], names: Sequence[str], pieces: Sequence[bytes], skip: Collection[Path] = ()
) -> tuple[int, list[Trace]]:
    """(files searched, what was found) in `places`: files, and folders with all that is in them.

    A name counts where it stands as a word of its own, case aside, in UTF-8, or escaped as JSON escapes it; in a
    file's or folder's name too. A piece (a vector's bytes, a picture) counts anywhere. Files that vanish meanwhile are
    passed over.
    """
    words = [pattern for name in names for pattern in (_pattern(name), _pattern(json.dumps(name)[1:-1]))]
    overlap = max(map(len, (*(name.encode("utf-8") * 8 for name in names), *pieces)), default=0)
    found: list[Trace] = []
    searched = 0
    for path in dict.fromkeys(path for place in places for path in _files(place)):
        if path in skip:
            continue
        if any(word.search(path.name.encode("utf-8", "surrogateescape")) for word in words):
            found.append(Trace(path, "name"))
        if not path.is_file() or path.suffix.lower() in _NOT_SEARCHED or path.name.endswith("-shm"):
            continue
        try:
            if not 0 < path.stat().st_size <= MAX_FILE_BYTES:
                continue
            has_name, has_piece = False, False
            with _content(path, overlap) as parts:
                for part in parts:
                    has_name = has_name or any(word.search(part) for word in words)
                    has_piece = has_piece or any(part.find(piece) >= 0 for piece in pieces)
        except (OSError, ValueError):  # gone, or emptied, meanwhile
            continue
        searched += 1
        if has_name:
            found.append(Trace(path, "name"))
        if has_piece:
            found.append(Trace(path, "biometric data"))
    return searched, list(dict.fromkeys(found))


@contextmanager
def _content(path: Path, overlap: int) -> Iterator[Iterable[bytes | mmap.mmap]]:
    """A file's bytes: databases in overlapping pieces, so that no descriptor of theirs is closed; others as a whole."""
    if must_stay_open(path):
        yield raw_chunks(path, overlap=overlap)
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield (content,)


def _files(place: Path) -> Iterator[Path]:
    try:
        yield from sorted(place.rglob("*")) if place.is_dir() else ([place] if place.exists() else [])
    except OSError:
        return


def _pattern(name: str) -> re.Pattern[bytes]:
    letters = re.escape(name.encode("utf-8"))
    return re.compile(rb"(?<![0-9A-Za-z_\x80-\xff])" + letters + rb"(?![0-9A-Za-z_\x80-\xff])", re.IGNORECASE)
