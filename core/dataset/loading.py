"""A data set for torch: crops with their person's number, or HR with VLR, from one memory-mapped cache.

Items are uint8; `collate` makes the network's batches of them. Nothing is random but by an epoch's seed: the same seed,
epoch and index give the same item, whichever worker makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from core.dataset.cache import open_cache
from core.dataset.columns import among
from core.dataset.degrade import seed_for
from core.dataset.errors import DatasetInvalid
from core.dataset.layout import HR, VLR
from core.dataset.manifest import Dataset
from core.images import RGB, resize, to_tensor
from core.settings import CROP_PX, load_settings


@dataclass(frozen=True)
class Item:
    """One image: uint8 RGB (s, s, 3), its person's number, its row in the manifest; `vlr` where pairs are wanted."""

    image: RGB
    identity: int
    row: int
    vlr: RGB | None = None


class Faces(TorchDataset[Item]):
    """The images of one split and kind. Pickles small: a worker maps the cache itself."""

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        *,
        kind: str = HR,
        size_px: int = CROP_PX,
        pair_px: int | None = None,
        identities: Sequence[str] | None = None,
        flip: float = 0.0,
        seed: int = 0,
        cache: Path | None = None,
        on_event: Callable[..., None] | None = None,
    ) -> None:
        """`pair_px`: give each HR with its VLR of that size, and leave out those without one. `identities` numbers the
        people (default: this split's, sorted); give the training's to its validation. `flip`: chance of mirroring.

        Raises DatasetInvalid when nothing fits, or someone in this split has no number.
        """
        self.identities = (
            list(identities)
            if identities is not None
            else sorted(set(dataset.frame.loc[dataset.frame["split"] == split, "identity"]))
        )
        folder = cache or load_settings().data_dir / "cache"
        self._open = (dataset, folder)
        self._arrays: dict[int, NDArray[np.uint8]] | None = open_cache(dataset, folder, on_event=on_event)
        self._size, self._pair_px, self._flip, self._seed, self.epoch = size_px, pair_px, flip, seed, 0
        self._rows, self._at, self._pair_at = _chosen(dataset, split, kind, size_px, pair_px)
        numbers = {identity: number for number, identity in enumerate(self.identities)}
        names = dataset.frame["identity"].to_numpy()[self._rows]
        strangers = sorted(set(names) - set(numbers))
        if strangers:
            raise DatasetInvalid(
                f"{len(strangers)} of the people in {split or 'the set'} aren't among the {len(numbers)} known ones.",
                "Build the data set closed-set, or compare by similarity instead of classes.",
            )
        self.labels: NDArray[np.int64] = np.array([numbers[name] for name in names], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Item:
        arrays = self._mapped()
        image: RGB = np.array(arrays[self._size][self._at[index]])
        vlr: RGB | None = np.array(arrays[self._pair_px][self._pair_at[index]]) if self._pair_px is not None else None
        if self._flip > 0 and self._chance(index) < self._flip:
            image = np.ascontiguousarray(image[:, ::-1])
            vlr = None if vlr is None else np.ascontiguousarray(vlr[:, ::-1])
        return Item(image, int(self.labels[index]), int(self._rows[index]), vlr)

    def set_epoch(self, epoch: int) -> None:
        """Draw anew; call it before the epoch's loader is iterated."""
        self.epoch = epoch

    def _chance(self, index: int) -> float:
        return seed_for(self._seed, self.epoch, index) / 2**32

    def _mapped(self) -> dict[int, NDArray[np.uint8]]:
        if self._arrays is None:
            self._arrays = open_cache(*self._open)
        return self._arrays

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": None}  # maps, not pixels, cross over to a worker


def collate(items: Sequence[Item]) -> dict[str, Tensor]:
    """A batch: "image" float32 (N, 3, 112, 112) in [-1, 1], "identity" and "row" int64 (N,), and "vlr" (N, 3, s, s)
    at its own size where there is one. A smaller image is enlarged by bicubic first, as the encoder takes it."""
    images = [resize(item.image, CROP_PX) for item in items]
    batch = {
        "image": to_tensor(images),
        "identity": torch.tensor([item.identity for item in items], dtype=torch.int64),
        "row": torch.tensor([item.row for item in items], dtype=torch.int64),
    }
    small = [item.vlr for item in items if item.vlr is not None]
    if small:
        batch["vlr"] = to_tensor(small)
    return batch


def make_loader(
    faces: Faces, batch_size: int, *, shuffle: bool, workers: int = 0, seed: int = 0, drop_last: bool = False
) -> DataLoader[Item]:
    """Batches by `collate`, in an order that follows from `seed` and `faces.epoch` alone, whatever `workers` is."""
    generator = torch.Generator()
    generator.manual_seed(seed_for(seed, "order", faces.epoch))
    return DataLoader(
        faces,
        batch_size,
        shuffle=shuffle,
        num_workers=workers,
        collate_fn=collate,
        generator=generator,
        drop_last=drop_last,
    )


def _chosen(
    dataset: Dataset, split: str, kind: str, size_px: int, pair_px: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the wanted images, their places in the cache's array of that size, and their VLR partners' places."""
    frame = dataset.frame.reset_index(drop=True)
    place = frame.groupby("size_px").cumcount()
    rows = frame[(frame["split"] == split) & (frame["kind"] == kind) & (frame["size_px"] == size_px)]
    partner = np.zeros(len(rows), dtype=np.int64)
    if pair_px is not None:
        small = frame[(frame["split"] == split) & (frame["kind"] == VLR) & (frame["size_px"] == pair_px)]
        found = dict(zip(small["pair"], place[small.index], strict=True))
        rows = rows[among(rows["pair"], found)]
        partner = np.array([found[pair] for pair in rows["pair"]], dtype=np.int64)
    if rows.empty:
        what = f"{kind} images of {size_px} px" + (f" with VLR of {pair_px} px" if pair_px is not None else "")
        raise DatasetInvalid(
            f"{dataset.info.name} has no {what} in {split or 'its unsplit part'}.", "Check which sizes it holds."
        )
    at = np.asarray(place[rows.index], dtype=np.int64)
    return np.asarray(rows.index, dtype=np.int64), at, partner
