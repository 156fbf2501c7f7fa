"""VLR crops as cut from small photographs: rotated, scaled and shifted on the pixel grid, and cut at 112 px in one
step.

In a reduced crop the eyes are where the template has them, to a fraction of a pixel; in a face found in a small
photograph they aren't. Networks trained only on the first kind are worse on the second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from core.settings import CROP_PX
from core.training.degrade import resize_batch

TURN_DEG, SCALE = 12.0, 0.1
"""Maximum rotation and scaling of a face in the photograph; the shift is up to a pixel of the small image."""

LANDMARK_ERROR = {16: (0.04, 1.5, 1.7), 24: (0.03, 1.25, 1.3), 32: (0.025, 1.1, 1.1)}
"""Standard deviations of the alignment error of a small face against the large one: scale, degrees, and pixels of the
112 px crop on each axis, measured on 754 LFW photographs. Other sizes use the nearest one."""


@dataclass(frozen=True)
class Cuts:
    """For each of N images the 3 x 3 matrices, in image coordinates from -1 to 1, of its `pose` in the small photograph
    and of the alignment `error` of the cut."""

    pose: Tensor
    error: Tensor

    def part(self, rows: slice) -> Cuts:
        """Select the cuts of some of the images."""
        return Cuts(self.pose[rows], self.error[rows])


def draw_cuts(count: int, size_px: int, generator: torch.Generator) -> Cuts:
    """Draw cuts for `count` images of a size. The number of draws doesn't depend on the size."""
    even = torch.rand((count, 4), generator=generator) * 2 - 1
    normal = torch.randn((count, 4), generator=generator)
    scale, degrees, pixels = LANDMARK_ERROR[min(LANDMARK_ERROR, key=lambda px: abs(px - size_px))]
    pose = _similarity(even * torch.tensor([math.radians(TURN_DEG), SCALE, 2.0 / size_px, 2.0 / size_px]))
    error = _similarity(normal * torch.tensor([math.radians(degrees), scale, *[2 * pixels / CROP_PX] * 2]))
    return Cuts(pose, error)


def photographed(hr: Tensor, size_px: int, cuts: Cuts) -> tuple[Tensor, Tensor]:
    """uint8 (N, 3, 112, 112) -> (uint8 (N, 3, 112, 112) cut from an image of `size_px`, and its HR: float in 0 to 255,
    with the same alignment error)."""
    pose, error = cuts.pose.to(hr.device), cuts.error.to(hr.device)
    there = _warped(hr.float(), pose, "reflection").round_().clamp_(0, 255).to(torch.uint8)
    small = resize_batch(there, size_px).float()
    view = _warped(small, torch.linalg.inv(pose) @ error, "border").round_().clamp_(0, 255).to(torch.uint8)
    return view, _warped(hr.float(), error, "border").clamp_(0, 255)


def _similarity(values: Tensor) -> Tensor:
    """(N, 4) of radians, scale - 1, shift x, shift y -> (N, 3, 3)."""
    scale = 1 + values[:, 1]
    cos, sin = torch.cos(values[:, 0]) * scale, torch.sin(values[:, 0]) * scale
    nothing, one = torch.zeros_like(cos), torch.ones_like(cos)
    rows = [[cos, -sin, values[:, 2]], [sin, cos, values[:, 3]], [nothing, nothing, one]]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _warped(images: Tensor, matrices: Tensor, beyond: str) -> Tensor:
    """(N, 3, s, s) -> (N, 3, 112, 112), warped by bicubic (torch uses OpenCV's kernel here, a = -0.75, as the
    pipeline's crops do)."""
    shape = [len(images), 3, CROP_PX, CROP_PX]
    grid = functional.affine_grid(matrices[:, :2], shape, align_corners=False)
    return functional.grid_sample(images, grid, mode="bicubic", padding_mode=beyond, align_corners=False)
