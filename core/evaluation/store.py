"""Embeddings kept on disk, so that the same weights see the same picture once, whatever is measured afterwards.

One SQLite file for each way of embedding (weights, upscaler, precision, flip, mode, size, degradation): its name is the
hash of that description, so a file can't be read as another's. Rows go by the picture's SHA-256. What is damaged is
thrown away and made again: it is a cache.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import StorageFailed
from core.system.sqlite_files import cache_file, is_damage, remove_database

FORMAT = 1
"""Goes up when the same picture and settings would give other vectors."""

QUALITY = (
    "probe_px",
    "sharpness",
    "brightness",
    "contrast",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "detection_score",
    "mirror_agreement",
)
"""The measures kept beside each vector, in this order; NaN where there is none. mirror_agreement is the encoder's."""

_TABLES = (
    "about(id INTEGER PRIMARY KEY, value TEXT NOT NULL)",
    """face(sha256 BLOB PRIMARY KEY, found INTEGER NOT NULL, acquired INTEGER NOT NULL, quality BLOB NOT NULL,
        vector BLOB)""",
)
_AT_ONCE = 500


@dataclass(frozen=True)
class Kept:
    """One picture's row: `vector` (D,) float32 or None, `quality` float32 in the order of QUALITY."""

    found: bool
    acquired: bool
    vector: NDArray[np.float32] | None
    quality: NDArray[np.float32]


class EmbeddingStore:
    """A folder of such files. Safe to share between threads and processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: Mapping[str, Any]) -> Path:
        text = json.dumps({"format": FORMAT, **key}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.db"

    def read(self, key: Mapping[str, Any], hashes: Sequence[str]) -> dict[str, Kept]:
        """What is kept of the pictures named; those that are missing are absent."""
        path = self.path(key)
        if not path.is_file() or not hashes:
            return {}
        wanted = {bytes.fromhex(one) for one in hashes}
        try:
            with cache_file(path, _TABLES) as connection:
                count = int(connection.execute("SELECT count(*) FROM face").fetchone()[0])
                rows = _all(connection) if count <= 4 * len(wanted) else _some(connection, sorted(wanted))
                return {row[0].hex(): _kept(row) for row in rows if row[0] in wanted}
        except (sqlite3.Error, OSError, ValueError) as error:
            if is_damage(error):
                remove_database(path)
            return {}

    def write(self, key: Mapping[str, Any], rows: Mapping[str, Kept], about: Mapping[str, Any]) -> None:
        """Keep rows, all or none. `about` says what the encoder is, for `about`. Raises StorageFailed."""
        path = self.path(key)
        values = [
            (
                bytes.fromhex(sha256),
                int(row.found),
                int(row.acquired),
                row.quality.astype("<f4").tobytes(),
                None if row.vector is None else row.vector.astype("<f4").tobytes(),
            )
            for sha256, row in rows.items()
        ]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with cache_file(path, _TABLES, writing=True) as connection:
                connection.execute("INSERT OR REPLACE INTO about VALUES (1, ?)", (json.dumps({**key, **about}),))
                connection.executemany("INSERT OR REPLACE INTO face VALUES (?, ?, ?, ?, ?)", values)
        except (OSError, sqlite3.Error) as error:
            raise StorageFailed(
                f"Embeddings couldn't be kept in {self.folder}: {error}.", "Free space, or remove that folder."
            ) from error

    def about(self, key: Mapping[str, Any]) -> dict[str, Any]:
        """What was said of the encoder when these rows were made; {} when nothing is kept."""
        path = self.path(key)
        if not path.is_file():
            return {}
        try:
            with cache_file(path, _TABLES) as connection:
                row = connection.execute("SELECT value FROM about").fetchone()
                return dict(json.loads(row[0])) if row else {}
        except (sqlite3.Error, OSError, ValueError):
            return {}


def _all(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    yield from connection.execute("SELECT sha256, found, acquired, quality, vector FROM face")


def _some(connection: sqlite3.Connection, wanted: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        query = f"SELECT sha256, found, acquired, quality, vector FROM face WHERE sha256 IN ({marks})"  # nosec B608  # "?" alone
        yield from connection.execute(query, part)


def _kept(row: tuple[Any, ...]) -> Kept:
    vector = None if row[4] is None else np.frombuffer(row[4], "<f4")
    quality = np.frombuffer(row[3], "<f4")
    if len(quality) != len(QUALITY):
        raise ValueError("another format")
    return Kept(bool(row[1]), bool(row[2]), vector, quality)
