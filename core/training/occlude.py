"""Occlusion: face masks and glasses drawn onto aligned faces, at the places of the ArcFace template.

Plain shapes: at 12 to 48 px no more is left of real ones. Drawing masks where the landmarks are is how masked faces are
made for training elsewhere (MaskTheFace: Anwar and Raychowdhury, 2020); here the template takes the landmarks' place.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.faces.align import ARCFACE_TEMPLATE

DRAWS = 10
"""Numbers in [0, 1) that one image's occlusion takes; the first says which kind."""

_MASKS = 0.5
_LEFT_EYE, _RIGHT_EYE = ARCFACE_TEMPLATE[0], ARCFACE_TEMPLATE[1]
_SHIFT = 4
"""Fractional bits of OpenCV's coordinates."""


def occluded(images: Tensor, draws: Tensor) -> Tensor:
    """uint8 (N, 3, 112, 112) aligned faces with a mask or glasses each, by `draws` (N, DRAWS) in [0, 1)."""
    pictures = images.permute(0, 2, 3, 1).cpu().numpy().copy()
    for picture, values in zip(pictures, draws.double().tolist(), strict=True):
        draw = _mask if values[0] < _MASKS else _glasses
        draw(picture, values[1:])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).to(images.device)


def _mask(picture: NDArray[np.uint8], values: list[float]) -> None:
    """Nose to chin in one colour; the upper edge, the width and the chin vary by some px."""
    colour, (edge, cheek, wide, chin) = _colour(values[:3]), values[3:7]
    top, side, half = 60 + 14 * edge, 60 + 14 * cheek, 32 + 9 * wide
    outline = [(56, top), (56 - half, side), (56 - half * 0.9, 95), (56, 108 + 6 * chin)]
    outline += [(112 - x, y) for x, y in outline[2:0:-1]]
    cv2.fillPoly(picture, [np.array([_fixed(*point) for point in outline])], colour, cv2.LINE_AA, _SHIFT)


def _glasses(picture: NDArray[np.uint8], values: list[float]) -> None:
    """Two rims with a bridge and temples; in half of them dark lenses, which let at most 40 % of the light through."""
    colour = _colour([0.4 * value for value in values[:3]])
    dark, wide, high, thick, through = values[3:8]
    reach = 12 + 4 * wide
    rims = picture.copy()
    filled = dark < 0.5
    for eye in (_LEFT_EYE, _RIGHT_EYE):
        width = cv2.FILLED if filled else 1 + round(2 * thick)
        cv2.ellipse(rims, _fixed(*eye), _fixed(reach, 9 + 5 * high), 0, 0, 360, colour, width, cv2.LINE_AA, _SHIFT)
    share = 1 - 0.4 * through if filled else 1.0
    cv2.addWeighted(rims, share, picture, 1 - share, 0, dst=picture)
    left, right = _LEFT_EYE[0], _RIGHT_EYE[0]
    for start, end in ((left + reach, right - reach), (13, left - reach), (right + reach, 99)):
        y = _LEFT_EYE[1]
        cv2.line(picture, _fixed(start, y), _fixed(end, y), colour, 1 + round(thick), cv2.LINE_AA, _SHIFT)


def _colour(values: list[float]) -> tuple[int, int, int]:
    """A muted colour: the three values drawn towards their mean."""
    mean = sum(values) / 3
    red, green, blue = (round(255 * (0.4 * value + 0.6 * mean)) for value in values)
    return red, green, blue


def _fixed(x: float, y: float) -> tuple[int, int]:
    """Coordinates in px as OpenCV's fixed-point numbers."""
    return round(float(x) * 2**_SHIFT), round(float(y) * 2**_SHIFT)
