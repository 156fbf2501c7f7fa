"""VLR crops as cut from small photographs: rotated, scaled and shifted on the pixel grid, and cut at 112 px in one
step.

In a reduced crop the eyes are where the template has them, to a fraction of a pixel; in a face found in a small
photograph they aren't. Networks trained only on the first kind are worse on the second.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.settings import CROP_PX

TURN_DEG, SCALE = 12.0, 0.1
"""Maximum rotation and scaling of a face in the photograph; the shift is up to a pixel of the small image."""

Error = tuple[float, float, float]
LANDMARK_ERROR: dict[int, Error] = {
    12: (0.022, 1.0, 0.75),
    16: (0.016, 0.75, 0.55),
    20: (0.013, 0.6, 0.4),
    24: (0.010, 0.45, 0.3),
    32: (0.008, 0.4, 0.23),
    40: (0.005, 0.35, 0.16),
}
CAMERA_LANDMARK_ERROR: dict[int, Error] = {
    12: (0.055, 2.3, 1.7),
    16: (0.038, 1.9, 1.2),
    20: (0.028, 1.3, 0.9),
    24: (0.022, 1.2, 0.75),
    32: (0.020, 0.95, 0.7),
    40: (0.016, 0.75, 0.45),
}
"""Standard deviations of the alignment error of a small face against the large one: scale, degrees, and pixels of the
112 px crop on each axis. Measured with the landmark network on 600 LFW photographs of folds 1 to 4, shrunk as whole
photographs by bicubic and by the camera chain with motion. Other sizes use the nearest one."""


_BEYOND = {"reflection": cv2.BORDER_REFLECT, "border": cv2.BORDER_REPLICATE}


@dataclass(frozen=True)
class Cuts:
    """For each of N images the 3 x 3 matrices, in image coordinates from -1 to 1, of its `pose` in the small photograph
    and of the alignment `error` of the cut."""

    pose: Tensor
    error: Tensor

    def part(self, rows: slice) -> Cuts:
        """Select the cuts of some of the images."""
        return Cuts(self.pose[rows], self.error[rows])


def draw_cuts(camera: Tensor, size_px: int, generator: torch.Generator) -> Cuts:
    """Draw cuts for images of a size; `camera` (N,) says which are made by the camera chain, where landmarks are less
    exact. The number of draws doesn't depend on the size."""
    count = len(camera)
    even = torch.rand((count, 4), generator=generator) * 2 - 1
    normal = torch.randn((count, 4), generator=generator)
    spread = torch.where(camera[:, None], _spread(CAMERA_LANDMARK_ERROR, size_px), _spread(LANDMARK_ERROR, size_px))
    pose = _similarity(even * torch.tensor([math.radians(TURN_DEG), SCALE, 2.0 / size_px, 2.0 / size_px]))
    return Cuts(pose, _similarity(normal * spread))


def _spread(errors: dict[int, Error], size_px: int) -> Tensor:
    """(4,) standard deviations of radians, scale, shift x and shift y, in coordinates from -1 to 1."""
    scale, degrees, pixels = errors[min(errors, key=lambda px: abs(px - size_px))]
    return torch.tensor([math.radians(degrees), scale, *[2 * pixels / CROP_PX] * 2])


def photographed(hr: Tensor, cuts: Cuts, shrink: Callable[[Tensor], Tensor]) -> Tensor:
    """uint8 (N, 3, 112, 112) -> uint8 (N, 3, 112, 112), cut from small photographs, which `shrink` makes: uint8
    (N, 3, s, s)."""
    small = shrink(_warped(hr, cuts.pose, "reflection"))
    return _warped(small, torch.linalg.inv(cuts.pose) @ cuts.error, "border")


def as_cut(hr: Tensor, cuts: Cuts) -> Tensor:
    """uint8 (N, 3, 112, 112) with the alignment error of the cut: the HR of what `photographed` makes."""
    return _warped(hr, cuts.error, "border")


def _similarity(values: Tensor) -> Tensor:
    """(N, 4) of radians, scale - 1, shift x, shift y -> (N, 3, 3)."""
    scale = 1 + values[:, 1]
    cos, sin = torch.cos(values[:, 0]) * scale, torch.sin(values[:, 0]) * scale
    nothing, one = torch.zeros_like(cos), torch.ones_like(cos)
    rows = [[cos, -sin, values[:, 2]], [sin, cos, values[:, 3]], [nothing, nothing, one]]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _warped(images: Tensor, matrices: Tensor, beyond: Literal["reflection", "border"]) -> Tensor:
    """uint8 (N, 3, s, s) -> uint8 (N, 3, 112, 112), warped by bicubic: on the CPU by OpenCV, as the pipeline cuts its
    crops; elsewhere by torch, which has the same kernel (a = -0.75) without OpenCV's steps of 1/32 px."""
    if images.device.type != "cpu":
        shape = [len(images), 3, CROP_PX, CROP_PX]
        grid = functional.affine_grid(matrices[:, :2].to(images.device), shape, align_corners=False)
        warped = functional.grid_sample(images.float(), grid, mode="bicubic", padding_mode=beyond, align_corners=False)
        return warped.round_().clamp_(0, 255).to(torch.uint8)
    pictures = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    side = pictures.shape[1]
    result = np.empty((len(pictures), CROP_PX, CROP_PX, 3), dtype=np.uint8)
    to_places = _in_pixels(matrices.double().numpy(), side)
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    for picture, to_place, made in zip(pictures, to_places, result, strict=True):
        cv2.warpAffine(picture, to_place, (CROP_PX, CROP_PX), dst=made, flags=how, borderMode=_BEYOND[beyond])
    return torch.from_numpy(result).permute(0, 3, 1, 2)


def _in_pixels(matrices: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """3 x 3 matrices (N, 3, 3) from places of a 112 px image to those of one of `side` px, both from -1 to 1, as 2 x 3
    matrices (N, 2, 3) between their pixels."""
    to_units = np.array([[2 / CROP_PX, 0, 1 / CROP_PX - 1], [0, 2 / CROP_PX, 1 / CROP_PX - 1], [0, 0, 1]])
    to_pixels = np.array([[side / 2, 0, side / 2 - 0.5], [0, side / 2, side / 2 - 0.5]])
    return np.asarray(to_pixels @ matrices @ to_units, dtype=np.float64)
