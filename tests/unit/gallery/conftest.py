"""What the gallery's tests share: a space, and people whose photographs resemble each other as real ones do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest

from core.gallery import Gallery, NewTemplate, Space

CROP = b"RIFF\x24\x00\x00\x00WEBPVP8 a crop of a face"


@pytest.fixture
def space() -> Space:
    return Space("edgeface_xxs", "a" * 64, "bicubic", True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gallery.db"


@pytest.fixture
def gallery(place: Path | str) -> Iterator[Gallery]:
    with Gallery.open(place) as opened:
        yield opened


@pytest.fixture
def store(server_address: str) -> Iterator[Gallery]:
    """A gallery on a server, in a database of its own."""
    with Gallery.open(server_address) as opened:
        yield opened


@pytest.fixture
def person() -> Callable[..., np.ndarray]:
    """person(seed, photographs) -> (N, 512) unit rows whose cosines to each other are about `likeness`."""

    def make(seed: int, photographs: int = 3, likeness: float = 0.65) -> np.ndarray:
        random = np.random.default_rng(seed)
        face = _unit(random.normal(size=512))
        noise = random.normal(size=(photographs, 512))
        noise = noise - (noise @ face)[:, None] * face
        rows = np.sqrt(likeness) * face + np.sqrt(1 - likeness) * _unit(noise)
        return _unit(rows).astype(np.float32)

    return make


@pytest.fixture
def templates() -> Callable[..., list[NewTemplate]]:
    """templates(vectors, ...) -> one NewTemplate for each row; `measured` is the recognisability of the first ones."""

    def make(
        vectors: np.ndarray,
        *,
        size_px: int | None = None,
        crop: bytes | None = CROP,
        measured: Sequence[float | None] = (),
    ) -> list[NewTemplate]:
        return [
            NewTemplate(
                vector=row,
                kind="hr" if size_px is None else "sr",
                probe_px=112.0 if size_px is None else float(size_px),
                size_px=size_px,
                image_sha256=f"photograph of {row[:2].tobytes().hex()}",
                crop=crop,
                recognisability=recognisability,
            )
            for row, recognisability in zip_longest(vectors, measured)
        ]

    return make


@pytest.fixture
def filled(
    gallery: Gallery, space: Space, person: Callable[..., np.ndarray], templates: Callable[..., list[NewTemplate]]
) -> Gallery:
    """Three people, with names of three kinds, one of them of other weights."""
    gallery.enrol("Ada <b>Lovelace</b>", templates(person(1), measured=[0.9, 0.25]), space=space, note="first")
    gallery.enrol("=Bob 🧑‍🚀", templates(person(2)) + templates(person(2), size_px=16, crop=None), space=space)
    gallery.enrol("李", templates(person(3)), space=Space("edgeface_xs", "b" * 64, "d" * 64, False))
    return gallery


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))
