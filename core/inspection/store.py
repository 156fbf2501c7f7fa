"""Figures of many faces kept on disk: a face is enlarged, measured and embedded once by the same weights.

One SQLite file for each way of looking (weights, upscaler, precision, flip, size, degradation), named by the hash of
that description; rows by the picture's SHA-256. It is a cache: what is damaged is thrown away and made again.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import StorageFailed
from core.system.sqlite_files import cache_file, is_damage, remove_database

FORMAT = 1
"""Goes up when the same picture and settings would give other figures."""

_TABLES = (
    "face(sha256 BLOB PRIMARY KEY, bicubic BLOB NOT NULL, bicubic_vector BLOB NOT NULL, dsr BLOB, dsr_vector BLOB)",
)
_AT_ONCE = 500
_MEASURES = 3  # psnr_db, ssim, similarity


@dataclass(frozen=True, eq=False)
class Looked:
    """One picture enlarged both ways: PSNR, SSIM and similarity (3,) float64, and the embedding (512,) of each.

    `dsr` and `dsr_vector` are None where no network is in use.
    """

    bicubic: NDArray[np.float64]
    bicubic_vector: NDArray[np.float32]
    dsr: NDArray[np.float64] | None = None
    dsr_vector: NDArray[np.float32] | None = None


class InspectionStore:
    """A folder of such files. Safe to share between threads and processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: Mapping[str, Any]) -> Path:
        text = json.dumps({"format": FORMAT, **key}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.db"

    def read(self, key: Mapping[str, Any], hashes: Sequence[str]) -> dict[str, Looked]:
        """What is kept of the pictures named; those that are missing are absent."""
        path = self.path(key)
        if not path.is_file():
            return {}
        found: dict[str, Looked] = {}
        try:
            with cache_file(path, _TABLES) as connection:
                for start in range(0, len(hashes), _AT_ONCE):
                    part = [bytes.fromhex(one) for one in hashes[start : start + _AT_ONCE]]
                    marks = ",".join("?" * len(part))
                    query = f"SELECT * FROM face WHERE sha256 IN ({marks})"  # nosec B608  # marks are "?" alone
                    rows = connection.execute(query, part)
                    found.update((row[0].hex(), _looked(row)) for row in rows)
        except (sqlite3.Error, OSError, ValueError) as error:
            if is_damage(error):
                remove_database(path)
            return {}
        return found

    def write(self, key: Mapping[str, Any], rows: Mapping[str, Looked]) -> None:
        """Keep rows, all or none. Raises StorageFailed."""
        values = [
            (
                bytes.fromhex(sha256),
                row.bicubic.astype("<f8").tobytes(),
                row.bicubic_vector.astype("<f4").tobytes(),
                None if row.dsr is None else row.dsr.astype("<f8").tobytes(),
                None if row.dsr_vector is None else row.dsr_vector.astype("<f4").tobytes(),
            )
            for sha256, row in rows.items()
        ]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with cache_file(self.path(key), _TABLES, writing=True) as connection:
                connection.executemany("INSERT OR REPLACE INTO face VALUES (?, ?, ?, ?, ?)", values)
        except (OSError, sqlite3.Error) as error:
            raise StorageFailed(
                f"Figures couldn't be kept in {self.folder}: {error}.", "Free space, or remove that folder."
            ) from error


def _looked(row: tuple[Any, ...]) -> Looked:
    measures = [None if one is None else np.frombuffer(one, "<f8") for one in (row[1], row[3])]
    vectors = [None if one is None else np.frombuffer(one, "<f4") for one in (row[2], row[4])]
    if any(one is not None and len(one) != _MEASURES for one in measures) or measures[0] is None or vectors[0] is None:
        raise ValueError("another format")
    return Looked(measures[0], vectors[0], measures[1], vectors[1])
