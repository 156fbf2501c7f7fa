"""Cache of frozen networks' outputs: arrays on disk, named by the hash of everything they depend on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from core.dataset.journal import storage
from core.system.atomic_file import replacement

FOLDER = "frozen"
MOST_BYTES = 6_000_000_000
"""Size above which the next start removes caches, least recently used first."""


def cached(
    cache: Path,
    parts: Sequence[object],
    shape: tuple[int, ...],
    dtype: Any,
    fill: Callable[[NDArray[Any]], None],
) -> NDArray[Any]:
    """Return the array named by `parts`, memory-mapped read-only; `fill(array)` computes it where it is missing.

    It is written atomically; several processes may call this at once. Raises StorageFailed.
    """
    path = _path(cache, parts, shape, dtype)
    if not path.exists():
        with storage(path.parent), replacement(path, suffix=".npy") as hidden:
            array = np.lib.format.open_memmap(hidden, mode="w+", dtype=dtype, shape=shape)
            fill(array)
            array.flush()
            del array
    path.touch()
    result: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return result


def fits(cache: Path, shape: tuple[int, ...], dtype: Any) -> bool:
    """Whether an array of that size fits: within MOST_BYTES and half of the free disk."""
    wanted = int(np.prod(shape)) * np.dtype(dtype).itemsize
    place = cache if cache.exists() else cache.parent
    result: bool = wanted <= min(MOST_BYTES, shutil.disk_usage(place if place.exists() else Path.cwd()).free // 2)
    return result


def trim(cache: Path, most_bytes: int = MOST_BYTES) -> None:
    """Remove the least recently used caches until the rest has at most `most_bytes`."""
    kept = 0
    files = sorted((cache / FOLDER).glob("*.npy"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files:
        kept += path.stat().st_size
        if kept > most_bytes:
            path.unlink(missing_ok=True)


def network_hash(network: nn.Module | None) -> str:
    """SHA-256 over names, types, shapes and bytes of a network's state; "none" without a network."""
    if network is None:
        return "none"
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name}{plain.dtype}{tuple(plain.shape)}".encode())
        digest.update(plain.numpy().tobytes())
    return digest.hexdigest()


def chunks(count: int, size: int) -> Iterator[slice]:
    """0 to `count` in slices of `size`."""
    for start in range(0, count, size):
        yield slice(start, min(count, start + size))


def _path(cache: Path, parts: Sequence[object], shape: tuple[int, ...], dtype: Any) -> Path:
    text = "\x1f".join(str(part) for part in (*parts, shape, np.dtype(dtype).str))
    return cache / FOLDER / f"{parts[0]}-{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"
