"""Exact search: who in the gallery is most like each probe. Means in memory, one matrix product, no
approximation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from core.errors import SettingsInvalid
from core.gallery.checks import unit_rows
from core.gallery.rows import IN_SPACE, space_parameters, stored_vector
from core.gallery.sealing import seal_of
from core.gallery.values import Candidate, Kind, Space

_BLOCK_BYTES = 64_000_000
"""How large the matrix of scores may grow before the probes are taken in several blocks."""

_IDS_AT_ONCE = 500


@dataclass(frozen=True, eq=False)
class Means:
    """An identity's means in one space: `vectors` (m, dim) float32 unit rows, `groups` (kind, size_px) of
    each.
    """

    name: str
    revision: int
    vectors: np.ndarray
    groups: tuple[tuple[Kind, int | None], ...]


@dataclass(frozen=True, eq=False)
class Index:
    """A gallery in one space, as it was at one moment. `matrix` (M, dim) holds every mean; `starts` (I,) says
    where each identity's rows begin; `identities` maps the number of every identity, also of those without a
    mean here."""

    space: Space
    identities: Mapping[int, Means]
    ids: np.ndarray
    starts: np.ndarray
    matrix: np.ndarray

    @property
    def size(self) -> int:
        """How many identities can be found."""
        return len(self.ids)

    @property
    def names(self) -> list[str]:
        """Their names, in the order of `ids`."""
        return [self.identities[int(identity_id)].name for identity_id in self.ids]

    def search(self, probes: np.ndarray, k: int = 5) -> list[list[Candidate]]:
        """The k best candidates for each probe, best first; fewer when the gallery is smaller, equal scores
        by number.

        probes: (N, dim) float32 unit rows, or (dim,). An identity's score is its highest cosine over its
        means. Raises SpaceMismatch or TemplateInvalid (probes), SettingsInvalid (k below 1).
        """
        if k < 1:
            raise SettingsInvalid(f"k must be 1 or more, got {k}.", "Ask for at least one candidate.")
        rows = unit_rows(probes, self.space.dim)
        if not self.size:
            return [[] for _ in rows]
        block = max(1, _BLOCK_BYTES // (4 * len(self.matrix)))
        found: list[list[Candidate]] = []
        for first in range(0, len(rows), block):
            found += self._search_block(rows[first : first + block], k)
        return found

    def scores(self, probes: np.ndarray) -> np.ndarray:
        """Every identity's score, (N, I) float32 in [-1, 1], columns in the order of `ids`."""
        return self._reduce(self._products(unit_rows(probes, self.space.dim)))

    def _products(self, rows: np.ndarray) -> np.ndarray:
        return np.clip(rows @ self.matrix.T, -1.0, 1.0)  # (N, dim) x (dim, M) -> (N, M)

    def _reduce(self, products: np.ndarray) -> np.ndarray:
        if not self.size:
            return np.zeros((len(products), 0), np.float32)
        return np.maximum.reduceat(products, self.starts, axis=1)  # (N, M) -> (N, I)

    def _search_block(self, rows: np.ndarray, k: int) -> list[list[Candidate]]:
        products = self._products(rows)
        scores = self._reduce(products)
        return [self._best(products[n], scores[n], k) for n in range(len(rows))]

    def _best(self, products: np.ndarray, scores: np.ndarray, k: int) -> list[Candidate]:
        positions = np.arange(self.size)
        if k < self.size:
            at_least = scores[np.argpartition(scores, self.size - k)[self.size - k :]].min()
            positions = np.flatnonzero(scores >= at_least)  # those that tie for the last place too
        ranked = positions[np.argsort(-scores[positions], kind="stable")][:k]
        return [self._candidate(int(position), products, float(scores[position])) for position in ranked]

    def _candidate(self, position: int, products: np.ndarray, score: float) -> Candidate:
        identity_id = int(self.ids[position])
        means = self.identities[identity_id]
        start = int(self.starts[position])
        kind, size_px = means.groups[int(np.argmax(products[start : start + len(means.groups)]))]
        return Candidate(identity_id, means.name, score, kind, size_px)


def mean_of(vectors: Iterable[np.ndarray]) -> np.ndarray:
    """The mean direction of unit vectors (dim,), of norm 1; the first one when they cancel each other out."""
    stacked = np.stack([np.asarray(vector, dtype=np.float64) for vector in vectors])
    total = stacked.mean(axis=0)
    norm = float(np.linalg.norm(total))
    direction = total / norm if norm > 1e-6 else stacked[0]
    return direction.astype(np.float32)


def build_index(connection: sqlite3.Connection, space: Space, earlier: Index | None = None) -> Index:
    """The index of `space` as the database is now. What hasn't changed since `earlier` isn't read again."""
    known = earlier.identities if earlier is not None else {}
    names: dict[int, str] = {}
    identities: dict[int, Means] = {}
    revisions: dict[int, int] = {}
    name_sql = seal_of(connection).sql("name", "name", "id")
    query = f"SELECT id, {name_sql}, revision FROM identity ORDER BY id"  # nosec B608  # a column's name
    for identity_id, name, revision in connection.execute(query):
        names[identity_id] = name
        before = known.get(identity_id)
        if before is not None and before.revision == revision:
            identities[identity_id] = before if before.name == name else _renamed(before, name)
        else:
            revisions[identity_id] = revision
    read = _read_means(connection, space, list(revisions), everything=len(revisions) == len(names))
    for identity_id, revision in revisions.items():
        vectors, groups = read.get(identity_id, (np.zeros((0, space.dim), np.float32), ()))
        identities[identity_id] = Means(names[identity_id], revision, vectors, groups)
    return _assemble(space, {identity_id: identities[identity_id] for identity_id in names})


def _renamed(means: Means, name: str) -> Means:
    return Means(name, means.revision, means.vectors, means.groups)


def _assemble(space: Space, identities: dict[int, Means]) -> Index:
    present = [(identity_id, means) for identity_id, means in identities.items() if means.groups]
    counts = [len(means.groups) for _, means in present]
    return Index(
        space=space,
        identities=identities,
        ids=np.array([identity_id for identity_id, _ in present], dtype=np.int64),
        starts=np.cumsum([0, *counts[:-1]]) if present else np.zeros(0, np.int64),
        matrix=np.concatenate([means.vectors for _, means in present])
        if present
        else np.zeros((0, space.dim), np.float32),
    )


def _read_means(
    connection: sqlite3.Connection, space: Space, ids: list[int], *, everything: bool
) -> dict[int, tuple[np.ndarray, tuple[tuple[Kind, int | None], ...]]]:
    """(means (m, dim), their groups) of each identity that has templates in `space`."""
    if everything:
        return _read_some(connection, space, "1")
    found = {}
    for first in range(0, len(ids), _IDS_AT_ONCE):
        listed = ",".join(str(int(identity_id)) for identity_id in ids[first : first + _IDS_AT_ONCE])
        found.update(_read_some(connection, space, f"t.identity_id IN ({listed})"))
    return found


def _read_some(
    connection: sqlite3.Connection, space: Space, which: str
) -> dict[int, tuple[np.ndarray, tuple[tuple[Kind, int | None], ...]]]:
    vector = seal_of(connection).sql("t.vector", "vector", "t.identity_id")
    query = f"""SELECT t.identity_id, t.kind, t.size_px, {vector} FROM template t WHERE ({which}) AND {IN_SPACE}
        ORDER BY t.identity_id, t.kind, t.size_px"""  # nosec B608  # a column's name, whole numbers, a constant
    rows = connection.execute(query, space_parameters(space))
    found = {}
    for identity_id, of_identity in groupby(rows, key=lambda row: row[0]):
        vectors: list[np.ndarray] = []
        groups: list[tuple[Kind, int | None]] = []
        for group, of_group in groupby(of_identity, key=lambda row: (row[1], row[2])):
            vectors.append(mean_of(stored_vector(row[3], space.dim) for row in of_group))
            groups.append(group)
        found[int(identity_id)] = (np.stack(vectors), tuple(groups))
    return found
