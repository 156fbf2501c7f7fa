"""The DSR network: residual blocks with a bicubic skip connection, on a 28 x 28 grid of the 112 px image's pixels.

The residual form follows EDSR (Lim et al., CVPR workshops 2017: blocks without normalisation), the sub-pixel step
ESPCN (Shi et al., CVPR 2016), its inverse at the entrance Real-ESRGAN (Wang et al., ICCV workshops 2021). One fixed
grid lets one network serve every input size from 12 to 48 px, and a block on it sees four times as far as on the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.settings import CROP_PX

SHUFFLE = 4
"""Pixels of 4 x 4 become channels: 112 px -> 28 x 28 x 48."""


@dataclass(frozen=True)
class DSRConfig:
    """Width and depth; 64 channels and 6 blocks give 0.50 M parameters."""

    channels: int = 64
    blocks: int = 6


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), both 3 x 3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.conv2(functional.relu(self.conv1(x)))
        return result


class DSR(nn.Module):
    """(N, 3, s, s) in [-1, 1], s from 12 to 48 -> (N, 3, 112, 112), in [-1, 1] unless it is in training.

    Untrained it equals bicubic (Pillow's, up to rounding), as the last layer starts at zero. In training the output
    isn't clipped, so that no pixel loses its gradient.
    """

    def __init__(self, config: DSRConfig | None = None) -> None:
        super().__init__()
        config = config or DSRConfig()
        pixels = 3 * SHUFFLE * SHUFFLE
        self.head = nn.Conv2d(pixels, config.channels, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(config.channels) for _ in range(config.blocks)))
        self.tail = nn.Conv2d(config.channels, pixels, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]  # it has one

    def forward(self, vlr: Tensor) -> Tensor:
        skip = vlr.float()
        if skip.shape[-1] != CROP_PX:
            # With antialias torch's bicubic has Pillow's kernel (a = -0.5) also where it enlarges.
            size = (CROP_PX, CROP_PX)
            skip = functional.interpolate(skip, size=size, mode="bicubic", align_corners=False, antialias=True)
        # The image stays float32; only the residual is computed in the weights' precision.
        pixels = functional.pixel_unshuffle(skip, SHUFFLE).to(self.head.weight.dtype)
        features = self.head(pixels)  # (N, channels, 28, 28)
        residual = functional.pixel_shuffle(self.tail(features + self.body(features)), SHUFFLE)  # (N, 3, 112, 112)
        image = skip + residual
        return image if self.training else torch.clamp(image, -1, 1)
