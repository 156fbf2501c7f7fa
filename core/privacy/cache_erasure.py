"""Erase a person from caches: embeddings and figures of pictures, maps, and other files with their name or a vector.

Everything in the cache folder can be made again.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.gallery.review import SAME_PHOTOGRAPH
from core.privacy.residue_scan import Trace
from core.system.sqlite_files import connect, erase_rows, remove_database, side_files

Vectors = Sequence[NDArray[np.float32]]

_QUERIES = {
    "embeddings": "SELECT sha256, vector, NULL FROM face",
    "inspections": "SELECT sha256, bicubic_vector, dsr_vector FROM face",
}
"""Folders of SQLite files with a row a picture, and what reads its hash and its vectors."""


def erase_pictures(cache: Path, vectors: Vectors, image_sha256s: Collection[str]) -> dict[str, int]:
    """Remove the rows of a person's photographs, at every size and for all weights; return the number per folder of
    _QUERIES.

    A photograph is theirs when its hash is known, or one of its vectors is one of `vectors` (N, dim): it may exist
    under another name, cropped again. Its rows in other files are found by its hash. An unreadable file is removed:
    it is a cache.
    """
    files = {folder: sorted((cache / folder).glob("*.db")) for folder in _QUERIES}
    theirs = {bytes.fromhex(one) for one in image_sha256s if _is_hash(one)}
    for folder, paths in files.items():
        for path in paths:
            theirs |= _recognised(path, _QUERIES[folder], vectors)
    return {folder: sum(_let_go(path, theirs) for path in paths) for folder, paths in files.items()}


def erase_maps(cache: Path) -> int:
    """Remove every kept map of embeddings: a map doesn't say whose points it holds. How many there were."""
    maps = list((cache / "maps").glob("*.npz"))
    for path in maps:
        path.unlink(missing_ok=True)
    return len(maps)


def erase_traced_files(cache: Path, traces: Iterable[Trace]) -> tuple[int, list[Trace]]:
    """Remove the files of the cache folder among `traces`; how many, and the traces that are left."""
    gone: set[Path] = set()
    left: list[Trace] = []
    removed = 0
    for trace in traces:
        if trace.path in gone:
            continue
        if cache in trace.path.parents and trace.path.is_file():
            base = trace.path.with_name(re.sub(r"-(wal|shm|journal)$", "", trace.path.name))
            remove_database(base)  # a log goes with its database: it would be applied to a new one
            gone |= {base, *side_files(base)}
            removed += 1
        else:
            left.append(trace)
    return removed, left


def _recognised(path: Path, query: str, vectors: Vectors) -> set[bytes]:
    try:
        with closing(connect(path, wait_s=60)) as connection:
            rows = connection.execute(query)
            return {
                row[0] for row in rows if any(_is_of(np.frombuffer(part, "<f4"), vectors) for part in row[1:] if part)
            }
    except (sqlite3.DatabaseError, ValueError, TypeError):  # damaged, or busy
        remove_database(path)
        return set()


def _let_go(path: Path, hashes: Collection[bytes]) -> int:
    if not hashes or not path.exists():
        return 0
    try:
        with closing(connect(path, wait_s=60)) as connection:
            return erase_rows(connection, "DELETE FROM face WHERE sha256 = ?", hashes)
    except sqlite3.DatabaseError:
        remove_database(path)
        return 0


def _is_of(vector: NDArray[np.float32], known: Vectors) -> bool:
    norm = float(np.linalg.norm(vector))
    return any(
        rows.shape[1] == len(vector) and norm > 0 and float((rows @ vector).max()) / norm >= SAME_PHOTOGRAPH
        for rows in known
    )


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
