"""Build the search index from the gallery's rows: read in one pass and averaged together.

Identities that haven't changed since an earlier index aren't read again.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import numpy as np

from core.gallery.cipher import CANT_DECRYPT, PLAIN, cipher_of
from core.gallery.match import Index
from core.gallery.records import Space
from core.gallery.spaces import IN_SPACE, space_parameters
from core.gallery.sqlite_errors import damaged_gallery
from core.gallery.stored_values import stored_vectors

_IDS_AT_ONCE = 500
_ROWS_AT_ONCE = 512
"""Templates taken from the database at once: 1 MB, so that they are still in the cache when they are put in place."""


class _Means(NamedTuple):
    """Means in the order of their owners: `owners` (M,) int64 never falls, `sizes` (M,), `matrix` (M, dim) float32,
    and `counts` (M,), the templates behind each."""

    owners: np.ndarray
    sizes: np.ndarray
    matrix: np.ndarray
    counts: np.ndarray


def build_index(connection: sqlite3.Connection, space: Space, earlier: Index | None = None) -> Index:
    """Build the index of `space` for the current content, reusing unchanged identities of `earlier`.

    Raises GalleryUnreadable when a stored value is invalid.
    """
    name = cipher_of(connection).sql("name", "name", "id")
    query = f"SELECT id, {name}, revision FROM identity ORDER BY id"  # nosec B608  # a column's name
    listed = connection.execute(query).fetchall()
    numbers, names, revised = zip(*listed, strict=True) if listed else ((), (), ())
    everyone, revisions = np.array(numbers, np.int64), np.array(revised, np.int64)
    same = np.zeros(len(everyone), dtype=bool) if earlier is None else _unchanged(everyone, revisions, earlier)
    if earlier is not None and same.any():
        fresh = _read_people(connection, space, everyone[~same])
        means = _merged(earlier, everyone[same], fresh)
    else:
        means = _read(connection, space, "1")
    starts = np.flatnonzero(np.diff(means.owners, prepend=-1))
    ids = means.owners[starts]
    places = np.searchsorted(everyone, ids).tolist()
    found = [names[place] for place in places]
    return Index(space, everyone, revisions, ids, found, starts, means.sizes, means.matrix, means.counts)


def _unchanged(everyone: np.ndarray, revisions: np.ndarray, earlier: Index) -> np.ndarray:
    """Which identities (E,) are as `earlier` has them."""
    if not len(earlier.everyone):
        return np.zeros(len(everyone), dtype=bool)
    places = np.minimum(np.searchsorted(earlier.everyone, everyone), len(earlier.everyone) - 1)
    same: np.ndarray = (earlier.everyone[places] == everyone) & (earlier.revisions[places] == revisions)
    return same


def _merged(earlier: Index, unchanged: np.ndarray, fresh: _Means) -> _Means:
    """The means that `earlier` has of those who haven't changed, with the fresh ones in their places."""
    owners = np.repeat(earlier.ids, np.diff(earlier.starts, append=len(earlier.matrix)))
    counts = np.ones(len(owners), np.int64) if earlier.counts is None else earlier.counts
    keep = np.isin(owners, unchanged)
    if keep.all():
        kept = _Means(owners, earlier.sizes, earlier.matrix, counts)
        if not len(fresh.owners):
            return kept
    else:
        kept = _Means(owners[keep], earlier.sizes[keep], earlier.matrix[keep], counts[keep])
    return _in_order(_Means(*(np.concatenate(parts) for parts in zip(kept, fresh, strict=True))))


def _in_order(means: _Means) -> _Means:
    """By owner, then by size, full size first. Most galleries lie so already, and nothing is moved then."""
    keys = means.owners * 4096 + means.sizes
    if not (np.diff(keys) < 0).any():
        return means
    order = np.argsort(keys, kind="stable")
    return _Means(*(column[order] for column in means))


def _read_people(connection: sqlite3.Connection, space: Space, ids: np.ndarray) -> _Means:
    """The means of those of `ids` who have templates in `space`."""
    nothing = np.zeros(0, np.int64)
    parts = [_Means(nothing, nothing, np.zeros((0, space.dim), np.float32), nothing)]
    for first in range(0, len(ids), _IDS_AT_ONCE):
        listed = ",".join(map(str, ids[first : first + _IDS_AT_ONCE].tolist()))
        parts.append(_read(connection, space, f"t.identity_id IN ({listed})"))
    return _Means(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _read(connection: sqlite3.Connection, space: Space, which: str) -> _Means:
    where, values = f"({which}) AND {IN_SPACE}", space_parameters(space)
    # An upper bound: counting all templates reads a small index, counting these would read the whole table once more.
    # Unused rows of the arrays take no memory.
    (most,) = connection.execute("SELECT count(*) FROM template").fetchone()
    # In file order: SQLite would carry every vector through its sorter. Encrypted vectors are decrypted here, since an
    # SQL function costs as much again as the decryption.
    query = (
        f"SELECT t.identity_id, coalesce(t.size_px, 0), t.vector FROM template t WHERE {where} "  # nosec B608  # as above
        "ORDER BY t.id"
    )
    cursor = connection.execute(query, values)
    cipher = cipher_of(connection)
    owners, sizes = np.empty(most, np.int64), np.empty(most, np.int64)
    vectors, done = np.empty((most, space.dim), np.float32), 0
    while chunk := cursor.fetchmany(_ROWS_AT_ONCE):
        people, side, blobs = zip(*chunk, strict=True)
        if cipher is not PLAIN:
            try:
                blobs = tuple(
                    cipher.decrypt(blob, "vector", person) for person, blob in zip(people, blobs, strict=True)
                )
            except ValueError as error:
                raise damaged_gallery("The gallery", CANT_DECRYPT) from error
        part = slice(done, done + len(chunk))
        owners[part], sizes[part] = people, side
        vectors[part] = stored_vectors(blobs, space.dim)
        done = part.stop
    return _averaged(_in_order(_Means(owners[:done], sizes[:done], vectors[:done], np.ones(done, np.int64))))


def _averaged(templates: _Means) -> _Means:
    """One row for each identity and size, as `mean_of` makes it; the templates come in that order.

    A person's only template at a size is its own mean, as it is stored."""
    owners, sizes, vectors, _ = templates
    begins = np.flatnonzero((np.diff(owners, prepend=-1) != 0) | (np.diff(sizes, prepend=-1) != 0))
    if len(begins) == len(owners):
        return templates
    counts = np.diff(begins, append=len(owners))
    matrix = vectors[begins]
    for count in np.unique(counts[counts > 1]).tolist():
        groups = np.flatnonzero(counts == count)
        for first in range(0, len(groups), _ROWS_AT_ONCE):
            part = groups[first : first + _ROWS_AT_ONCE]
            total = vectors[begins[part]].astype(np.float64)
            for place in range(1, count):
                total += vectors[begins[part] + place]
            total /= count
            norms = np.sqrt(np.einsum("ij,ij->i", total, total))[:, None]
            points = norms > 1e-6
            # Where templates cancel each other out, the first stands, which is there already.
            matrix[part] = np.where(points, total / np.where(points, norms, 1.0), matrix[part])
    return _Means(owners[begins], sizes[begins], matrix, counts)
