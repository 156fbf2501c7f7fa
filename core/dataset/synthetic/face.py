"""A drawn person's face, painted flat and seen from the front: skin, features, hair and glasses.

Lengths are in units of about half the head's height; (0, 0) is the middle of the face, y points down.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from core.dataset.synthetic.looks import Expression, Looks
from core.images import RGB

TEXTURE_PX = 288
REACH = 1.3
"""The texture shows [-REACH, REACH] on both axes."""

_SHIFT = 4
"""Bits of a pixel in OpenCV's fixed-point coordinates."""


def _grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each pixel lies: x and y, (TEXTURE_PX, TEXTURE_PX) each."""
    axis = ((np.arange(TEXTURE_PX) + 0.5) / TEXTURE_PX * 2 - 1) * REACH
    x, y = np.meshgrid(axis, axis)
    return x, y


def _to_px(*points: tuple[float, float]) -> NDArray[np.int32]:
    """Points in units as OpenCV's fixed-point pixels (N, 2)."""
    scale = TEXTURE_PX / (2 * REACH)
    result: NDArray[np.int32] = np.rint(((np.array(points) + REACH) * scale - 0.5) * 2**_SHIFT).astype(np.int32)
    return result


def _fill(rgb: RGB, points: Sequence[tuple[float, float]], colour: Sequence[float]) -> None:
    """Fill a polygon."""
    cv2.fillPoly(rgb, [_to_px(*points)], _tint(colour), cv2.LINE_AA, _SHIFT)


def _line(rgb: RGB, points: Sequence[tuple[float, float]], colour: Sequence[float], width: float) -> None:
    """Draw an open line, `width` in units."""
    thickness = max(1, round(width * TEXTURE_PX / (2 * REACH)))
    cv2.polylines(rgb, [_to_px(*points)], False, _tint(colour), thickness, cv2.LINE_AA, _SHIFT)


def _tint(colour: Sequence[float]) -> tuple[int, int, int]:
    red, green, blue = (int(np.clip(round(value), 0, 255)) for value in colour)
    return red, green, blue


def _times(colour: Sequence[float], factor: float) -> list[float]:
    """The colour, lighter or darker."""
    return [value * factor for value in colour]


def _arc(
    centre: tuple[float, float], radii: tuple[float, float], tilt_deg: float = 0, start: float = 0, end: float = 360
) -> list[tuple[float, float]]:
    """Points of an ellipse from `start` to `end` degrees (0 to the right, 90 down)."""
    angles = np.deg2rad(np.linspace(start, end, 40))
    turn = np.deg2rad(tilt_deg)
    x, y = radii[0] * np.cos(angles), radii[1] * np.sin(angles)
    xs = centre[0] + x * np.cos(turn) - y * np.sin(turn)
    ys = centre[1] + x * np.sin(turn) + y * np.cos(turn)
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def paint(looks: Looks, expression: Expression) -> RGB:
    """The face painted flat, seen from the front: uint8 RGB (TEXTURE_PX, TEXTURE_PX, 3)."""
    rgb = _skin(looks).copy()
    _folds(rgb, looks, expression)
    _nose(rgb, looks)
    _mouth(rgb, looks, expression)
    for side in (-1, 1):
        _eye(rgb, looks, expression, side)
        _brow(rgb, looks, expression, side)
    _moles(rgb, looks)
    _hair(rgb, looks)
    if looks.glasses != "none":
        _glasses(rgb, looks)
    return rgb


def _folds(rgb: RGB, looks: Looks, expression: Expression) -> None:
    depth = looks.folds + 0.35 * max(0.0, expression.smile)
    if depth < 0.15:
        return
    colour = _times(looks.skin, 1 - 0.25 * min(depth, 0.8))
    for side in (-1, 1):
        top, low = (side * (looks.nose_width + 0.05), looks.nose_y), (side * (looks.mouth_width + 0.10), looks.mouth_y)
        bend = (side * (looks.mouth_width + 0.06), (looks.nose_y + looks.mouth_y) / 2)
        _line(rgb, [top, bend, low], colour, 0.014)


def _nose(rgb: RGB, looks: Looks) -> None:
    shade = _times(looks.skin, 0.72)
    for side in (-1, 1):
        wing = _arc((looks.nose_width * 0.72, looks.nose_y), (looks.nose_width * 0.36, 0.055), 0, -60, 110)
        _line(rgb, [(side * x, y) for x, y in wing], shade, 0.014)
        nostril = _arc(
            (side * looks.nose_width * 0.42, looks.nose_y + 0.045), (looks.nose_width * 0.24, 0.022), side * 12
        )
        _fill(rgb, nostril, _times(looks.skin, 0.36))
    _line(
        rgb, _arc((0, looks.nose_y + 0.03), (looks.nose_width * 0.3, 0.04), 0, 20, 160), _times(looks.skin, 0.62), 0.014
    )


def mouth_corner(looks: Looks, expression: Expression) -> tuple[float, float]:
    """The right mouth corner (x, y); the left one mirrors it."""
    return (
        looks.mouth_width * (1 + 0.13 * expression.smile - 0.08 * expression.open),
        looks.mouth_y - 0.055 * expression.smile,
    )


def _mouth(rgb: RGB, looks: Looks, expression: Expression) -> None:
    corner_x, corner_y = mouth_corner(looks, expression)
    x = np.linspace(-corner_x, corner_x, 41)
    arch = 1 - (x / corner_x) ** 2
    sag = corner_y + (looks.mouth_y + 0.02 * expression.smile - corner_y) * arch
    gap = 0.09 * expression.open * arch
    bow = 1 - 0.28 * np.exp(-((x / (0.16 * corner_x)) ** 2))
    upper = sag - gap * 0.35 - looks.lip_thickness * 0.75 * arch**0.7 * bow
    lower = sag + gap + looks.lip_thickness * arch**0.6
    lips = 0.62 * np.array(looks.lips) + 0.38 * np.array(looks.skin) * np.array([0.9, 0.72, 0.72])

    def band(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> list[tuple[float, float]]:
        return [*zip(x.tolist(), top.tolist(), strict=True), *zip(x[::-1].tolist(), bottom[::-1].tolist(), strict=True)]

    _fill(rgb, band(upper, lower), lips.tolist())
    _fill(rgb, band(sag, lower), _times(lips.tolist(), 1.10))
    if expression.open > 0.12:
        _fill(rgb, band(sag - gap * 0.35, sag + gap), (70, 30, 30))
        _fill(rgb, band(sag - gap * 0.35, sag + gap * 0.25), (236, 230, 220))
    _line(rgb, list(zip(x.tolist(), sag.tolist(), strict=True)), _times(lips.tolist(), 0.45), 0.014)
    shadow = _arc(
        (0, looks.mouth_y + looks.lip_thickness + 0.06 + 0.06 * expression.open), (looks.mouth_width * 0.5, 0.018)
    )
    _fill(rgb, shadow, _times(looks.skin if looks.beard in ("none", "moustache") else looks.hair, 0.80))


def _eye(rgb: RGB, looks: Looks, expression: Expression, side: int) -> None:
    centre = (side * looks.eye_x, looks.eye_y)
    width, height = looks.eye_width, looks.eye_height * expression.eyes * (1 - 0.18 * max(0.0, expression.smile))
    tilt = -side * looks.eye_tilt_deg
    outline = _arc(centre, (width, height), tilt)
    left, top = (_to_px((centre[0] - 0.25, centre[1] - 0.25))[0] >> _SHIFT).tolist()
    right, low = (_to_px((centre[0] + 0.25, centre[1] + 0.25))[0] >> _SHIFT).tolist()
    area = rgb[top:low, left:right]
    lids = area.copy()
    _fill(rgb, outline, (238, 236, 232))
    _fill(rgb, _arc(centre, (looks.eye_height * 0.92,) * 2), looks.iris)
    _fill(rgb, _arc(centre, (looks.eye_height * 0.45,) * 2), (12, 10, 12))
    _fill(rgb, _arc((centre[0] + 0.018, centre[1] - 0.02), (0.013, 0.013)), (250, 250, 250))
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_to_px(*outline)], 255, cv2.LINE_AA, _SHIFT)
    share = mask[top:low, left:right, None].astype(np.float32) / 255
    area[:] = np.rint(area * share + lids * (1 - share)).astype(np.uint8)
    lid = _times(looks.skin, 0.62)
    _line(rgb, _arc(centre, (width, height), tilt, 180, 360), _times(looks.skin, 0.22), 0.022)
    _line(rgb, _arc(centre, (width, height), tilt, 15, 165), lid, 0.010)
    _line(rgb, _arc((centre[0], centre[1] - 0.03), (width * 1.02, height * 1.25), tilt, 200, 340), lid, 0.010)


def _brow(rgb: RGB, looks: Looks, expression: Expression, side: int) -> None:
    y = looks.eye_y - looks.brow_gap - 0.035 * expression.brows
    tilt = -side * (looks.brow_tilt_deg - 4 * expression.brows)
    top = _arc((side * looks.eye_x * 1.03, y + 0.05), (looks.brow_width, 0.05 + looks.brow_thickness), tilt, 200, 340)
    low = _arc((side * looks.eye_x * 1.03, y + 0.05), (looks.brow_width, 0.05), tilt, 200, 340)
    colour = np.array(looks.hair) * 0.75 + np.array(looks.skin) * 0.12
    _fill(rgb, [*top, *low[::-1]], colour.tolist())


def _moles(rgb: RGB, looks: Looks) -> None:
    random = np.random.RandomState(looks.blotches + 2)
    for _ in range(random.randint(0, 4)):
        x, y = random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.75)
        radius = random.uniform(0.012, 0.026)
        _fill(rgb, _arc((x, y), (radius, radius)), _times(looks.skin, 0.42))


@lru_cache(maxsize=64)
def _skin(looks: Looks) -> RGB:
    """A person's skin, uint8 (TEXTURE_PX, TEXTURE_PX, 3), kept for their next picture: copy it before painting."""
    return np.clip(_complexion(looks), 0, 255).astype(np.uint8)


def _complexion(looks: Looks) -> NDArray[np.float32]:
    """Skin with its patches, red cheeks, shaded sockets and beard, float32 (TEXTURE_PX, TEXTURE_PX, 3)."""
    x, y = _grid()
    canvas = np.array(looks.skin, np.float32) * _mottled(looks.blotches)[..., None]
    for side in (-1, 1):
        spot = np.exp(-(((x - side * 0.42) / 0.17) ** 2) - ((y - 0.28) / 0.15) ** 2) * looks.cheeks
        canvas[..., 0] += (18 * spot).astype(np.float32)
        canvas[..., 1:] -= (14 * spot)[..., None].astype(np.float32)
    for side in (-1, 1):  # sockets are in the shade
        spot = np.exp(-(((x - side * looks.eye_x) / 0.19) ** 2) - ((y - looks.eye_y + 0.03) / 0.12) ** 2)
        canvas *= (1 - 0.22 * spot)[..., None].astype(np.float32)
    _beard(canvas, looks)
    return canvas


def _beard(canvas: NDArray[np.float32], looks: Looks) -> None:
    if looks.beard == "none":
        return
    x, y = _grid()
    mouth = looks.mouth_y
    moustache = np.exp(-((x / (looks.mouth_width * 0.95)) ** 4) - ((y - mouth + 0.115) / 0.05) ** 4)
    chin = np.exp(-((x / 0.24) ** 4) - ((y - mouth - 0.27) / 0.15) ** 4)
    jaw = 1 / (1 + np.exp(-((x / looks.width) ** 2 + ((y - 0.1) / 0.75) ** 2 - 0.62) * 16)) * (y > 0.1)
    share = {
        "moustache": moustache,
        "goatee": np.maximum(moustache, chin),
        "full": np.maximum.reduce([moustache, chin, jaw]),
        "stubble": 0.4 * np.maximum.reduce([moustache, chin, jaw]),
    }[looks.beard]
    grain = 0.85 + 0.15 * np.random.RandomState(looks.blotches + 1).rand(TEXTURE_PX, TEXTURE_PX)
    cover = (share * grain)[..., None].astype(np.float32)
    canvas[:] = canvas * (1 - cover) + np.array(looks.hair, np.float32) * cover


def _mottled(seed: int) -> NDArray[np.float32]:
    """Patches a few per cent lighter and darker, a person's own."""
    random = np.random.RandomState(seed)
    fine = random.standard_normal((40, 40)).astype(np.float32)
    coarse = random.standard_normal((9, 9)).astype(np.float32)
    size = (TEXTURE_PX, TEXTURE_PX)
    mixed = 0.025 * cv2.resize(fine, size, interpolation=cv2.INTER_CUBIC)
    mixed = mixed + 0.035 * cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(1 + mixed, dtype=np.float32)


def _hair(rgb: RGB, looks: Looks) -> None:
    """Paint the hair that lies on the forehead and beside the face, strand by strand; nothing for the bald."""
    if looks.hair_style == "bald":
        return
    hairline, w = looks.hairline, looks.width
    sides = {"short": -0.25, "fringe": 0.1, "long": 0.75, "parted": 0.0, "bun": -0.15}[looks.hair_style]
    low = {"fringe": looks.eye_y - looks.brow_gap - 0.10, "parted": hairline + 0.04}.get(looks.hair_style, hairline)
    peak = 0.55 * w if looks.hair_style == "parted" else 0.0
    right = [(0.62 * w, low + 0.05 + 0.3 * peak), (0.86 * w, low + 0.22), (0.93 * w, sides), (1.3, sides)]
    left = [(-1.3, sides), (-0.93 * w, sides), (-0.86 * w, low + 0.22), (-0.62 * w + peak, low + 0.02)]
    edge = [*left, (0.1 * w + peak * 0.6, low), *right]
    _fill(rgb, [(-1.3, -1.3), *edge, (1.3, -1.3)], looks.hair)
    random = np.random.RandomState(looks.blotches + 3)
    for _ in range(26):
        x = random.uniform(-0.8, 0.8) * w
        shade = _times(looks.hair, random.uniform(0.7, 1.4))
        _line(rgb, [(x, -1.2), (x * 1.1, low - random.uniform(0.04, 0.35))], shade, 0.012)


def _glasses(rgb: RGB, looks: Looks) -> None:
    """Paint the frame of the glasses."""
    for side in (-1, 1):
        centre = (side * looks.eye_x, looks.eye_y + 0.03)
        if looks.glasses == "round":
            outline = _arc(centre, (0.20, 0.19))
        else:
            x, y = centre
            outline = [
                (x - 0.22, y - 0.13),
                (x + 0.22, y - 0.13),
                (x + 0.20, y + 0.15),
                (x - 0.20, y + 0.15),
                (x - 0.22, y - 0.13),
            ]
        _line(rgb, outline, looks.frame, 0.03)
        _line(rgb, [(side * (looks.eye_x + 0.2), looks.eye_y), (side * 0.9, looks.eye_y - 0.03)], looks.frame, 0.03)
    inner = looks.eye_x - 0.2
    _line(rgb, _arc((0, looks.eye_y), (max(inner, 0.05), 0.03), 0, 180, 360), looks.frame, 0.03)
