"""Search on a PostgreSQL server: pgvector's index finds candidates, which are compared exactly, in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg.sql import SQL, Composable, Placeholder

from core.gallery.match import Population
from core.gallery.postgres_means import CANDIDATES, Connection, has_any_index, has_index
from core.gallery.records import Candidate, Space
from core.gallery.storage import Version
from core.gallery.template_mix import TemplateMix, format_template_sizes

if TYPE_CHECKING:
    from core.gallery.postgres import PostgresDatabase

MOST_K = 100
"""Largest k that the index serves; for more, everybody is compared in memory."""

_PROBES_AT_ONCE = 100

_FILTER = SQL(
    """encoder_id = {encoder} AND flip_tta = {flip} AND CASE WHEN {any_upscaler} THEN whole ELSE size_px = 0 OR
        upscaler = CASE WHEN size_px = ANY({bicubic_px}) THEN 'bicubic' ELSE {upscaler} END END"""
)

_EVERY = SQL("SELECT identity_id, size_px, -(vector <#> probe) AS score FROM mean WHERE {which}")
_SELECTED = SQL("{every} ORDER BY vector::halfvec({dim}) <#> probe::halfvec({dim}) LIMIT {candidates}")

# Of each identity its best mean; of equal ones that of full size, then the smallest size.
_SEARCH = SQL(
    """SELECT number, looked_at, identity_id, name, score, size_px
    FROM (VALUES {probes}) asked(number, probe) CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT DISTINCT ON (identity_id) *, count(*) OVER () AS looked_at
            FROM ({near}) near ORDER BY identity_id, score DESC, size_px) best
        ORDER BY score DESC, identity_id LIMIT {k}) found
    JOIN identity ON identity.id = identity_id ORDER BY number, score DESC, identity_id"""
)


class PostgresVectors:
    """`core.gallery.storage.VectorSearch` over the means that `core.gallery.postgres_means` keeps."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._encoders: dict[Space, tuple[int, int]] = {}
        self._without: dict[Space, Version] = {}
        self._populations: dict[Space, tuple[tuple[int, int], Population]] = {}

    def search(self, probes: np.ndarray, space: Space, k: int) -> list[list[Candidate]] | None:
        """Return the k best candidates for each of `probes` (N, dim) float32 unit rows, best first; equal scores by
        number. None where no index covers the space, or k is above MOST_K."""
        if k > MOST_K or self._has_none(space):
            return None
        with self._database.searching() as connection:
            encoder = self._encoder(connection, space)
            if encoder is None or not len(probes):
                return None
            return search(connection, encoder, space, probes, k)

    def population(self, space: Space) -> Population | None:
        """Whom the space can find, counted again after the means have changed; None where no index covers it."""
        if self._has_none(space):
            return None
        with self._database.searching() as connection:
            encoder = self._encoder(connection, space)
            if encoder is None:
                return None
            [(changes,)] = connection.execute("SELECT means FROM state").fetchall()
            state = (self._database.opened, int(changes))
            known = self._populations.get(space)
            if known is not None and known[0] == state and not self._database.writing:
                return known[1]
            found = population(connection, encoder, space)
            if not self._database.writing:  # a write may be rolled back
                self._populations[space] = (state, found)
            return found

    def residue(self) -> str:
        """Where removing leaves traces in the database's own files."""
        with self._database.searching() as connection:
            if not has_any_index(connection):
                return ""
        return (
            "The free space of the server's files may hold numbers of the face until it is used again, or until "
            "`edgeface-studio gallery tidy` rewrites them and builds the search index again."
        )

    def rewrite(self) -> None:
        """Rewrite the means and build their indexes again. Raises GalleryBusy, StorageFailed."""
        self._database.rewrite_means()

    def _has_none(self, space: Space) -> bool:
        """Whether the space had no index when it was last looked for, and nothing has changed since."""
        version = self._without.get(space)
        return version is not None and self._database.is_still(version)

    def _encoder(self, connection: Connection, space: Space) -> int | None:
        """The number of the space's encoder where there is an index over its means. An index stays once it is built."""
        known = self._encoders.get(space)
        if known is not None and known[0] == self._database.opened:
            return known[1]
        query = "SELECT id, (SELECT changes FROM state) FROM encoder WHERE weights_sha256 = %s"
        row = connection.execute(query, (space.weights_sha256,)).fetchone()
        if row is not None and has_index(connection, row[0], int(space.flip_tta)):
            if not self._database.writing:
                self._encoders[space] = (self._database.opened, int(row[0]))
            return int(row[0])
        if row is not None and not self._database.writing:
            self._without[space] = (self._database.opened, 0, int(row[1]))
        return None


def search(connection: Connection, encoder: int, space: Space, probes: np.ndarray, k: int) -> list[list[Candidate]]:
    """The k best candidates for each of `probes` (N, dim) float32 unit rows, best first; equal scores by number.

    Scores are exact: the candidates' vectors are compared as float32. A probe for which the index found fewer means
    than it was asked for is compared with everybody.
    """
    every = _EVERY.format(which=_which(encoder, space))
    near = _SELECTED.format(every=every, dim=space.dim, candidates=CANDIDATES)
    found = _run(connection, near, probes, k)
    starved = [number for number, (looked_at, _) in enumerate(found) if looked_at < CANDIDATES]
    if starved:
        exact = _run(connection, every, probes[starved], k)
        for number, row in zip(starved, exact, strict=True):
            found[number] = row
    return [candidates for _, candidates in found]


def _run(connection: Connection, near: Composable, probes: np.ndarray, k: int) -> list[tuple[int, list[Candidate]]]:
    """For each probe how many means it was compared with, and its candidates."""
    found: list[tuple[int, list[Candidate]]] = [(0, []) for _ in probes]
    for first in range(0, len(probes), _PROBES_AT_ONCE):
        part = list(enumerate(probes[first : first + _PROBES_AT_ONCE], start=first))
        asked = SQL(", ").join(SQL("({}, {}::vector)").format(number, Placeholder()) for number, _ in part)
        query = _SEARCH.format(probes=asked, near=near, k=k)
        rows = connection.execute(query, [probe for _, probe in part], binary=True)
        for number, looked_at, person, name, score, size in rows:
            candidate = Candidate(person, name, max(-1.0, min(1.0, score)), "sr" if size else "hr", size or None)
            found[number] = (looked_at, [*found[number][1], candidate])
    return found


def population(connection: Connection, encoder: int, space: Space) -> Population:
    """Whom the space can find, counted without reading a vector."""
    query = SQL(
        """SELECT count(*), avg(most), (SELECT array_agg(DISTINCT size_px) FROM mean WHERE {which})
        FROM (SELECT max(templates) AS most FROM mean WHERE {which} GROUP BY identity_id) people"""
    ).format(which=_which(encoder, space))
    [(people, photographs, sizes)] = connection.execute(query).fetchall()
    if not people:
        return Population(0, None)
    return Population(people, TemplateMix(format_template_sizes(sizes), max(1, round(float(photographs)))))


def _which(encoder: int, space: Space) -> Composable:
    """Which means the space meets. Numbers stand in the statement: the index covers one encoder."""
    values: dict[str, Any] = {
        "encoder": encoder,
        "flip": int(space.flip_tta),
        "any_upscaler": space.any_upscaler,
        "bicubic_px": list(space.bicubic_px),
        "upscaler": space.upscaler,
    }
    return _FILTER.format(**values)
