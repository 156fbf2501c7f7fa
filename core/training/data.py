"""Training data: the images of a data set as memory-mapped uint8 arrays, with identities as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.dataset.cache import open_cache
from core.dataset.layout import HR, VLR
from core.dataset.manifest import Dataset
from core.images import resize
from core.jobs.context import NO_HOOKS, Hooks
from core.settings import CROP_PX, VLR_SIZES_PX
from core.training.array_cache import cached
from core.training.errors import UnfitData

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """The HR images of a split.

    `at` (N,): positions in the HR array; `people` (N,): identity numbers within this split, from 0; `labels` (N,):
    numbers among train identities, -1 for others; `vlr`: for each size the positions (N,) of their VLR files in the
    array of that size, -1 where there is none.
    """

    at: Ints
    people: Ints
    labels: Ints
    vlr: dict[int, Ints]

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class TrainingData:
    """Memory-mapped arrays and splits. `identities` are train's, sorted: a label is an index into it."""

    dataset: Dataset
    identities: tuple[str, ...]
    train: Split
    val: Split | None
    hr: NDArray[np.uint8]
    arrays: dict[int, NDArray[np.uint8]]

    @property
    def vlr_sizes(self) -> tuple[int, ...]:
        """Sizes of the train split's VLR files, ascending."""
        return tuple(sorted(self.train.vlr))

    @property
    def shared(self) -> int:
        """Number of train identities that are in val too."""
        return 0 if self.val is None else len(set(self.val.labels[self.val.labels >= 0].tolist()))

    @property
    def val_people(self) -> set[str]:
        """Names of the identities in val."""
        frame = self.dataset.frame
        return set(frame.loc[(frame["split"] == "val") & (frame["kind"] == HR), "identity"])

    def hr_batch(self, split: Split, rows: Ints | slice) -> Tensor:
        """uint8 (n, 3, 112, 112), channels-last, of those rows of the split."""
        return _tensor(self.hr[split.at[rows]])

    def vlr_batch(self, split: Split, size_px: int, rows: Ints | slice) -> Tensor:
        """uint8 (n, 3, size_px, size_px) from files; every row must have one."""
        return _tensor(self.arrays[size_px][split.vlr[size_px][rows]])


def open_data(
    dataset: Dataset,
    cache: Path,
    *,
    val_sizes_px: tuple[int, ...] = (),
    val_limit: int = 0,
    need_pairs: bool = False,
    hooks: Hooks = NO_HOOKS,
) -> TrainingData:
    """Decode the data set once into `cache` and number its identities. `need_pairs` drops train HR without VLR files.

    Raises UnfitData when train holds too little, and what `open_cache` raises.
    """
    frame = dataset.frame.reset_index(drop=True)
    arrays = open_cache(dataset, cache, hooks=hooks)
    place: Ints = np.asarray(frame.groupby("size_px").cumcount(), dtype=np.int64)
    hr, hr_place = _hr_array(dataset, frame, arrays, place, cache)
    identities = tuple(sorted(set(frame.loc[(frame["split"] == "train") & (frame["kind"] == HR), "identity"])))
    train = _split(frame, "train", place, hr_place, identities)
    if need_pairs:
        train = _only(train, np.any([places >= 0 for places in train.vlr.values()], axis=0)) if train.vlr else train
        if not train.vlr:
            raise UnfitData(
                f"{dataset.info.name} has no VLR images in train.",
                "Build or ingest it with VLR images, or train on degraded HR (recipe setting files=0).",
            )
    if len(train) < 2:
        raise UnfitData(f"{dataset.info.name} has {len(train)} images in train.", "Add images.")
    val = _split(frame, "val", place, hr_place, identities)
    if val_limit and len(val) > val_limit:
        last = np.sort(np.unique(val.people, return_index=True)[1])
        whole = last[last <= val_limit].max() if (last <= val_limit).any() else 0
        val = _only(val, np.arange(len(val)) < (whole or val_limit))
    return TrainingData(dataset, identities, train, val if len(val) else None, hr, arrays)


def validated_sizes(data: TrainingData, asked: tuple[int, ...]) -> tuple[int, ...]:
    """Return the requested sizes, else those of val's VLR files, else 16, 24 and 32 px."""
    if asked:
        return tuple(sorted(set(asked)))
    val = data.val
    held = [] if val is None else [size for size, places in val.vlr.items() if (places >= 0).all()]
    return tuple(sorted(held)) or VLR_SIZES_PX


def _split(frame: pd.DataFrame, split: str, place: Ints, hr_place: Ints, identities: tuple[str, ...]) -> Split:
    rows = frame[(frame["split"] == split) & (frame["kind"] == HR)]
    rows = rows.sort_values(["identity", "path"], kind="stable")  # grouped by identity, whatever the manifest's order
    small = frame[(frame["split"] == split) & (frame["kind"] == VLR)]
    numbers = {name: number for number, name in enumerate(identities)}
    vlr: dict[int, Ints] = {}
    for size in sorted(set(small["size_px"].tolist())):
        of_size = small[small["size_px"] == size]
        found = dict(zip(of_size["pair"], place[of_size.index], strict=True))
        vlr[int(size)] = np.array([found.get(pair, -1) for pair in rows["pair"]], dtype=np.int64)
    _, people = np.unique(rows["identity"].to_numpy(dtype=str), return_inverse=True)
    labels = np.array([numbers.get(name, -1) for name in rows["identity"]], dtype=np.int64)
    return Split(hr_place[rows.index].astype(np.int64), people.astype(np.int64), labels, vlr)


def _only(split: Split, keep: NDArray[np.bool_]) -> Split:
    vlr = {size: places[keep] for size, places in split.vlr.items()}
    _, people = np.unique(split.people[keep], return_inverse=True)
    return Split(split.at[keep], people.astype(np.int64), split.labels[keep], vlr)


def _hr_array(
    dataset: Dataset, frame: pd.DataFrame, arrays: dict[int, NDArray[np.uint8]], place: Ints, cache: Path
) -> tuple[NDArray[np.uint8], Ints]:
    """Return all HR images at 112 px, and the position of each manifest row in them."""
    is_hr = (frame["kind"] == HR).to_numpy()
    sizes = frame["size_px"].to_numpy()
    if (sizes[is_hr] == CROP_PX).all():
        return arrays[CROP_PX], place
    rows = np.flatnonzero(is_hr)
    where = np.zeros(len(frame), dtype=np.int64)
    where[rows] = np.arange(len(rows))

    def fill(out: NDArray[np.uint8]) -> None:
        for position, row in enumerate(rows):
            out[position] = resize(np.asarray(arrays[int(sizes[row])][place[row]]), CROP_PX)

    array = cached(cache, ["hr", dataset.key], (len(rows), CROP_PX, CROP_PX, 3), np.uint8, fill)
    return array, where


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
