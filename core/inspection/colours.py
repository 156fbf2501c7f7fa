"""Figures as pictures: difference maps on one shared scale, a saliency overlay, and a label drawn into a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.images import RGB
from core.inspection.values import INVENTED

_LEAST_SCALE = 16
"""A scale that ended lower would show the rounding of 8-bit pixels as differences."""

_ROUND_TO = 8


def shared_scale(maps: Sequence[NDArray[np.uint8]]) -> int:
    """The level (of 255) at which the colours of all `maps` end: the highest value in any, rounded up."""
    highest = max((int(one.max()) for one in maps if one.size), default=0)
    return min(255, max(_LEAST_SCALE, -(-highest // _ROUND_TO) * _ROUND_TO))


def difference_map(difference: NDArray[np.uint8], scale: int) -> RGB:
    """A difference (H, W), levels of 255, in colour (H, W, 3): black at 0, pale yellow from `scale` on."""
    share = np.clip(difference.astype(np.float32) / scale, 0, 1)
    return _inferno(share.astype(np.float32))


def colour_bar(width: int, height: int) -> RGB:
    """The colours of `difference_map` from 0 to the scale's end, from left to right."""
    return _inferno(np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1)))


def overlay(rgb: RGB, heat: NDArray[np.float32], side_px: int = 224, strength: float = 0.62) -> RGB:
    """A face (H, H, 3) in grey at `side_px`, with warm colour where `heat` (H, H) is high: 0 and below is none, its
    maximum all. Both are enlarged smoothly: the map is coarser than its pixels."""
    top = float(heat.max())
    share = np.clip(heat / top, 0, 1) if top > 0 else np.zeros_like(heat)
    size = (side_px, side_px)
    share = np.clip(cv2.resize(cv2.GaussianBlur(share, (0, 0), 3), size, interpolation=cv2.INTER_LINEAR), 0, 1)
    large = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC)
    grey = np.repeat(cv2.cvtColor(large, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2).astype(np.float32)
    warm = _inferno((0.35 + 0.6 * share).astype(np.float32)).astype(np.float32)
    weight = (strength * share)[..., None]
    mixed: RGB = np.rint(grey * (1 - weight) + warm * weight).astype(np.uint8)
    return mixed


def labelled(rgb: RGB, text: str = INVENTED) -> RGB:
    """The picture with `text` drawn into a dark strip at its lower edge, inside the picture; at least 112 px wide."""
    height, width = rgb.shape[:2]
    picture = Image.fromarray(rgb)
    draw = ImageDraw.Draw(picture, "RGBA")
    size = 14
    while size > 5 and draw.textlength(text, font=font(size)) > width - 6:
        size -= 1
    strip = size + 6
    draw.rectangle((0, height - strip, width, height), fill=(16, 20, 22, 215))
    draw.text((width / 2, height - strip / 2), text, font=font(size), fill=(255, 236, 200, 255), anchor="mm")
    return np.asarray(picture.convert("RGB"), dtype=np.uint8)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, so that a sheet looks the same on every machine."""
    return ImageFont.load_default(size=size)


def _inferno(share: NDArray[np.float32]) -> RGB:
    levels = np.rint(share * 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB), dtype=np.uint8)
