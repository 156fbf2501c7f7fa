"""Values as the gallery's rows hold them: decrypted and checked when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from core.gallery.cipher import CANT_DECRYPT, Column
from core.gallery.sqlite_errors import damaged_gallery
from core.gallery.storage import Connection


def decrypt_text(connection: Connection, value: str, column: Column, person: int) -> str:
    """A stored text as it was given. Raises GalleryUnreadable when it can't be opened."""
    try:
        return connection.cipher.decrypt_text(value, column, person)
    except ValueError as error:
        raise damaged_gallery("The gallery", CANT_DECRYPT) from error


def decrypt_crop(connection: Connection, value: bytes, person: int) -> bytes:
    """A stored crop as it was given. Raises GalleryUnreadable when it can't be opened."""
    try:
        return connection.cipher.decrypt(value, "crop", person)
    except ValueError as error:
        raise damaged_gallery("The gallery", CANT_DECRYPT) from error


def stored_vector(blob: bytes, dim: int) -> np.ndarray:
    """A stored vector as (dim,) float32. Raises GalleryUnreadable when it isn't one of unit norm."""
    vector = np.frombuffer(blob, dtype="<f4") if len(blob) == 4 * dim else np.zeros(dim, np.float32)
    if not abs(float(vector @ vector) - 1.0) < 0.01:  # NaN fails as well
        raise damaged_gallery("The gallery", f"a stored vector isn't {dim} numbers of norm 1")
    return vector.astype(np.float32, copy=False)


def stored_vectors(blobs: Sequence[bytes], dim: int) -> np.ndarray:
    """`stored_vector` for many at once: (N, dim) float32. Raises GalleryUnreadable when one isn't of unit norm."""
    joined = b"".join(blobs)
    if len(joined) == 4 * dim * len(blobs) and {len(blob) for blob in blobs} == {4 * dim}:
        vectors = np.frombuffer(joined, dtype="<f4").reshape(-1, dim)
        if (np.abs(np.einsum("ij,ij->i", vectors, vectors) - 1.0) < 0.01).all():  # NaN fails as well
            return vectors
    raise damaged_gallery("The gallery", f"a stored vector isn't {dim} numbers of norm 1")


def stored_moment(text: str) -> datetime:
    """A stored time. Raises GalleryUnreadable."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise damaged_gallery("The gallery", "a stored time isn't one") from error


def insert(connection: Connection, statement: str, values: Sequence[object]) -> int:
    """Run an INSERT; the new row's number."""
    return int(connection.execute(f"{statement} RETURNING id", values).fetchone()[0])


def encodable(text: str) -> str:
    """`text` without what can't be encoded, so that a search for it finds nothing instead of failing."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
