"""Build the search index from the gallery's rows: read in one pass and averaged together.

Identities that haven't changed since an earlier index aren't read again.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np

from core.gallery.cipher import CANT_DECRYPT, PLAIN
from core.gallery.match import Index, weights_of
from core.gallery.records import Space
from core.gallery.spaces import IN_SPACE, space_parameters
from core.gallery.sqlite_errors import damaged_gallery
from core.gallery.storage import Connection
from core.gallery.stored_values import stored_vectors

_IDS_AT_ONCE = 500
_ROWS_AT_ONCE = 512
"""Templates taken from the database at once: 1 MB, so that they are still in the cache when they are put in place."""


class Templates(NamedTuple):
    """Templates as they are stored: `owners` (N,), `sizes` (N,), `vectors` (N, dim) float32, and `recognisability`
    (N,), NaN where nothing measured it."""

    owners: np.ndarray
    sizes: np.ndarray
    vectors: np.ndarray
    recognisability: np.ndarray


class Means(NamedTuple):
    """Means in the order of their owners: `owners` (M,) int64 never falls, `sizes` (M,), `matrix` (M, dim) float32,
    and `counts` (M,), the templates behind each."""

    owners: np.ndarray
    sizes: np.ndarray
    matrix: np.ndarray
    counts: np.ndarray


_Rows = TypeVar("_Rows", Templates, Means)


def build_index(connection: Connection, space: Space, earlier: Index | None = None) -> Index:
    """Build the index of `space` for the current content, reusing unchanged identities of `earlier`.

    Raises GalleryUnreadable when a stored value is invalid.
    """
    name = connection.cipher.sql("name", "name", "id")
    query = f"SELECT id, {name}, revision FROM identity ORDER BY id"  # nosec B608  # a column's name
    listed = connection.execute(query).fetchall()
    numbers, names, revised = zip(*listed, strict=True) if listed else ((), (), ())
    everyone, revisions = np.array(numbers, np.int64), np.array(revised, np.int64)
    same = np.zeros(len(everyone), dtype=bool) if earlier is None else _unchanged(everyone, revisions, earlier)
    if earlier is not None and same.any():
        fresh = _read_people(connection, space, everyone[~same])
        means = _merged(earlier, everyone[same], fresh)
    else:
        means = _read(connection, space, "true")
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


def _merged(earlier: Index, unchanged: np.ndarray, fresh: Means) -> Means:
    """The means that `earlier` has of those who haven't changed, with the fresh ones in their places."""
    owners = np.repeat(earlier.ids, np.diff(earlier.starts, append=len(earlier.matrix)))
    counts = np.ones(len(owners), np.int64) if earlier.counts is None else earlier.counts
    keep = np.isin(owners, unchanged)
    if keep.all():
        kept = Means(owners, earlier.sizes, earlier.matrix, counts)
        if not len(fresh.owners):
            return kept
    else:
        kept = Means(owners[keep], earlier.sizes[keep], earlier.matrix[keep], counts[keep])
    return _in_order(Means(*(np.concatenate(parts) for parts in zip(kept, fresh, strict=True))))


def _in_order(rows: _Rows) -> _Rows:
    """By owner, then by size, full size first. Most galleries lie so already, and nothing is moved then."""
    keys = rows.owners * 4096 + rows.sizes
    if not (np.diff(keys) < 0).any():
        return rows
    order = np.argsort(keys, kind="stable")
    return type(rows)(*(column[order] for column in rows))


def _read_people(connection: Connection, space: Space, ids: np.ndarray) -> Means:
    """The means of those of `ids` who have templates in `space`."""
    nothing = np.zeros(0, np.int64)
    parts = [Means(nothing, nothing, np.zeros((0, space.dim), np.float32), nothing)]
    for first in range(0, len(ids), _IDS_AT_ONCE):
        listed = ",".join(map(str, ids[first : first + _IDS_AT_ONCE].tolist()))
        parts.append(_read(connection, space, f"t.identity_id IN ({listed})"))
    return Means(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _read(connection: Connection, space: Space, which: str) -> Means:
    where, values = f"({which}) AND {IN_SPACE}", space_parameters(space)
    # An upper bound: counting all templates reads a small index, counting these would read the whole table once more.
    # Unused rows of the arrays take no memory.
    (most,) = connection.execute("SELECT count(*) FROM template").fetchone()
    # In file order: SQLite would carry every vector through its sorter. Encrypted vectors are decrypted here, since an
    # SQL function costs as much again as the decryption.
    query = (
        "SELECT t.identity_id, coalesce(t.size_px, 0), t.vector, t.recognisability FROM template t "
        f"WHERE {where} ORDER BY t.id"  # nosec B608  # as above
    )
    rows = connection.stream(query, values)
    cipher = connection.cipher
    owners, sizes = np.empty(most, np.int64), np.empty(most, np.int64)
    vectors, recognisability, done = np.empty((most, space.dim), np.float32), np.empty(most), 0
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        people, side, blobs, measured = zip(*chunk, strict=True)
        if cipher is not PLAIN:
            try:
                blobs = tuple(
                    cipher.decrypt(blob, "vector", person) for person, blob in zip(people, blobs, strict=True)
                )
            except ValueError as error:
                raise damaged_gallery("The gallery", CANT_DECRYPT) from error
        part = slice(done, done + len(chunk))
        owners[part], sizes[part] = people, side
        recognisability[part] = np.array(measured, dtype=np.float64)  # None becomes NaN
        vectors[part] = stored_vectors(blobs, space.dim)
        done = part.stop
    return averaged(_in_order(Templates(owners[:done], sizes[:done], vectors[:done], recognisability[:done])))


def averaged(templates: Templates) -> Means:
    """One row for each identity and size, as `mean_of` makes it; the templates come in that order.

    A person's only template at a size is its own mean, as it is stored."""
    owners, sizes, vectors, recognisability = templates
    begins = np.flatnonzero((np.diff(owners, prepend=-1) != 0) | (np.diff(sizes, prepend=-1) != 0))
    if len(begins) == len(owners):
        return Means(owners, sizes, vectors, np.ones(len(owners), np.int64))
    counts, weights = np.diff(begins, append=len(owners)), weights_of(recognisability, begins)[:, None]
    matrix = vectors[begins]
    for count in np.unique(counts[counts > 1]).tolist():
        groups = np.flatnonzero(counts == count)
        for first in range(0, len(groups), _ROWS_AT_ONCE):
            part = groups[first : first + _ROWS_AT_ONCE]
            total, weight = np.zeros((len(part), vectors.shape[1])), np.zeros((len(part), 1))
            for place in range(count):
                total += weights[begins[part] + place] * vectors[begins[part] + place]
                weight += weights[begins[part] + place]
            total /= weight
            norms = np.sqrt(np.einsum("ij,ij->i", total, total))[:, None]
            points = norms > 1e-6
            matrix[part] = total / np.where(points, norms, 1.0)
            for group in part[~points[:, 0]].tolist():  # its templates cancel each other out
                begin = int(begins[group])
                matrix[group] = vectors[begin + int(weights[begin : begin + count].argmax())]
    return Means(owners[begins], sizes[begins], matrix, counts)
