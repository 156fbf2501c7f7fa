"""A real face that ships with an installed package (Eileen Collins, NASA, in scikit-image), as many photographs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset.ingest import ingest
from core.images import read_image, resize


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    spec = importlib.util.find_spec("skimage")
    return read_image(Path(spec.submodule_search_locations[0]) / "data" / "astronaut.png")[:300, 60:380]


@pytest.fixture(scope="session")
def people(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people of four photographs, and one each that is no picture, without a face, and too dark."""
    root = tmp_path_factory.mktemp("people")
    for person in range(3):
        folder = root / f"Person {person}"
        folder.mkdir()
        for photo in range(4):
            shifted = np.roll(portrait, (photo * 5 - 8, person * 9 - 9), axis=(0, 1))
            small = resize(shifted, (200, 190))
            Image.fromarray(small).save(folder / f"{photo:04d}.jpg", quality=90)
    (root / "Person 0" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    Image.new("RGB", (200, 200), "teal").save(root / "Person 1" / "nobody.png")
    Image.fromarray((resize(portrait, (200, 190)) // 18).astype(np.uint8)).save(root / "Person 2" / "dark.png")
    return root


@pytest.fixture(scope="session")
def in_files(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those photographs as a data set, ingested without disturbance."""
    out = tmp_path_factory.mktemp("files") / "set"
    ingest(people, out, method="camera", seed=5, workers=1)
    return out


@pytest.fixture(scope="session")
def in_shards(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in tar shards."""
    out = tmp_path_factory.mktemp("shards") / "set"
    ingest(people, out, method="camera", seed=5, shard_mb=1, workers=1)
    return out
