"""Occlusion saliency: the loss of score when parts of the face are covered (Zeiler and Fergus, ECCV 2014).

A square slides over the 112 px crop; a pixel's saliency is the mean loss over the squares that covered it. All covered
crops go through the encoder in batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images import RGB
from core.settings import CROP_PX

PATCH_PX = 16
STRIDE_PX = 8

Encode = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Saliency:
    """`heat` (112, 112) float32: how much the cosine falls on average when that pixel is covered; negative where it
    rises. `score` is the cosine of the whole crop; `covered` how many covered crops were embedded."""

    heat: NDArray[np.float32]
    score: float
    covered: int


def saliency(encode: Encode, crop: RGB, target: NDArray[np.float32]) -> Saliency:
    """The occlusion map of a crop uint8 (112, 112, 3) for its cosine to the unit vector `target` (512,).

    `encode` takes (N, 112, 112, 3) and gives unit rows, as Encoder.encode does.
    """
    starts = range(STRIDE_PX - PATCH_PX, CROP_PX, STRIDE_PX)  # the first and last squares stick out: edges count alike
    squares = [(slice(max(0, y), y + PATCH_PX), slice(max(0, x), x + PATCH_PX)) for y in starts for x in starts]
    filled = filling(crop)
    batch = np.repeat(crop[None], len(squares) + 1, axis=0)
    for place, (rows, columns) in enumerate(squares):
        batch[place, rows, columns] = filled[rows, columns]
    scores = encode(batch) @ target
    lost = scores[-1] - scores[:-1]
    total = np.zeros((CROP_PX, CROP_PX), np.float64)
    times = np.zeros((CROP_PX, CROP_PX), np.float64)
    for loss, (rows, columns) in zip(lost, squares, strict=True):
        total[rows, columns] += loss
        times[rows, columns] += 1
    return Saliency((total / times).astype(np.float32), float(scores[-1]), len(squares))


def filling(crop: RGB) -> RGB:
    """What covers a part: the crop so blurred that no feature is left, since a hard grey square would be a feature."""
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), CROP_PX / 8, borderType=cv2.BORDER_REFLECT), dtype=np.uint8)


def most_salient(heat: NDArray[np.float32], share: float = 0.10) -> NDArray[np.bool_]:
    """Return a mask (H, W) of the `share` of pixels with the highest heat; among equals the earlier ones."""
    count = round(heat.size * share)
    mask = np.zeros(heat.size, dtype=bool)
    mask[np.argsort(-heat, axis=None, kind="stable")[:count]] = True
    return mask.reshape(heat.shape)


def covered(crop: RGB, mask: NDArray[np.bool_]) -> RGB:
    """The crop with the pixels of `mask` (H, W) covered."""
    return np.asarray(np.where(mask[..., None], filling(crop), crop), dtype=np.uint8)
