"""Batches as a pure function of epoch and step: no state, so a resumed run sees the same batches.

A step's draws are made for the whole effective batch and then split, so several processes or accumulated pieces see
the same images with the same augmentation as one process with the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.dataset.degrade import CameraRanges, seed_for
from core.settings import CROP_PX
from core.training.augment import Draws, changed, draw, recoloured
from core.training.data import TrainingData
from core.training.degrade import camera_batch, enlarge, resize_batch, to_network
from core.training.errors import UnfitData
from core.training.occlude import DRAWS, occluded
from core.training.photo_crop import as_cut, draw_cuts, photographed
from core.training.recipe import Stage

BANK = 4096
"""Number of train images whose teacher embeddings `losses.contrast` compares with, drawn at random in each step."""


@dataclass(frozen=True)
class Batch:
    """Images of one step for the network, [-1, 1] (N, 3, 112, 112).

    `view` is the encoder's input, after the upscaler where `upscales`; `shown` the HR of the view where it isn't
    exactly `hr`. Both `hr` and `shown` are there only for stages with a loss that compares with them. `target` (N, 512)
    are the teacher's cached embeddings, `bank` (M, 512) those of drawn train images, `embeddings` (N, 512) a frozen
    encoder's of the view. `size_px` is the drawn size; `is_hr` is true where `view` is HR itself.
    """

    hr: Tensor | None
    view: Tensor
    upscales: bool
    labels: Tensor
    rows: NDArray[np.int64]
    size_px: int
    is_hr: bool
    shown: Tensor | None = None
    target: Tensor | None = None
    bank: Tensor | None = None
    embeddings: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def whole(self) -> Tensor:
        """`hr`, in a stage that compares with it."""
        assert self.hr is not None, "the stage has no loss that compares with HR"
        return self.hr


@dataclass(frozen=True)
class Sources:
    """Sources of pixels and targets.

    `takes` says whether the upscaler enlarges a size; `sr` holds a frozen upscaler's output of the VLR files by size,
    uint8 (N, 112, 112, 3); `targets` (N, 512) the teacher's embeddings as targets, `bank` (N, 512) the same to
    draw from.
    """

    data: TrainingData
    takes: Callable[[int], bool]
    sr: dict[int, NDArray[np.uint8]]
    targets: NDArray[np.float32] | None
    bank: NDArray[np.float32] | None = None


class BatchMaker:
    """The batches of a stage."""

    def __init__(
        self, stage: Stage, sources: Sources, *, batch_size: int, seed: int, device: str, parts: int = 1
    ) -> None:
        """`parts`: number of nearly equal pieces of a batch, over processes and accumulation. Raises UnfitData where
        there are fewer images than that."""
        self._stage, self._sources, self._device = stage, sources, device
        self._seed = seed_for(seed, stage.name)
        self.sizes = stage.sizes_px or sources.data.vlr_sizes or (CROP_PX,)
        count = len(sources.data.train)
        self.batch_size = min(batch_size, count)
        if self.batch_size < parts:
            raise UnfitData(
                f"{count} train images can't be split into {parts} parts.",
                "Use fewer processes or parts (accumulate), or add images.",
            )
        self._parts = parts
        losses, targets = stage.losses, sources.targets
        self._compares_hr = losses.needs_hr or (losses.wants_targets and targets is None)
        self.steps = count // self.batch_size
        """Steps of an epoch: whole batches only; each epoch leaves out other images."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The identity number of every train row."""
        return self._sources.data.train.labels

    @property
    def fingerprint(self) -> str:
        """Everything that a view depends on besides networks and pixels, for cache names."""
        stage = self._stage
        shares = f"{stage.files} {stage.camera} {stage.photographed}"
        return f"{self._seed} {self.sizes} {shares} {stage.camera_ranges} {stage.through} {stage.augment}"

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Rows of an epoch (from 1) in order: (steps x batch_size,)."""
        shuffled = np.random.RandomState(seed_for(self._seed, "order", epoch)).permutation(len(self.labels))
        return shuffled[: self.steps * self.batch_size].astype(np.int64)

    def piece(self, number: int) -> slice:
        """Slice of piece `number` (from 0) of a batch."""
        return slice(number * self.batch_size // self._parts, (number + 1) * self.batch_size // self._parts)

    def make(self, epoch: int, step: int, part: slice, pool: ThreadPoolExecutor | None = None) -> Batch:
        """Make the rows `part` of the effective batch at `step` (from 0) of `epoch` (from 1)."""
        rows = self.order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        return self.build(rows, self.step_seed(epoch, step), part, pool=pool)

    def step_seed(self, epoch: int, step: int) -> int:
        """Seed of every draw in a step."""
        return seed_for(self._seed, "step", epoch, step)

    def view(self, number: int, rows: NDArray[np.int64]) -> Batch:
        """Make fixed view `number` (from 0) of these rows: each view has its own draws and one size."""
        seed = seed_for(self._seed, "view", number, int(rows[0]))
        return self.build(rows, seed, slice(None), size=self.sizes[number % len(self.sizes)])

    def build(
        self,
        rows: NDArray[np.int64],
        seed: int,
        part: slice,
        *,
        size: int | None = None,
        pool: ThreadPoolExecutor | None = None,
    ) -> Batch:
        """Make `part` of a batch of train rows, drawn from `seed`; `size` None: one of the stage's, drawn too."""
        stage, train = self._stage, self._sources.data.train
        generator = torch.Generator().manual_seed(seed)
        choice = torch.rand(2, generator=generator).tolist()
        if size is None:
            size = self.sizes[min(int(choice[0] * len(self.sizes)), len(self.sizes) - 1)]
        of_all = draw(stage.augment, len(rows), generator)
        draws = of_all.part(part)
        camera = torch.rand(len(rows), generator=generator) < stage.camera
        cuts, camera = draw_cuts(camera, size, generator).part(part), camera[part]
        as_photographed = bool(torch.rand(1, generator=generator) < stage.photographed)
        hides = torch.rand((len(rows), 1 + DRAWS), generator=generator)[part]
        mirrored = [len(rows) - 1 - place for place in range(len(rows))[part]]
        apart = of_all.mix is not None and len(mirrored) < len(rows)
        others = rows[mirrored]
        from_file = choice[1] < stage.files and size in train.vlr and bool((train.vlr[size][rows] >= 0).all())
        rows = rows[part]
        hr_pixels = self._sources.data.hr_batch(train, rows).to(self._device)
        partners: tuple[Tensor, Draws] | None = None
        if apart:  # the image mixed in may be in another piece of the batch
            partners = self._sources.data.hr_batch(train, others).to(self._device), of_all.part(mirrored)
        shown: Tensor | None = None
        upscales = stage.through == "upscaler" and self._sources.takes(size)
        if from_file:
            hr, view, upscales = self._filed(hr_pixels, rows, size, draws, upscales)
        else:
            hr = view = changed(hr_pixels, stage.augment, draws, partners=partners)
            if size != CROP_PX:
                view = self._hidden(hr_pixels, hr, draws, hides)
                compares = stage.losses.pixel > 0
                shown = view if compares and view is not hr else None
                seeds = [seed_for(seed, int(row)) for row in rows] if bool(camera.any()) else []
                shrink = partial(_shrunk, size, stage.camera_ranges, camera, seeds, pool)
                if as_photographed:
                    shown = as_cut(view, cuts) if compares else None
                    view = photographed(view, cuts, shrink)
                else:
                    view = enlarge(shrink(view))
        bank = self._sources.bank
        return Batch(
            hr=to_network(hr) if self._compares_hr else None,
            view=to_network(view),
            upscales=upscales,
            labels=torch.from_numpy(train.labels[rows]).to(self._device),
            rows=rows,
            size_px=size,
            is_hr=size == CROP_PX and not from_file,
            shown=None if shown is None else to_network(shown),
            target=self._embeddings(self._sources.targets, rows),
            bank=None if bank is None else self._embeddings(bank, _bank_rows(seed, len(bank))),
        )

    def _hidden(self, pixels: Tensor, hr: Tensor, draws: Draws, hides: Tensor) -> Tensor:
        """The changed HR, with a mask or glasses under the same changes where they are drawn; `hr` itself for none."""
        chosen = torch.nonzero(hides[:, 0] < self._stage.augment.occlude)[:, 0].tolist()
        if not chosen:
            return hr
        result = hr.clone()
        result[chosen] = changed(occluded(pixels[chosen], hides[chosen, 1:]), self._stage.augment, draws.part(chosen))
        return result

    def _embeddings(self, of_all: NDArray[np.float32] | None, rows: NDArray[np.int64]) -> Tensor | None:
        return None if of_all is None else torch.from_numpy(np.array(of_all[rows], dtype=np.float32)).to(self._device)

    def _filed(
        self, hr: Tensor, rows: NDArray[np.int64], size: int, draws: Draws, upscales: bool
    ) -> tuple[Tensor, Tensor, bool]:
        """(HR, view, whether it has still to go through the upscaler) with the data set's own VLR files, or with what
        the upscaler made of them before."""
        augment = self._stage.augment
        train = self._sources.data.train
        hr = changed(hr, augment, draws, move=False)
        if size in self._sources.sr and upscales:
            kept = torch.from_numpy(np.ascontiguousarray(self._sources.sr[size][rows])).permute(0, 3, 1, 2)
            return hr, recoloured(kept.to(self._device), augment, draws), False
        small = self._sources.data.vlr_batch(train, size, rows).to(self._device)
        return hr, enlarge(recoloured(small, augment, draws)), upscales


def _shrunk(
    size: int,
    ranges: CameraRanges,
    camera: Tensor,
    seeds: list[int],
    pool: ThreadPoolExecutor | None,
    pixels: Tensor,
) -> Tensor:
    """uint8 (N, 3, 112, 112) -> uint8 (N, 3, size, size) by bicubic, where `camera` (N,) is true by the camera."""
    chosen = torch.nonzero(camera)[:, 0]
    if not len(chosen):
        return resize_batch(pixels, size)
    small = torch.empty((len(pixels), size, size, 3), dtype=torch.uint8, device=pixels.device).permute(0, 3, 1, 2)
    small[chosen] = camera_batch(pixels[chosen], size, ranges, [seeds[i] for i in chosen.tolist()], pool)
    small[~camera] = resize_batch(pixels[~camera], size)
    return small


def _bank_rows(seed: int, count: int) -> NDArray[np.int64]:
    """Rows of a step's bank, with replacement, the same in all pieces of a batch."""
    return np.random.RandomState(seed_for(seed, "bank")).randint(count, size=BANK).astype(np.int64)


def ahead(make: Callable[[int], Batch], steps: range, workers: int) -> Iterator[Batch]:
    """Yield make(step) for every step in order, prefetched by `workers` threads."""
    if workers == 0:
        yield from (make(step) for step in steps)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
        waiting: list[Future[Batch]] = []
        try:
            for step in steps:
                waiting.append(pool.submit(make, step))
                if len(waiting) > workers:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()
