"""Degradation and enlargement of batches: the project's bicubic (Pillow's, antialiased, 8 bits) on tensors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.dataset.degrade import CameraRanges, degrade
from core.settings import CROP_PX


def resize_batch(images: Tensor, size_px: int) -> Tensor:
    """uint8 (N, 3, H, W) -> uint8 (N, 3, size_px, size_px), antialiased bicubic, rounded to 8 bits.

    On the CPU torch has Pillow's own algorithm on 8-bit numbers: reduced, within 1 level of `core.images.resize`;
    enlarged, within 2, and in 999 of 1,000 values within 1. Elsewhere it has none, and `resize_by_weights` gives the
    pixels of `core.images.resize`.
    """
    if images.shape[-1] == size_px and images.shape[-2] == size_px:
        return images
    if images.device.type == "cpu":
        return functional.interpolate(images, size=(size_px, size_px), mode="bicubic", antialias=True)
    if images.device.type == "mps":  # no float64 there
        return resize_batch(images.cpu(), size_px).to(images.device)
    return resize_by_weights(images, size_px)


def resize_by_weights(images: Tensor, size_px: int) -> Tensor:
    """uint8 (N, 3, H, W) -> uint8 (N, 3, size_px, size_px), identical to Pillow's bicubic.

    Its arithmetic: rows first, then columns, each by whole numbers of 2^-22 as weights and rounded to 8 bits. Float64
    holds those sums exactly. One pass in floating point, as torch offers it on a GPU, clips no overshoot in between:
    it is up to 26 levels off.
    """
    for axis in (-1, -2):
        if images.shape[axis] != size_px:
            weights = _weights(images.shape[axis], size_px).to(images.device)
            sums = (images.to(torch.float64).movedim(axis, -1) @ weights).movedim(-1, axis)
            images = sums.add_(_HALF).div_(2 * _HALF).floor_().clamp_(0, 255).to(torch.uint8)
    return images


_IN_NETWORK = torch.arange(256, dtype=torch.float32).div(127.5).sub_(1.0).numpy()
"""Each 8-bit level in [-1, 1]."""
_HALF = float(2**21)
_REACH = 2.0
"""Radius of Pillow's bicubic kernel in pixels, scaled with the reduction."""


@lru_cache(maxsize=64)
def _weights(before: int, after: int) -> Tensor:
    """(before, after) float64: weight of each pixel in each resized one, in units of 2^-22."""
    scale = before / after
    wide = max(scale, 1.0)
    centre = (np.arange(after) + 0.5) * scale
    first = np.maximum((centre - _REACH * wide + 0.5).astype(int), 0)
    last = np.minimum((centre + _REACH * wide + 0.5).astype(int), before)
    at = np.arange(before)[:, None]
    weight = np.where((at >= first) & (at < last), _kernel(np.abs((at - centre + 0.5) / wide)), 0.0)
    weight /= weight.sum(axis=0)
    return torch.from_numpy(np.trunc(weight * 2 * _HALF + np.copysign(0.5, weight)))


def _kernel(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys's bicubic with a = -0.5 at distances x >= 0."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * -0.5
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def enlarge(small: Tensor) -> Tensor:
    """uint8 (N, 3, s, s) -> uint8 (N, 3, 112, 112) by bicubic, the encoder's input without a DSR network."""
    return resize_batch(small, CROP_PX)


def camera_batch(
    images: Tensor, size_px: int, ranges: CameraRanges, seeds: list[int], pool: ThreadPoolExecutor | None = None
) -> Tensor:
    """uint8 (N, 3, 112, 112) -> uint8 (N, 3, size_px, size_px), by the camera chain, each with its own seed."""
    pictures = images.permute(0, 2, 3, 1).cpu().numpy()

    def one(work: tuple[np.ndarray, int]) -> np.ndarray:
        return degrade(np.ascontiguousarray(work[0]), size_px, "camera", seed=work[1], ranges=ranges)[0]

    work = zip(pictures, seeds, strict=True)
    small = list(pool.map(one, work)) if pool is not None else [one(each) for each in work]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).to(images.device)


def to_network(images: Tensor) -> Tensor:
    """uint8 or float (N, 3, H, W) in 0 to 255 -> float32 in [-1, 1], channels-last; uint8 on the CPU by a table,
    with the same values in a fourth of the time."""
    if images.dtype == torch.uint8 and images.device.type == "cpu" and len(images):
        pixels = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
        levels = np.asarray(cv2.LUT(pixels.reshape(len(pixels), -1), _IN_NETWORK), dtype=np.float32)
        return torch.from_numpy(levels.reshape(pixels.shape)).permute(0, 3, 1, 2)
    scaled = images.to(torch.float32).div(127.5).sub_(1.0)
    return scaled.contiguous(memory_format=torch.channels_last)


def to_pixels(tensor: Tensor) -> Tensor:
    """float (N, 3, H, W) in [-1, 1] -> uint8, rounded and clipped, as a DSR network's output is stored."""
    return tensor.detach().float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
