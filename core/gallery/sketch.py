"""Approximate candidate search among very many templates: sign bits of their vectors, compared by faiss.

The share of signs in which two unit vectors differ estimates the angle between them (Charikar, Similarity estimation
techniques from rounding algorithms, STOC 2002). A sketch selects the rows that differ least from a probe; only those
are compared exactly. Nothing is trained and nothing is written to disk. `sketch_of` builds the sketch of a large matrix
in a background thread and keeps it for as long as the matrix exists. `core.gallery.match` is its only user.
"""

from __future__ import annotations

import os
import threading
import weakref
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np

SKETCH_FROM = 200_000
"""Number of means from which a sketch is used; below it all are compared (some 20 ms on two cores)."""

CANDIDATES = 2_048
"""Rows compared exactly for each probe."""

_ROWS_AT_ONCE = 16_384


class Sketch:
    """The sign bits of a matrix's rows, in one part per core, at most four. Thread-safe."""

    def __init__(self, matrix: np.ndarray) -> None:
        """`matrix` (M, dim) float32, dim divisible by 8. It isn't kept: searches pass it again."""
        import faiss  # heavy, and only large galleries need it

        self._parts: list[tuple[int, Any]] = []
        count = min(4, os.cpu_count() or 1)
        edges = [len(matrix) * part // count for part in range(count + 1)]
        for first, end in pairwise(edges):
            part = faiss.IndexBinaryFlat(matrix.shape[1])
            # Counting distances, of which there are few, takes four fifths of the time.
            part.use_heap = False  # type: ignore[attr-defined]
            for start in range(first, end, _ROWS_AT_ONCE):
                part.add(signs(matrix[start : min(end, start + _ROWS_AT_ONCE)]))
            self._parts.append((first, part))

    def nearest(
        self, matrix: np.ndarray, probe: np.ndarray, candidates: int = CANDIDATES
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (rows (n,) int64, cosines (n,) float32) of the rows whose signs differ least from `probe` (dim,).

        n is about `candidates`; the rows are in no order. `matrix` is the one that the sketch was made of.
        """
        asked, wanted = signs(probe[None]), -(-candidates // len(self._parts))
        found: list[tuple[np.ndarray, np.ndarray]] = [(np.zeros(0, np.int64), np.zeros(0, np.float32))] * len(
            self._parts
        )

        def look(number: int) -> None:
            first, part = self._parts[number]
            rows = part.search(asked, min(wanted, part.ntotal))[1][0] + first
            found[number] = rows, matrix[rows] @ probe

        helpers = [threading.Thread(target=look, args=(number,)) for number in range(1, len(self._parts))]
        for helper in helpers:
            helper.start()
        look(0)
        for helper in helpers:
            helper.join()
        rows, scores = zip(*found, strict=True)
        return np.concatenate(rows), np.concatenate(scores)


def signs(matrix: np.ndarray) -> np.ndarray:
    """Pack signs: float (M, dim) -> uint8 (M, dim / 8), a bit set where the number is above zero."""
    return np.packbits(matrix > 0, axis=1)


_lock = threading.Lock()
_sketches: dict[int, Sketch] = {}
"""Sketches by the id of their matrix; an entry goes with its matrix."""
_builders: list[threading.Thread] = []
"""The thread that builds a sketch, at most one."""


def sketch_of(matrix: np.ndarray) -> Sketch | None:
    """Return the sketch of this very array; None where it isn't built yet, or the matrix is too small to need one.

    The first call starts to build it in the background, one at a time.
    """
    found = _sketches.get(id(matrix))
    if found is not None or len(matrix) < SKETCH_FROM or matrix.shape[1] % 8 or find_spec("faiss") is None:
        return found
    with _lock:
        _builders[:] = [thread for thread in _builders if thread.is_alive()]
        if not _builders:
            _builders.append(threading.Thread(target=build_sketch, args=(matrix,), name="sketch", daemon=True))
            _builders[0].start()
    return None


def build_sketch(matrix: np.ndarray) -> None:
    """Build the sketch of a matrix of any length, and keep it for as long as the matrix exists."""
    key = id(matrix)
    _sketches[key] = Sketch(matrix)
    weakref.finalize(matrix, _sketches.pop, key, None).atexit = False


def wait_for_sketch() -> None:
    """Wait until the sketch that is being built is ready."""
    for thread in _builders:
        thread.join()
