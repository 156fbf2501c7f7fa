"""Duplicate pictures: the same bytes, or the same picture encoded again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.dataset.file_stats import decode
from core.dataset.phash import as_bits, differing
from core.errors import CoreError
from core.images import resize
from core.jobs.context import NO_HOOKS, Hooks
from core.system.shards import read_bytes

NEAR_BITS = 6
"""Hashes that differ in at most this many of 64 bits may be the same picture; aligned faces of two people can be as
close."""

SAME_PSNR_DB = 26.0
"""Least PSNR of the same picture, both at 64 px: JPEG at quality 30 keeps more, another photograph of the same person
less."""

_COMPARED_PX = 64
_ROWS = 512


def near_pairs(root: Path, frame: pd.DataFrame, *, hooks: Hooks = NO_HOOKS) -> pd.DataFrame:
    """Pairs of rows of `frame` (paths under `root`) that show the same picture: columns a, b (index labels), exact
    (bool).

    Rows without sha256 or phash are left out. All pairs are compared by hash, close ones by their pixels.
    Raises JobStopped.
    """
    known = frame[(frame["sha256"] != "") & (frame["phash"] != "")]
    labels = known.index.to_numpy()
    shas = known["sha256"].to_numpy()
    paths = known["path"].tolist()
    found: list[tuple[int, int, bool]] = []
    for done, near in _candidates(as_bits(known["phash"].tolist())):
        hooks.check_stop()
        for i, j in near:
            exact = bool(shas[i] == shas[j])
            if exact or psnr_db(_small(str(root / paths[i])), _small(str(root / paths[j]))) >= SAME_PSNR_DB:
                found.append((labels[i], labels[j], exact))
        hooks.progress("compare", done, len(known))
    return pd.DataFrame(found, columns=["a", "b", "exact"])


def groups(labels: Sequence[int], pairs: pd.DataFrame) -> dict[int, int]:
    """For each label the first label of its connected component."""
    parent = {label: label for label in labels}

    def top(label: int) -> int:
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = parent[label]
        return label

    for a, b in zip(pairs["a"], pairs["b"], strict=True):
        first, second = top(a), top(b)
        parent[max(first, second)] = min(first, second)
    return {label: top(label) for label in labels}


def psnr_db(a: NDArray[np.float32] | None, b: NDArray[np.float32] | None) -> float:
    """10 log10(255^2 / MSE) of two pictures of the same shape; -inf when one can't be read, inf for equal ones."""
    if a is None or b is None:
        return float("-inf")
    error = float(np.mean((a - b) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255.0**2 / error))


def _candidates(bits: NDArray[np.uint64]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Index pairs (i < j) whose hashes are near, for _ROWS of i at a time, so that memory stays at _ROWS x N bytes; and
    before them how many rows are compared with these."""
    for start in range(0, len(bits), _ROWS):
        rows, columns = np.nonzero(differing(bits[start : start + _ROWS, None], bits[None, start:]) <= NEAR_BITS)
        ahead = columns > rows
        near = list(zip((rows[ahead] + start).tolist(), (columns[ahead] + start).tolist(), strict=True))
        yield min(start + _ROWS, len(bits)), near


@lru_cache(maxsize=4096)
def _small(path: str) -> NDArray[np.float32] | None:
    try:
        file = Path(path)
        return resize(decode(read_bytes(file), file.name), _COMPARED_PX).astype(np.float32)
    except (OSError, CoreError):
        return None
