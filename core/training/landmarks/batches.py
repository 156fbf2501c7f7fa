"""Batches of landmark samples as a pure function of seed and step: no state, so a resumed run sees the same."""

from __future__ import annotations

import multiprocessing
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from core.dataset.degrade import seed_for
from core.training.landmarks.prepared import SourceSet
from core.training.landmarks.samples import draw_sample

_AHEAD = 4
"""Batches that each process prepares in advance."""


@dataclass(frozen=True)
class Material:
    """What samples are drawn from: sets of sources, and sample images without a face."""

    sets: Sequence[SourceSet]
    textures: Sequence[NDArray[np.uint8]]

    @property
    def shares(self) -> list[float]:
        """The share of samples that each set gives, whatever its size: windows of photographs and crops alike."""
        return [1 / len(self.sets)] * len(self.sets)


class Batch(NamedTuple):
    """Looks uint8 (N, 80, 80, 3), points (N, 5, 2) in the looks' units, and 1 for a face or 0 (N,)."""

    images: Tensor
    points: Tensor
    is_face: Tensor


class _Batches(Dataset[tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]]):
    def __init__(self, material: Material, size: int, steps: range, seed: int) -> None:
        self._material, self._size, self._steps, self._seed = material, size, steps, seed

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        cv2.setNumThreads(1)
        return make_batch(self._material, self._size, self._steps[place], self._seed)


def make_batch(
    material: Material, size: int, step: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """The images, points and kinds of a step's batch."""
    rng = np.random.default_rng(seed_for(seed, "landmarks", step))
    drawn = [draw_sample(material.sets, material.shares, material.textures, rng) for _ in range(size)]
    return (
        np.stack([sample.image for sample in drawn]),
        np.stack([sample.points for sample in drawn]),
        np.array([sample.is_face for sample in drawn], dtype=np.float32),
    )


def batches(material: Material, size: int, steps: range, *, seed: int, workers: int) -> Generator[Batch]:
    """Yield the batches of `steps`, drawn by `workers` processes: Python's lock would let threads wait.

    Where the system can't fork a process (Windows), this one draws them: a copy of the sources for each would be large.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        workers = 0
    loader = DataLoader(
        _Batches(material, size, steps, seed),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        multiprocessing_context="fork" if workers else None,
    )
    for images, points, is_face in loader:
        yield Batch(images, points, is_face)
