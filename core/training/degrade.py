"""HR to VLR and back for whole batches: the project's bicubic (Pillow's, antialiased, 8 bits) on tensors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.dataset.degrade import degrade
from core.settings import CROP_PX


def resize_batch(images: Tensor, size_px: int) -> Tensor:
    """uint8 (N, 3, H, W) -> uint8 (N, 3, size_px, size_px), antialiased bicubic, rounded to 8 bits.

    On the CPU torch has Pillow's own algorithm on 8-bit numbers: reduced, within 1 level of `core.images.resize`;
    enlarged, within 2, and in 999 of 1,000 values within 1.
    """
    if images.shape[-1] == size_px and images.shape[-2] == size_px:
        return images
    size = (size_px, size_px)
    if images.device.type == "cpu":
        return functional.interpolate(images, size=size, mode="bicubic", antialias=True)
    enlarged = functional.interpolate(images.float(), size=size, mode="bicubic", antialias=True)
    return enlarged.round_().clamp_(0, 255).to(torch.uint8)


def enlarge(small: Tensor) -> Tensor:
    """uint8 (N, 3, s, s) -> uint8 (N, 3, 112, 112) by bicubic: what the encoder is given without a DSR network."""
    return resize_batch(small, CROP_PX)


def camera_batch(images: Tensor, size_px: int, seeds: list[int], pool: ThreadPoolExecutor | None = None) -> Tensor:
    """uint8 (N, 3, 112, 112) -> uint8 (N, 3, size_px, size_px), each by the camera chain under its own seed."""
    pictures = images.permute(0, 2, 3, 1).cpu().numpy()
    one = partial(_camera, size_px)
    work = zip(pictures, seeds, strict=True)
    small = list(pool.map(one, work)) if pool is not None else [one(each) for each in work]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).to(images.device)


def _camera(size_px: int, work: tuple[np.ndarray, int]) -> np.ndarray:
    picture, seed = work
    return degrade(np.ascontiguousarray(picture), size_px, "camera", seed=seed)[0]


def to_network(images: Tensor) -> Tensor:
    """uint8 or float (N, 3, H, W) in 0 to 255 -> float32 in [-1, 1], channels-last."""
    scaled = images.to(torch.float32).div(127.5).sub_(1.0)
    return scaled.contiguous(memory_format=torch.channels_last)


def to_pixels(tensor: Tensor) -> Tensor:
    """float (N, 3, H, W) in [-1, 1] -> uint8, rounded and clipped: what a DSR network's output is kept as."""
    return tensor.detach().float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
