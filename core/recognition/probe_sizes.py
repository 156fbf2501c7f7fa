"""What a probe's size in native pixels means: how large a crop to cut, and which VLR size it counts as."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.images import resize
from core.settings import CROP_PX, VLR_SIZES_PX

HR_PROBE_PX = 64.0
"""From here on the aligned crop is cut at 112 px directly; below, at its native size, and the upscaler enlarges it."""

VLR_PROBE_PX = 40.0
"""Up to here a probe counts as very-low-resolution, of the nearest of 16, 24 and 32 px."""


def native_crop_px(size: float) -> int:
    """Side of the crop to cut for a probe_px: its own size where it is small, 112 px otherwise."""
    return CROP_PX if size >= HR_PROBE_PX else max(8, round(size))


def vlr_size(size: float) -> int | None:
    """The VLR size (16, 24 or 32 px) that a probe_px counts as; None when it is larger than 40 px."""
    if size > VLR_PROBE_PX:
        return None
    return min(VLR_SIZES_PX, key=lambda px: abs(px - size))


def reduce_photograph(rgb: NDArray[np.uint8], from_px: float, to_px: int) -> NDArray[np.uint8]:
    """The whole photograph shrunk (antialiased) so that a face of probe_px `from_px` gets `to_px`; never enlarged."""
    factor = to_px / from_px
    if factor >= 1:
        return rgb
    height, width = rgb.shape[:2]
    return resize(rgb, (max(1, round(width * factor)), max(1, round(height * factor))))
