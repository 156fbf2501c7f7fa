"""Cache of decoded images: uint8 arrays on disk, one for each size, memory-mapped by all readers.

The cache of a data set is a folder named by the SHA-256 of its manifest, so that another manifest never uses these
pixels.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.dataset.errors import DatasetInvalid
from core.dataset.file_stats import decode
from core.dataset.journal import storage
from core.dataset.manifest import Dataset
from core.images import sha256_of
from core.jobs.context import NO_HOOKS, Hooks
from core.system.shards import read_bytes

_CHUNK = 256
_BATCH = 32


def open_cache(dataset: Dataset, folder: Path, *, hooks: Hooks = NO_HOOKS) -> dict[int, NDArray[np.uint8]]:
    """For each size in px the images of that size, read-only uint8 (N, s, s, 3), in the order of the manifest's rows.

    Created by the first call in `folder`/<key>, as a whole; several processes may call it at once. Raises
    DatasetInvalid for a file that differs from the manifest, StorageFailed.
    """
    place = folder / dataset.key
    if not place.is_dir():
        _make(dataset, place, hooks)
    return {size: _map(place, size, count) for size, count in _sizes(dataset).items()}


def remove_cache(dataset: Dataset, folder: Path) -> None:
    """Remove the cache of this data set, if it exists."""
    shutil.rmtree(folder / dataset.key, ignore_errors=True)


def _sizes(dataset: Dataset) -> dict[int, int]:
    counts = dataset.frame["size_px"].value_counts(sort=False)
    return {int(size): int(number) for size, number in counts.items()}  # type: ignore[call-overload]


def _map(place: Path, size: int, count: int) -> NDArray[np.uint8]:
    path = place / f"{size}.u8"
    try:
        mapped = np.memmap(path, dtype=np.uint8, mode="r", shape=(count, size, size, 3))
    except (OSError, ValueError) as error:
        raise DatasetInvalid(f"The cache {place} is damaged.", "Remove it; it is created again.") from error
    return mapped


def _make(dataset: Dataset, place: Path, hooks: Hooks) -> None:
    """Write all arrays into a hidden folder, which then becomes `place`; the second of two processes discards its
    own."""
    with storage(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=".cache-", dir=place.parent))
        try:
            done = 0
            for size in _sizes(dataset):
                part = dataset.frame[dataset.frame["size_px"] == size]
                files = list(zip(part["path"], part["sha256"], strict=True))
                with (hidden / f"{size}.u8").open("wb") as file, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                    for start in range(0, len(files), _CHUNK):
                        chunk = files[start : start + _CHUNK]
                        parts = [chunk[at : at + _BATCH] for at in range(0, len(chunk), _BATCH)]
                        for pixels in pool.map(partial(_decoded_part, dataset, size), parts):
                            file.write(pixels)
                        done += len(chunk)
                        hooks.progress("decode", done, len(dataset.frame))
            _put(hidden, place)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)


def _put(hidden: Path, place: Path) -> None:
    try:
        hidden.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _decoded_part(dataset: Dataset, size: int, files: list[tuple[str, str]]) -> bytes:
    """Pixels of several images: one task for each would cost as much as decoding a small one."""
    return b"".join(_decoded(dataset, size, file).tobytes() for file in files)


def _decoded(dataset: Dataset, size: int, file: tuple[str, str]) -> NDArray[np.uint8]:
    path, sha256 = file
    try:
        content = read_bytes(dataset.file(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DatasetInvalid(f"{path} is missing from {dataset.root}.", "Check or build the data set again.") from error
    if sha256 and sha256_of(content) != sha256:
        raise DatasetInvalid(f"{path} changed since the manifest was written.", "Check or build the data set again.")
    rgb = decode(content, path)
    if rgb.shape != (size, size, 3):
        got = f"{rgb.shape[1]} x {rgb.shape[0]} px"
        raise DatasetInvalid(f"{path} has {got}, the manifest says {size} px.", "Check or build the data set again.")
    return rgb
