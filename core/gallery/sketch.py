"""Candidates among very many templates: the signs of their numbers, 64 bytes each for 2,048, gone through by faiss.

The share of signs in which two unit vectors differ estimates the angle between them (Charikar, Similarity estimation
techniques from rounding algorithms, STOC 2002). The rows that differ least from a probe are gathered so, and only those
are compared exactly. Nothing is trained and nothing is written to the disk: packing the signs of a million rows takes
a fraction of what reading them from the gallery does.
"""

from __future__ import annotations

import os
import threading
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np

SKETCH_FROM = 200_000
"""Means from which on candidates are looked for; below, all of them are compared (some 20 ms on two cores)."""

CANDIDATES = 2_048
"""Rows that are compared exactly for each probe."""

_ROWS_AT_ONCE = 16_384


class Sketch:
    """The signs of a matrix's rows, in as many parts as there are cores, up to four. Any thread may ask."""

    def __init__(self, matrix: np.ndarray) -> None:
        """`matrix` (M, dim) float32, dim divisible by 8; it is kept, not copied."""
        import faiss  # heavy, and only large galleries need it

        self._matrix = matrix
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

    def nearest(self, probe: np.ndarray, candidates: int = CANDIDATES) -> tuple[np.ndarray, np.ndarray]:
        """(rows (n,) int64, their cosines (n,) float32) of about so many rows that differ least from the unit vector
        `probe` (dim,) in sign, in no order."""
        asked, wanted = signs(probe[None]), -(-candidates // len(self._parts))
        found: list[tuple[np.ndarray, np.ndarray]] = [(np.zeros(0, np.int64), np.zeros(0, np.float32))] * len(
            self._parts
        )

        def look(number: int) -> None:
            first, part = self._parts[number]
            rows = part.search(asked, min(wanted, part.ntotal))[1][0] + first
            found[number] = rows, self._matrix[rows] @ probe

        helpers = [threading.Thread(target=look, args=(number,)) for number in range(1, len(self._parts))]
        for helper in helpers:
            helper.start()
        look(0)
        for helper in helpers:
            helper.join()
        rows, scores = zip(*found, strict=True)
        return np.concatenate(rows), np.concatenate(scores)


def signs(matrix: np.ndarray) -> np.ndarray:
    """Float (M, dim) -> uint8 (M, dim / 8): a bit for each number, set where it is above zero."""
    return np.packbits(matrix > 0, axis=1)


class SketchMaker:
    """Makes the sketch of a large matrix in the background; until it is there, search goes through all rows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[np.ndarray, Sketch] | None = None
        self._busy: threading.Thread | None = None
        self._cleared = 0

    def of(self, matrix: np.ndarray) -> Sketch | None:
        """The sketch of this very matrix, if it was made; else it is begun, and None comes back."""
        if len(matrix) < SKETCH_FROM or matrix.shape[1] % 8 or find_spec("faiss") is None:
            return None
        with self._lock:
            if self._made is not None and self._made[0] is matrix:
                return self._made[1]
            if self._busy is None or not self._busy.is_alive():
                self._busy = threading.Thread(
                    target=self._make, args=(matrix, self._cleared), name="sketch", daemon=True
                )
                self._busy.start()
        return None

    def wait(self) -> None:
        """Until what was begun is made."""
        if self._busy is not None:
            self._busy.join()

    def clear(self) -> None:
        """Forget what was made, and what is being made."""
        with self._lock:
            self._made = None
            self._cleared += 1

    def _make(self, matrix: np.ndarray, cleared: int) -> None:
        sketch = Sketch(matrix)
        with self._lock:
            if cleared == self._cleared:  # else somebody was erased meanwhile
                self._made = (matrix, sketch)
