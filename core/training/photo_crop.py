"""VLR as a small photograph gives it: turned, scaled and shifted on its pixels, and cut at 112 px in one step.

A crop that is reduced has its eyes where the template has them, to a fraction of a pixel; a face that is found in a
small photograph hasn't. Networks that have seen only the first kind are worse at the second.
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
"""How a face may lie in the photograph, at most, to both sides; its shift is up to a pixel of the small picture."""

LANDMARK_ERROR = {16: (0.04, 1.5, 1.7), 24: (0.03, 1.25, 1.3), 32: (0.025, 1.1, 1.1)}
"""Standard deviations of what the alignment of a small face is off by against that of the large one: scale, degrees,
and pixels of the 112 px crop on each axis, measured on 754 LFW photographs. Between and beyond these sizes the nearest
one counts."""


@dataclass(frozen=True)
class Cuts:
    """For each of N images the 3 x 3 matrices, in coordinates of the picture from -1 to 1, of how it `lies` in the
    small photograph, and of the `error` with which it is cut."""

    lies: Tensor
    error: Tensor

    def part(self, rows: slice) -> Cuts:
        """The cuts of some of the images."""
        return Cuts(self.lies[rows], self.error[rows])


def draw_cuts(count: int, size_px: int, generator: torch.Generator) -> Cuts:
    """Cuts for `count` images of that size. As many numbers are drawn for every size."""
    even = torch.rand((count, 4), generator=generator) * 2 - 1
    normal = torch.randn((count, 4), generator=generator)
    scale, degrees, pixels = LANDMARK_ERROR[min(LANDMARK_ERROR, key=lambda px: abs(px - size_px))]
    lies = _similarity(even * torch.tensor([math.radians(TURN_DEG), SCALE, 2.0 / size_px, 2.0 / size_px]))
    error = _similarity(normal * torch.tensor([math.radians(degrees), scale, *[2 * pixels / CROP_PX] * 2]))
    return Cuts(lies, error)


def photographed(hr: Tensor, size_px: int, cuts: Cuts) -> tuple[Tensor, Tensor]:
    """uint8 (N, 3, 112, 112) -> (uint8 (N, 3, 112, 112) cut from a picture of `size_px`, and the HR that it shows:
    float in 0 to 255, off by the same error)."""
    lies, error = cuts.lies.to(hr.device), cuts.error.to(hr.device)
    there = _warped(hr.float(), lies, "reflection").round_().clamp_(0, 255).to(torch.uint8)
    small = resize_batch(there, size_px).float()
    view = _warped(small, torch.linalg.inv(lies) @ error, "border").round_().clamp_(0, 255).to(torch.uint8)
    return view, _warped(hr.float(), error, "border").clamp_(0, 255)


def _similarity(values: Tensor) -> Tensor:
    """(N, 4) of radians, scale - 1, shift x, shift y -> (N, 3, 3)."""
    scale = 1 + values[:, 1]
    cos, sin = torch.cos(values[:, 0]) * scale, torch.sin(values[:, 0]) * scale
    nothing, one = torch.zeros_like(cos), torch.ones_like(cos)
    rows = [[cos, -sin, values[:, 2]], [sin, cos, values[:, 3]], [nothing, nothing, one]]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _warped(images: Tensor, matrices: Tensor, beyond: str) -> Tensor:
    """(N, 3, s, s) -> (N, 3, 112, 112), each place of the result fetched from where its matrix leads, by bicubic (torch
    has OpenCV's kernel there, a = -0.75, which cuts the pipeline's crops)."""
    shape = [len(images), 3, CROP_PX, CROP_PX]
    grid = functional.affine_grid(matrices[:, :2], shape, align_corners=False)
    return functional.grid_sample(images, grid, mode="bicubic", padding_mode=beyond, align_corners=False)
