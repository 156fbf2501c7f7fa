"""Properties of image files: size, SHA-256 and perceptual hash, read once and in parallel."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from core.dataset.layout import HR
from core.dataset.phash import phash
from core.errors import CoreError
from core.images import MAX_FILE_BYTES, RGB, read_image, sha256_of
from core.jobs.context import NO_HOOKS, Hooks
from core.system.shards import read_bytes

_CHUNK = 512
_BATCH = 64
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
_PLAIN_RGB = b"\x08\x02\x00\x00\x00"
"""8 bits, RGB, the one compression and filter that there are, not interlaced."""
_PLAIN_CHUNKS = frozenset((b"IHDR", b"IDAT", b"IEND", b"pHYs", b"tIME", b"sRGB", b"gAMA", b"cHRM"))
_FAST_SIDE_PX = 1024


@dataclass(frozen=True)
class Measured:
    """One file: `problem` says why it can't be used ("" when it can)."""

    width: int = 0
    height: int = 0
    sha256: str = ""
    phash: str = ""
    problem: str = ""


def measure_file(path: str | Path, *, hashed: bool = True) -> Measured:
    """Read one image file. Never raises for what a file can hold: that becomes `problem`.

    Without `hashed` there is no perceptual hash, and a plain PNG whose check sums are right isn't decoded.
    """
    try:
        content = read_bytes(path, MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            return Measured(problem=f"{Path(path).name} is larger than 64 MB.")
        size = None if hashed else _plain_png_size(content)
        if size is not None:
            return Measured(*size, sha256_of(content))
        rgb = decode(content, Path(path).name)
    except CoreError as error:
        return Measured(problem=error.what)
    except (FileNotFoundError, NotADirectoryError):
        return Measured(problem=f"{Path(path).name} isn't there.")
    except OSError as error:
        return Measured(problem=f"{Path(path).name} can't be read: {error.strerror or error}.")
    return Measured(rgb.shape[1], rgb.shape[0], sha256_of(content), phash(rgb) if hashed else "")


def decode(content: bytes, name: str) -> RGB:
    """Decode a picture as RGB like read_image; small plain PNG by a faster decoder with the same result."""
    if _plain_png_size(content) is not None:
        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if bgr is not None:
            return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return read_image(content, name=name)


def measure(
    root: Path,
    frame: pd.DataFrame,
    *,
    hooks: Hooks = NO_HOOKS,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table with size_px (the shorter side), sha256 and, for HR images, phash filled in where they are missing, and
    a table (path, problem, width, height) of unreadable and of not square images, in the rows' order.

    VLR images are compared by their HR images: they get no phash, and PNG aren't decoded.
    Raises JobStopped.
    """
    is_hr = frame["kind"] == HR
    wanted = frame[(frame["sha256"] == "") | (is_hr & (frame["phash"] == "")) | (frame["size_px"] == 0)]
    files = [(str(root / path), kind == HR) for path, kind in zip(wanted["path"], wanted["kind"], strict=True)]
    found = list(_measured(files, hooks))
    filled = frame.copy()
    filled.loc[wanted.index, "size_px"] = np.array([min(m.width, m.height) for m in found], dtype="int64")
    filled.loc[wanted.index, "sha256"] = [m.sha256 for m in found]
    filled.loc[wanted.index, "phash"] = [m.phash for m in found]
    amiss = [
        (path, m.problem or f"{m.width} x {m.height} px isn't square", m.width, m.height)
        for path, m in zip(wanted["path"], found, strict=True)
        if m.problem or m.width != m.height
    ]
    return filled, pd.DataFrame(amiss, columns=["path", "problem", "width", "height"])


def _measure_files(files: Sequence[tuple[str, bool]]) -> list[Measured]:
    return [measure_file(path, hashed=hashed) for path, hashed in files]


def _measured(files: Sequence[tuple[str, bool]], hooks: Hooks) -> Iterator[Measured]:
    """Measure each file, in order; True with its path: including its perceptual hash."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(files), _CHUNK):
            hooks.check_stop()
            part = files[start : start + _CHUNK]
            for measured in pool.map(_measure_files, [part[i : i + _BATCH] for i in range(0, len(part), _BATCH)]):
                yield from measured
            hooks.progress("read", min(start + _CHUNK, len(files)), len(files))


def _plain_png_size(content: bytes) -> tuple[int, int] | None:
    """(width, height) of 8-bit RGB of at most 1024 px, whole, and with no chunk that two decoders could see unlike: no
    transparency, and neither EXIF nor text, which may hold an orientation. None for anything else."""
    if content[:16] != _PNG_START or content[24:29] != _PLAIN_RGB:
        return None
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if not (0 < width <= _FAST_SIDE_PX and 0 < height <= _FAST_SIDE_PX):
        return None
    view, at, kind = memoryview(content), 8, b""
    while kind != b"IEND":
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        kind, said = bytes(view[at + 4 : at + 8]), int.from_bytes(view[end - 4 : end], "big")
        if kind not in _PLAIN_CHUNKS or zlib.crc32(view[at + 4 : end - 4]) != said:
            return None  # cut off, too: then the sum isn't there or isn't right
        at = end
    return width, height
