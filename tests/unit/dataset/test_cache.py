"""The cache holds the files' pixels, and refuses files that changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.dataset.cache import open_cache, remove_cache
from core.dataset.errors import DatasetInvalid
from core.dataset.manifest import Dataset, read_dataset
from core.dataset.synthetic.demo import make_demo
from core.images import read_image


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_demo(tmp_path_factory.mktemp("demo") / "demo", identities=3, images=6, seed=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_the_cache_holds_the_files_pixels_in_the_manifests_order(demo: Dataset, cache: Path) -> None:
    arrays = open_cache(demo, cache)
    assert {size: len(array) for size, array in arrays.items()} == {112: 18, 16: 18, 24: 18, 32: 18}
    for size, array in arrays.items():
        paths = demo.frame.loc[demo.frame["size_px"] == size, "path"]
        for path, image in zip(paths, array, strict=True):
            assert np.array_equal(image, read_image(demo.file(path)))
    assert not array.flags.writeable
    assert [path.name for path in cache.iterdir()] == [demo.key]


def test_what_changed_on_disk_is_refused(tmp_path: Path) -> None:
    demo = make_demo(tmp_path / "demo", identities=2, images=2, seed=3)
    cache = tmp_path / "cache"
    first, second = demo.frame["path"].iloc[[0, 1]]
    content = demo.file(first).read_bytes()
    demo.file(first).write_bytes(demo.file(second).read_bytes())
    with pytest.raises(DatasetInvalid, match="changed"):
        open_cache(demo, cache)
    demo.file(first).unlink()
    with pytest.raises(DatasetInvalid, match="missing"):
        open_cache(demo, cache)
    assert list(cache.iterdir()) == []
    demo.file(first).write_bytes(content)
    assert len(open_cache(read_dataset(demo.root), cache)[112]) == 4
    remove_cache(demo, cache)
    assert list(cache.iterdir()) == []
