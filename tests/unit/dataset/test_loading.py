"""Loading: the pixels of the files, pairs that belong together, and the same batches from any number of workers."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from core.dataset.cache import forget_cache, open_cache
from core.dataset.errors import DatasetInvalid
from core.dataset.loading import Faces, collate, make_loader
from core.dataset.manifest import Dataset, read_dataset
from core.dataset.synthetic.demo import make_demo
from core.images import read_image, resize, to_tensor


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


@pytest.mark.parametrize("pair_px", [16, 24, 32])
def test_pairs_belong_together_and_know_their_person(demo: Dataset, cache: Path, pair_px: int) -> None:
    faces = Faces(demo, "train", pair_px=pair_px, cache=cache)
    assert len(faces) == 15 and faces.identities == ["001", "002", "003"]
    for index in range(len(faces)):
        item = faces[index]
        row = demo.frame.iloc[item.row]
        assert row["split"] == "train" and row["identity"] == faces.identities[item.identity]
        assert np.array_equal(item.image, read_image(demo.file(row["path"])))
        assert np.array_equal(item.vlr, resize(item.image, pair_px))


def test_a_batch_is_what_the_encoder_takes(demo: Dataset, cache: Path) -> None:
    faces = Faces(demo, "val", pair_px=24, cache=cache)
    batch = collate([faces[0], faces[2]])
    assert torch.equal(batch["image"], to_tensor([faces[0].image, faces[2].image]))
    assert batch["vlr"].shape == (2, 3, 24, 24) and batch["identity"].tolist() == [0, 2]
    small = Faces(demo, "val", kind="vlr", size_px=16, cache=cache)
    assert torch.equal(collate([small[1]])["image"], to_tensor([resize(small[1].image, 112)]))


def test_any_number_of_workers_gives_the_same_batches_and_another_epoch_others(demo: Dataset, cache: Path) -> None:
    faces = Faces(demo, "train", pair_px=16, flip=0.5, seed=9, cache=cache)

    def epoch(number: int, workers: int) -> list[dict[str, torch.Tensor]]:
        faces.set_epoch(number)
        return list(make_loader(faces, 4, shuffle=True, workers=workers, seed=9))

    alone, helped, later = epoch(0, 0), epoch(0, 2), epoch(1, 0)
    for one, other in zip(alone, helped, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert torch.cat([b["row"] for b in alone]).tolist() != torch.cat([b["row"] for b in later]).tolist()
    assert sorted(torch.cat([b["row"] for b in alone]).tolist()) == sorted(
        torch.cat([b["row"] for b in later]).tolist()
    )


def test_mirroring_turns_both_of_a_pair_and_about_as_many_as_asked(demo: Dataset, cache: Path) -> None:
    plain, flipped = (Faces(demo, "train", pair_px=32, flip=flip, cache=cache) for flip in (0.0, 1.0))
    assert np.array_equal(plain[3].image[:, ::-1], flipped[3].image)
    assert np.array_equal(plain[3].vlr[:, ::-1], flipped[3].vlr)
    half = Faces(demo, "train", flip=0.5, cache=cache)
    turned = 0
    for number in range(30):
        half.set_epoch(number)
        turned += sum(not np.array_equal(half[i].image, plain[i].image) for i in range(15))
    assert 180 < turned < 270


def test_a_worker_gets_no_pixels_by_pickle(demo: Dataset, cache: Path) -> None:
    faces = Faces(demo, "train", cache=cache)
    again = pickle.loads(pickle.dumps(faces))
    assert len(pickle.dumps(faces)) < 100_000
    assert np.array_equal(again[5].image, faces[5].image)


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
    forget_cache(demo, cache)
    assert list(cache.iterdir()) == []


def test_a_split_without_images_and_people_without_a_number_are_said(demo: Dataset, cache: Path) -> None:
    with pytest.raises(DatasetInvalid, match="no hr images"):
        Faces(demo, "test", cache=cache)
    with pytest.raises(DatasetInvalid, match="1 of the people in val"):
        Faces(demo, "val", identities=["001", "003"], cache=cache)
