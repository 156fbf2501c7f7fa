"""Cached outputs of a run's frozen networks: teacher targets, SR images, embeddings of fixed views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.models.variants import EMBEDDING_DIM
from core.settings import CROP_PX
from core.training.accelerator import Runner
from core.training.array_cache import cached, chunks, fits, network_hash
from core.training.batches import Batch, BatchMaker
from core.training.data import Split, TrainingData
from core.training.degrade import enlarge, to_network, to_pixels
from core.training.networks import Networks

ProgressCallback = Callable[[str, int, int], None]
"""Called with the step's name, images done and images in total."""

_CHUNK = 128


@dataclass(frozen=True)
class FeatureCache:
    """The cached features of a data set in a folder."""

    folder: Path
    data: TrainingData
    runner: Runner
    report: ProgressCallback
    alone: bool = False
    """True where only the first process calls: no other waits."""

    def teacher_targets(self, teacher: nn.Module, split: Split) -> NDArray[np.float32]:
        """Return (N, 512) unit embeddings of the HR images, each summed with its mirror image's."""
        shape = (len(split), EMBEDDING_DIM)
        parts = ["teacher", network_hash(teacher), self._place(split)]

        def fill(out: NDArray[np.float32]) -> None:
            for rows in chunks(len(split), _CHUNK):
                images = to_network(self.data.hr_batch(split, rows).to(self.runner.device))
                out[rows] = self._embedded(teacher, images, mirror=True)
                self.report("cache embeddings", rows.stop, len(split))

        return self._once(parts, shape, np.float32, fill)

    def super_resolved(self, networks: Networks, split: Split, size_px: int) -> NDArray[np.uint8] | None:
        """Return (N, 112, 112, 3), the frozen upscaler's output of the VLR files of a size; None where the disk is too
        small or a file is missing."""
        shape = (len(split), CROP_PX, CROP_PX, 3)
        places = split.vlr.get(size_px)
        if networks.upscaler is None or not networks.takes(size_px) or places is None or (places < 0).any():
            return None
        if not fits(self.folder, shape, np.uint8):
            return None
        upscaler = networks.upscaler
        parts = ["sr-of-112", network_hash(upscaler), self._place(split), size_px]

        def fill(out: NDArray[np.uint8]) -> None:
            for rows in chunks(len(split), _CHUNK):
                enlarged = to_network(enlarge(self.data.vlr_batch(split, size_px, rows).to(self.runner.device)))
                with torch.no_grad(), self.runner.autocast():
                    sr = to_pixels(upscaler(enlarged))
                out[rows] = sr.permute(0, 2, 3, 1).cpu().numpy()
                self.report("cache super-resolved", rows.stop, len(split))

        return self._once(parts, shape, np.uint8, fill)

    def views(self, encoder: nn.Module, networks: Networks, maker: BatchMaker, count: int) -> NDArray[np.float32]:
        """Return (K, N, 512) raw embeddings of K fixed augmented views of each train image."""
        number = len(self.data.train)
        upscaler = network_hash(networks.upscaler)
        parts = ["views", network_hash(encoder), upscaler, self._place(self.data.train), maker.fingerprint]

        def fill(out: NDArray[np.float32]) -> None:
            for view in range(count):
                for rows in chunks(number, _CHUNK):
                    batch = maker.view(view, np.arange(rows.start, rows.stop))
                    out[view, rows] = self._embedded(encoder, self._seen(networks, batch))
                    self.report("cache embeddings", view * number + rows.stop, count * number)

        return self._once(parts, (count, number, EMBEDDING_DIM), np.float32, fill)

    def _seen(self, networks: Networks, batch: Batch) -> Tensor:
        if not batch.upscales:
            return batch.view
        assert networks.upscaler is not None
        with torch.no_grad(), self.runner.autocast():
            return to_network(to_pixels(networks.upscaler(batch.view)))

    def _embedded(self, network: nn.Module, images: Tensor, *, mirror: bool = False) -> NDArray[np.float32]:
        with torch.no_grad(), self.runner.autocast():
            raw = network(images).float()
            if mirror:
                raw = functional.normalize(raw + network(images.flip(3)).float(), dim=1)
        values: NDArray[np.float32] = raw.cpu().numpy()
        return values

    def _place(self, split: Split) -> str:
        which = "train" if split is self.data.train else "val"
        return f"{self.data.dataset.key}/{which}/{len(split)}/{self.runner.precision}/{self.runner.kind}"

    def _once(
        self, parts: Sequence[object], shape: tuple[int, ...], dtype: type, fill: Callable[..., None]
    ) -> NDArray[Any]:
        """Compute in the first process while the others wait."""
        if self.alone:
            return cached(self.folder, parts, shape, dtype, fill)
        if not self.runner.first:
            self.runner.broadcast(None)
        array = cached(self.folder, parts, shape, dtype, fill)
        if self.runner.first:
            self.runner.broadcast(None)
        return array
