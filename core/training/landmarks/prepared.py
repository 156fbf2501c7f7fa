"""Prepared sources: windows and landmarks of photographs on disk, made once and mapped into memory by trainings.

`data/cache/landmarks/<key>/` holds a file of records for each side of a window and `counts.json`. The key is a hash of
everything that the records depend on: each file's path, size and time, the detector, and how sources are made.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.dataset.journal import storage
from core.errors import CoreError, StorageFailed
from core.faces.yunet_model import MODEL_SHA256, YuNet
from core.images import read_image
from core.jobs.context import NO_HOOKS, Hooks
from core.settings import CROP_PX, Settings
from core.system.cpu import one_opencv_thread
from core.training.landmarks.photographs import Photograph
from core.training.landmarks.sources import (
    LARGEST_PHOTO_PX,
    LARGEST_SPREAD,
    LOOKS_PX,
    WIDE_PROBE_PX,
    WIDE_PX,
    Source,
    source_of,
)

FORMAT = 1
"""Increased when the same photographs give other records."""

MOST_BYTES = 8_000_000_000
"""Size above which the next preparation removes others, least recently used first."""

SIDES = (WIDE_PX, CROP_PX)
_CHUNK = 256
_DAY_S = 86_400


@dataclass(frozen=True)
class SourceSet:
    """Sources with windows of one size: `windows` uint8 (M, s, s, 3), of which those at `rows` (N,) are taken, and the
    landmarks of these (N, 5, 2) in the window's pixels. `photographs`: their positions (N,) in the prepared list."""

    windows: NDArray[np.uint8]
    rows: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    photographs: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.rows)

    def window(self, index: int) -> NDArray[np.uint8]:
        return np.asarray(self.windows[self.rows[index]])


@dataclass(frozen=True)
class Counts:
    """How many photographs gave a source, showed no usable face, or couldn't be read."""

    used: int = 0
    without_face: int = 0
    unreadable: int = 0


@dataclass(frozen=True)
class Prepared:
    """The prepared sources of a list of photographs, as a folder."""

    folder: Path
    counts: Counts

    def sets(self, positions: range) -> list[SourceSet]:
        """The sources of the photographs at `positions` of the list, by side; a side without any is left out."""
        found = []
        for side in SIDES:
            records = _read(self.folder / f"{side}.u8", side)
            places = records["photograph"]
            rows = np.flatnonzero((places >= positions.start) & (places < positions.stop))
            if len(rows):
                found.append(SourceSet(records["window"], rows, records["points"][rows], places[rows]))
        return found


def prepare(photographs: Sequence[Photograph], settings: Settings, *, hooks: Hooks = NO_HOOKS) -> Prepared:
    """Return the sources of these photographs, made where they aren't in the cache. It appears as a whole.

    Raises JobStopped, StorageFailed, DetectorMissing.
    """
    cache = settings.data_dir / "cache" / "landmarks"
    place = cache / _key(photographs)
    if not (place / "counts.json").is_file():
        with storage(cache):
            cache.mkdir(parents=True, exist_ok=True)
            hidden = Path(tempfile.mkdtemp(prefix=".making-", dir=cache))
            try:
                counts = _make(photographs, hidden, hooks)
                (hidden / "counts.json").write_text(json.dumps(asdict(counts)), encoding="ascii")
                _put(hidden, place)
            finally:
                shutil.rmtree(hidden, ignore_errors=True)
            _trim(cache, but=place)
    with storage(cache):
        os.utime(place)
    try:
        return Prepared(place, Counts(**json.loads((place / "counts.json").read_bytes())))
    except (ValueError, TypeError) as error:
        raise _damaged(place) from error


def _make(photographs: Sequence[Photograph], folder: Path, hooks: Hooks) -> Counts:
    """Write the records of all photographs. Threads, since decoding, YuNet and OpenCV work outside Python's lock."""
    yunet = YuNet()
    used = without = unreadable = 0
    files = {side: (folder / f"{side}.u8").open("wb") for side in SIDES}
    try:
        with one_opencv_thread(), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for start in range(0, len(photographs), _CHUNK):
                hooks.check_stop()
                hooks.progress("faces", start, len(photographs))
                chunk = photographs[start : start + _CHUNK]
                for place, source in enumerate(pool.map(partial(_source, yunet), chunk), start=start):
                    if isinstance(source, Source):
                        files[source.window.shape[0]].write(_record(source, place).tobytes())
                        used += 1
                    elif source == "unreadable":
                        unreadable += 1
                    else:
                        without += 1
        hooks.progress("faces", len(photographs), len(photographs))
    finally:
        for file in files.values():
            file.close()
    return Counts(used, without, unreadable)


def _source(yunet: YuNet, photograph: Photograph) -> Source | str:
    """The photograph's source, or why it has none: "unreadable", "no face"."""
    try:
        rgb = read_image(photograph.path)
    except (CoreError, OSError):
        return "unreadable"
    return source_of(yunet, rgb) or "no face"


def _dtype(side: int) -> np.dtype[Any]:
    return np.dtype([("window", np.uint8, (side, side, 3)), ("points", np.float32, (5, 2)), ("photograph", np.int32)])


def _record(source: Source, place: int) -> NDArray[Any]:
    return np.array((source.window, source.landmarks, place), dtype=_dtype(source.window.shape[0]))


def _read(path: Path, side: int) -> NDArray[Any]:
    dtype = _dtype(side)
    try:
        count, rest = divmod(path.stat().st_size, dtype.itemsize)
        if rest:
            raise _damaged(path.parent)
        return np.memmap(path, dtype=dtype, mode="r", shape=(count,)) if count else np.zeros(0, dtype=dtype)
    except (OSError, ValueError) as error:
        raise _damaged(path.parent) from error


def _damaged(place: Path) -> StorageFailed:
    return StorageFailed(f"The cache {place} is damaged.", "Remove it; it is made again.")


def _key(photographs: Sequence[Photograph]) -> str:
    made = (FORMAT, MODEL_SHA256, cv2.__version__, WIDE_PX, WIDE_PROBE_PX, LOOKS_PX, LARGEST_SPREAD, LARGEST_PHOTO_PX)
    digest = hashlib.sha256(repr(made).encode("ascii"))
    for photograph in photographs:
        try:
            facts = photograph.path.stat()
            text = f"\x1f{photograph.path}\x1f{facts.st_size}\x1f{facts.st_mtime_ns}"
        except OSError:
            text = f"\x1f{photograph.path}\x1fgone"
        digest.update(text.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _put(hidden: Path, place: Path) -> None:
    """Move into place, unless another process was faster."""
    try:
        hidden.rename(place)
    except OSError:
        if not (place / "counts.json").is_file():
            raise


def _trim(cache: Path, *, but: Path) -> None:
    """Remove the least recently used folders until all have at most MOST_BYTES together, and what kills left."""
    for left in cache.glob(".making-*"):
        if time.time() - left.stat().st_mtime > _DAY_S:
            shutil.rmtree(left, ignore_errors=True)
    kept = 0
    for folder in _newest_first(cache):
        kept += sum(file.stat().st_size for file in folder.iterdir())
        if kept > MOST_BYTES and folder != but:
            shutil.rmtree(folder, ignore_errors=True)


def _newest_first(cache: Path) -> Iterator[Path]:
    folders = [path for path in cache.iterdir() if path.is_dir() and not path.name.startswith(".")]
    yield from sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)
