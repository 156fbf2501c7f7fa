"""What only an image's file tells: its size, SHA-256 and perceptual hash, read once and in parallel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from core.dataset.errors import BuildStopped
from core.dataset.phash import phash
from core.errors import CoreError
from core.images import MAX_FILE_BYTES, RGB, read_image, sha256_of

_CHUNK = 512
_BATCH = 64
_PNG = b"\x89PNG\r\n\x1a\n"
_FAST_SIDE_PX = 1024

OnEvent = Callable[..., None]
ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class Measured:
    """One file: `problem` says why it can't be used ("" when it can)."""

    width: int = 0
    height: int = 0
    sha256: str = ""
    phash: str = ""
    problem: str = ""


def measure_file(path: Path) -> Measured:
    """Read one image file. Never raises for what a file can hold: that becomes `problem`."""
    try:
        if path.is_file() and path.stat().st_size <= MAX_FILE_BYTES:
            content = path.read_bytes()
            rgb = decode(content, path.name)
        else:
            return Measured(problem=_reason(path))
    except CoreError as error:
        return Measured(problem=error.what)
    except OSError as error:
        return Measured(problem=f"{path.name} can't be read: {error.strerror or error}.")
    return Measured(rgb.shape[1], rgb.shape[0], sha256_of(content), phash(rgb))


def decode(content: bytes, name: str) -> RGB:
    """A picture's bytes as RGB, as read_image gives it; small plain PNG by a quicker decoder with the same result."""
    if _is_small_plain_png(content):
        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if bgr is not None:
            return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return read_image(content, name=name)


def measure(
    root: Path,
    frame: pd.DataFrame,
    *,
    on_event: OnEvent | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table with size_px (the shorter side), sha256 and phash filled in where a row lacks one, and what was amiss:
    a table (path, problem, width, height) of unreadable and of not square images, in rows' order.

    Raises BuildStopped when `should_stop` says so.
    """
    wanted = frame[(frame["sha256"] == "") | (frame["phash"] == "") | (frame["size_px"] == 0)]
    found = list(_measured([root / path for path in wanted["path"]], on_event, should_stop))
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


def _measure_files(paths: Sequence[Path]) -> list[Measured]:
    return [measure_file(path) for path in paths]


def _measured(paths: Sequence[Path], on_event: OnEvent | None, should_stop: ShouldStop | None) -> Iterator[Measured]:
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), _CHUNK):
            if should_stop is not None and should_stop():
                raise BuildStopped("Stopped before it was finished.", "Start it again when you like.")
            part = paths[start : start + _CHUNK]
            for measured in pool.map(_measure_files, [part[i : i + _BATCH] for i in range(0, len(part), _BATCH)]):
                yield from measured
            if on_event is not None:
                on_event("progress", step="read", done=min(start + _CHUNK, len(paths)), total=len(paths))


def _is_small_plain_png(content: bytes) -> bool:
    """8-bit RGB without transparency or EXIF, at most 1024 px: nothing about it that two decoders could see unlike."""
    if content[:8] != _PNG or len(content) < 33 or content[12:16] != b"IHDR" or content[24:26] != b"\x08\x02":
        return False
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    plain = b"tRNS" not in content and b"eXIf" not in content and content[-8:-4] == b"IEND"
    return plain and 0 < width <= _FAST_SIDE_PX and 0 < height <= _FAST_SIDE_PX


def _reason(path: Path) -> str:
    if not path.exists():
        return f"{path.name} isn't there."
    return f"{path.name} isn't an ordinary file." if not path.is_file() else f"{path.name} is larger than 64 MB."
