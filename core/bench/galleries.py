"""Galleries for benchmarks: on disk with one template per person, or only the index of such a gallery."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from core.bench.material import Material
from core.gallery.audit import write_audit
from core.gallery.keys import Key
from core.gallery.match import Index
from core.gallery.records import Space
from core.gallery.spaces import encoder_id
from core.gallery.storage import Connection
from core.gallery.store import Gallery

_ROWS_AT_ONCE = 10_000


def space_of(material: Material) -> Space:
    encoder = material.encoder
    return Space(encoder.name, encoder.weights_sha256, "bicubic", encoder.flip_tta)


def names_of(count: int) -> list[str]:
    return [f"Person {number:07d}" for number in range(count)]


@contextmanager
def filled_gallery(
    material: Material,
    templates: NDArray[np.float32],
    name: str,
    key: Key | None = None,
    *,
    space: Space | None = None,
    address: str = "",
) -> Iterator[Gallery]:
    """A temporary gallery on disk, encrypted if there is a key, or at a server's empty `address`, with the rows that
    enrolment would write, in one transaction."""
    folder, space = material.folder / name, space or space_of(material)
    folder.mkdir()
    try:
        with Gallery.open(address or folder / "gallery.db", keys=lambda: key) as gallery:
            names = names_of(len(templates))
            with gallery.database.transaction() as connection:
                for first in range(0, len(templates), _ROWS_AT_ONCE):
                    _write(connection, space, templates, names, range(first, min(first + _ROWS_AT_ONCE, len(names))))
                write_audit(connection, gallery.database.now(), "bench", "enrolled")
            yield gallery
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(
    connection: Connection, space: Space, templates: NDArray[np.float32], names: list[str], places: range
) -> None:
    encoder, cipher, at = encoder_id(connection, space), connection.cipher, "2026-01-01T00:00:00+00:00"
    connection.executemany(
        "INSERT INTO identity(id, name, name_key, note, enrolled_at, revision) VALUES (?, ?, ?, ?, ?, 1)",
        [
            (
                n + 1,
                cipher.encrypt_text(names[n], "name", n + 1),
                cipher.name_token(names[n]),
                cipher.encrypt_text("", "note", n + 1),
                at,
            )
            for n in places
        ],
    )
    connection.executemany(
        """INSERT INTO template(identity_id, encoder_id, vector, kind, probe_px, flip_tta, image_sha256, source,
            added_at) VALUES (?, ?, ?, 'hr', 112, ?, '', ?, ?)""",
        [
            (
                n + 1,
                encoder,
                cipher.encrypt(templates[n].astype("<f4").tobytes(), "vector", n + 1),
                int(space.flip_tta),
                cipher.encrypt_text("", "source", n + 1),
                at,
            )
            for n in places
        ],
    )


def index_of(templates: NDArray[np.float32], space: Space) -> Index:
    """The index of a gallery with one template per person, without its file."""
    count = len(templates)
    numbers, sizes = np.arange(1, count + 1), np.zeros(count, np.int64)
    revisions, starts = np.ones(count, np.int64), np.arange(count)
    return Index(space, numbers, revisions, numbers, names_of(count), starts, sizes, templates)
