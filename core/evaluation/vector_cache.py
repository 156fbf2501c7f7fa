"""On-disk cache of embeddings and figures by picture, so that the same weights embed the same picture once.

A cache is a folder with one SQLite file for each configuration (weights, upscaler, precision, flip, mode, size,
degradation). The file's name is a hash of that configuration; its rows are keyed by the picture's SHA-256. A damaged
file is deleted and rebuilt. Vectors are stored as little-endian float32; `core.privacy.cache_erasure` reads them by
the columns named here.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import StorageFailed
from core.settings import Settings
from core.system.sqlite_files import cache_file, is_damage, remove_database

BY_ENCODER = ("norm", "mirror_agreement")
"""Measures that encoding a face gives: the norm of the raw embedding, and the cosine of the embeddings of a face and
its mirror image."""

QUALITY = (
    "probe_px",
    "sharpness",
    "brightness",
    "contrast",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "detection_score",
    "recognisability",
    *BY_ENCODER,
)
"""Quality measures stored beside each embedding, in this order; NaN where there is none."""

_ABOUT_TABLE = "about(id INTEGER PRIMARY KEY, value TEXT NOT NULL)"
_BATCH = 500

Row = TypeVar("Row")
Values = tuple[Any, ...]


@dataclass(frozen=True)
class RowFormat(Generic[Row]):
    """How one kind of row is stored.

    `columns` maps SQL columns to their types; `encode` returns their values for a row, `decode` a row of their values
    (ValueError where they have another format). `version` goes up when the same picture and configuration would give
    other values.
    """

    columns: Mapping[str, str]
    encode: Callable[[Row], Values]
    decode: Callable[[Values], Row]
    version: int = 1

    @property
    def table(self) -> str:
        """The SQL definition of the table."""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return f"face(sha256 BLOB PRIMARY KEY, {columns})"


class VectorCache(Generic[Row]):
    """A cache folder for one row format. Safe to share between threads and processes."""

    def __init__(self, folder: Path, row_format: RowFormat[Row]) -> None:
        self.folder = folder
        self._format = row_format
        self._tables = (_ABOUT_TABLE, row_format.table)

    def path(self, key: Mapping[str, Any]) -> Path:
        """The file of a configuration."""
        text = json.dumps({"format": self._format.version, **key}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.db"

    def read(self, key: Mapping[str, Any], hashes: Sequence[str]) -> dict[str, Row]:
        """Return the cached rows of pictures by SHA-256; pictures without a row are absent."""
        path = self.path(key)
        if not path.is_file() or not hashes:
            return {}
        wanted = {bytes.fromhex(one) for one in hashes}
        query = f"SELECT sha256, {', '.join(self._format.columns)} FROM face"  # nosec B608  # names from the source
        try:
            with cache_file(path, self._tables) as connection:
                count = int(connection.execute("SELECT count(*) FROM face").fetchone()[0])
                rows: list[Values] = []
                if count <= 4 * len(wanted):
                    rows = connection.execute(query).fetchall()
                else:
                    ordered = sorted(wanted)
                    for start in range(0, len(ordered), _BATCH):
                        part = ordered[start : start + _BATCH]
                        rows += connection.execute(f"{query} WHERE sha256 IN ({','.join('?' * len(part))})", part)
                return {row[0].hex(): self._format.decode(row[1:]) for row in rows if row[0] in wanted}
        except (sqlite3.Error, OSError, ValueError) as error:
            if is_damage(error):
                remove_database(path)
            return {}

    def write(self, key: Mapping[str, Any], rows: Mapping[str, Row], about: Mapping[str, Any] | None = None) -> None:
        """Store rows by SHA-256, all or none, with facts of the encoder for `about`. Raises StorageFailed."""
        values = [(bytes.fromhex(sha256), *self._format.encode(row)) for sha256, row in rows.items()]
        marks = ", ".join("?" * (1 + len(self._format.columns)))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with cache_file(self.path(key), self._tables, writing=True) as connection:
                if about is not None:
                    connection.execute("INSERT OR REPLACE INTO about VALUES (1, ?)", (json.dumps({**key, **about}),))
                connection.executemany(f"INSERT OR REPLACE INTO face VALUES ({marks})", values)  # nosec B608
        except (OSError, sqlite3.Error) as error:
            raise StorageFailed(
                f"The cache in {self.folder} can't be written: {error}.", "Free space, or remove that folder."
            ) from error

    def about(self, key: Mapping[str, Any]) -> dict[str, Any]:
        """Return the facts that were stored with a configuration's rows; {} where there are none."""
        path = self.path(key)
        if not path.is_file():
            return {}
        try:
            with cache_file(path, self._tables) as connection:
                row = connection.execute("SELECT value FROM about").fetchone()
                return dict(json.loads(row[0])) if row else {}
        except (sqlite3.Error, OSError, ValueError):
            return {}


@dataclass(frozen=True)
class EmbeddingRow:
    """The embedding of one picture in one view: `vector` (D,) float32, None where no usable face was found, and
    `quality` float32 in the order of QUALITY."""

    found: bool
    acquired: bool
    vector: NDArray[np.float32] | None
    quality: NDArray[np.float32]


def _encode(row: EmbeddingRow) -> Values:
    vector = None if row.vector is None else row.vector.astype("<f4").tobytes()
    return int(row.found), int(row.acquired), row.quality.astype("<f4").tobytes(), vector


def _decode(values: Values) -> EmbeddingRow:
    found, acquired, quality, vector = values
    measures = np.frombuffer(quality, "<f4")
    if len(measures) != len(QUALITY):
        raise ValueError("another format")
    return EmbeddingRow(bool(found), bool(acquired), None if vector is None else np.frombuffer(vector, "<f4"), measures)


EmbeddingCache = VectorCache[EmbeddingRow]

_EMBEDDINGS = RowFormat(
    {"found": "INTEGER NOT NULL", "acquired": "INTEGER NOT NULL", "quality": "BLOB NOT NULL", "vector": "BLOB"},
    _encode,
    _decode,
    version=3,
)


def embedding_cache(folder: Path) -> EmbeddingCache:
    """Return the cache of embeddings in `folder`."""
    return VectorCache(folder, _EMBEDDINGS)


def default_embedding_cache(settings: Settings) -> EmbeddingCache:
    """Return the cache of embeddings of this installation."""
    return embedding_cache(settings.data_dir / "cache" / "embeddings")
