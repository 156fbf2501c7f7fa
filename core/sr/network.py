"""The DSR network: residual blocks on a 56 px grid over a bicubic skip, one pixel shuffle to 112 px.

The residual form follows EDSR (Lim et al., CVPR workshops 2017: blocks without normalisation), the sub-pixel step
ESPCN (Shi et al., CVPR 2016). A fixed grid lets one network serve every input size from 12 to 48 px.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.settings import CROP_PX

GRID_PX = CROP_PX // 2


@dataclass(frozen=True)
class DSRConfig:
    """Width and depth; 48 channels and 8 blocks give 0.34 M parameters."""

    channels: int = 48
    blocks: int = 8


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), both 3 x 3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(functional.relu(self.conv1(x)))


class DSR(nn.Module):
    """(N, 3, s, s) in [-1, 1], s from 12 to 48 -> (N, 3, 112, 112) in [-1, 1]."""

    def __init__(self, config: DSRConfig | None = None) -> None:
        super().__init__()
        config = config or DSRConfig()
        self.head = nn.Conv2d(3, config.channels, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(config.channels) for _ in range(config.blocks)))
        self.tail = nn.Conv2d(config.channels, 3 * 4, 3, padding=1)

    def forward(self, vlr: Tensor) -> Tensor:
        skip = functional.interpolate(vlr, size=(CROP_PX, CROP_PX), mode="bicubic", align_corners=False)
        grid = functional.interpolate(vlr, size=(GRID_PX, GRID_PX), mode="bicubic", align_corners=False)
        features = self.head(grid)
        residual = functional.pixel_shuffle(self.tail(features + self.body(features)), 2)  # (N, 3, 112, 112)
        return torch.clamp(skip + residual, -1, 1)
