"""Painting on a drawn face's flat texture: shapes and lines given in units of the head, as antialiased pixels.

Lengths are in units of about the head's half height; (0, 0) is the face's middle, y points down.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images import RGB

TEXTURE_PX = 288
REACH = 1.3
"""The texture shows [-REACH, REACH] on both axes."""

SHIFT = 4
"""Bits of a pixel in OpenCV's fixed-point coordinates."""


def grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each pixel lies: x and y, (TEXTURE_PX, TEXTURE_PX) each."""
    axis = ((np.arange(TEXTURE_PX) + 0.5) / TEXTURE_PX * 2 - 1) * REACH
    x, y = np.meshgrid(axis, axis)
    return x, y


def to_px(*points: tuple[float, float]) -> NDArray[np.int32]:
    """Points in units as OpenCV's fixed-point pixels (N, 2)."""
    scale = TEXTURE_PX / (2 * REACH)
    result: NDArray[np.int32] = np.rint(((np.array(points) + REACH) * scale - 0.5) * 2**SHIFT).astype(np.int32)
    return result


def fill(rgb: RGB, points: Sequence[tuple[float, float]], colour: Sequence[float]) -> None:
    """Fill a polygon."""
    cv2.fillPoly(rgb, [to_px(*points)], _tint(colour), cv2.LINE_AA, SHIFT)


def line(rgb: RGB, points: Sequence[tuple[float, float]], colour: Sequence[float], width: float) -> None:
    """Draw an open line, `width` in units."""
    thickness = max(1, round(width * TEXTURE_PX / (2 * REACH)))
    cv2.polylines(rgb, [to_px(*points)], False, _tint(colour), thickness, cv2.LINE_AA, SHIFT)


def _tint(colour: Sequence[float]) -> tuple[int, int, int]:
    red, green, blue = (int(np.clip(round(value), 0, 255)) for value in colour)
    return red, green, blue


def times(colour: Sequence[float], factor: float) -> list[float]:
    """The colour, lighter or darker."""
    return [value * factor for value in colour]


def arc(
    centre: tuple[float, float], radii: tuple[float, float], tilt_deg: float = 0, start: float = 0, end: float = 360
) -> list[tuple[float, float]]:
    """Points of an ellipse from `start` to `end` degrees (0 to the right, 90 down)."""
    angles = np.deg2rad(np.linspace(start, end, 40))
    turn = np.deg2rad(tilt_deg)
    x, y = radii[0] * np.cos(angles), radii[1] * np.sin(angles)
    xs = centre[0] + x * np.cos(turn) - y * np.sin(turn)
    ys = centre[1] + x * np.sin(turn) + y * np.cos(turn)
    return list(zip(xs.tolist(), ys.tolist(), strict=True))
