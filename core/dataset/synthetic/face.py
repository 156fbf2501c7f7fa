"""A drawn person's face painted flat, seen from the front: nose, mouth, eyes and brows on the skin, under the hair."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from core.dataset.synthetic.brush import SHIFT, arc, fill, line, times, to_px
from core.dataset.synthetic.hair import add_glasses, add_hair
from core.dataset.synthetic.looks import Expression, Looks
from core.dataset.synthetic.skin import skin_of
from core.images import RGB


def paint(looks: Looks, expression: Expression) -> RGB:
    """The face painted flat, seen from the front: uint8 RGB (TEXTURE_PX, TEXTURE_PX, 3)."""
    rgb = skin_of(looks).copy()
    _folds(rgb, looks, expression)
    _nose(rgb, looks)
    _mouth(rgb, looks, expression)
    for side in (-1, 1):
        _eye(rgb, looks, expression, side)
        _brow(rgb, looks, expression, side)
    _moles(rgb, looks)
    add_hair(rgb, looks)
    if looks.glasses != "none":
        add_glasses(rgb, looks)
    return rgb


def _folds(rgb: RGB, looks: Looks, expression: Expression) -> None:
    depth = looks.folds + 0.35 * max(0.0, expression.smile)
    if depth < 0.15:
        return
    colour = times(looks.skin, 1 - 0.25 * min(depth, 0.8))
    for side in (-1, 1):
        top, low = (side * (looks.nose_width + 0.05), looks.nose_y), (side * (looks.mouth_width + 0.10), looks.mouth_y)
        bend = (side * (looks.mouth_width + 0.06), (looks.nose_y + looks.mouth_y) / 2)
        line(rgb, [top, bend, low], colour, 0.014)


def _nose(rgb: RGB, looks: Looks) -> None:
    shade = times(looks.skin, 0.72)
    for side in (-1, 1):
        wing = arc((looks.nose_width * 0.72, looks.nose_y), (looks.nose_width * 0.36, 0.055), 0, -60, 110)
        line(rgb, [(side * x, y) for x, y in wing], shade, 0.014)
        nostril = arc(
            (side * looks.nose_width * 0.42, looks.nose_y + 0.045), (looks.nose_width * 0.24, 0.022), side * 12
        )
        fill(rgb, nostril, times(looks.skin, 0.36))
    line(rgb, arc((0, looks.nose_y + 0.03), (looks.nose_width * 0.3, 0.04), 0, 20, 160), times(looks.skin, 0.62), 0.014)


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

    fill(rgb, band(upper, lower), lips.tolist())
    fill(rgb, band(sag, lower), times(lips.tolist(), 1.10))
    if expression.open > 0.12:
        fill(rgb, band(sag - gap * 0.35, sag + gap), (70, 30, 30))
        fill(rgb, band(sag - gap * 0.35, sag + gap * 0.25), (236, 230, 220))
    line(rgb, list(zip(x.tolist(), sag.tolist(), strict=True)), times(lips.tolist(), 0.45), 0.014)
    shadow = arc(
        (0, looks.mouth_y + looks.lip_thickness + 0.06 + 0.06 * expression.open), (looks.mouth_width * 0.5, 0.018)
    )
    fill(rgb, shadow, times(looks.skin if looks.beard in ("none", "moustache") else looks.hair, 0.80))


def _eye(rgb: RGB, looks: Looks, expression: Expression, side: int) -> None:
    centre = (side * looks.eye_x, looks.eye_y)
    width, height = looks.eye_width, looks.eye_height * expression.eyes * (1 - 0.18 * max(0.0, expression.smile))
    tilt = -side * looks.eye_tilt_deg
    outline = arc(centre, (width, height), tilt)
    left, top = (to_px((centre[0] - 0.25, centre[1] - 0.25))[0] >> SHIFT).tolist()
    right, low = (to_px((centre[0] + 0.25, centre[1] + 0.25))[0] >> SHIFT).tolist()
    area = rgb[top:low, left:right]
    lids = area.copy()
    fill(rgb, outline, (238, 236, 232))
    fill(rgb, arc(centre, (looks.eye_height * 0.92,) * 2), looks.iris)
    fill(rgb, arc(centre, (looks.eye_height * 0.45,) * 2), (12, 10, 12))
    fill(rgb, arc((centre[0] + 0.018, centre[1] - 0.02), (0.013, 0.013)), (250, 250, 250))
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(mask, [to_px(*outline)], 255, cv2.LINE_AA, SHIFT)
    share = mask[top:low, left:right, None].astype(np.float32) / 255
    area[:] = np.rint(area * share + lids * (1 - share)).astype(np.uint8)
    lid = times(looks.skin, 0.62)
    line(rgb, arc(centre, (width, height), tilt, 180, 360), times(looks.skin, 0.22), 0.022)
    line(rgb, arc(centre, (width, height), tilt, 15, 165), lid, 0.010)
    line(rgb, arc((centre[0], centre[1] - 0.03), (width * 1.02, height * 1.25), tilt, 200, 340), lid, 0.010)


def _brow(rgb: RGB, looks: Looks, expression: Expression, side: int) -> None:
    y = looks.eye_y - looks.brow_gap - 0.035 * expression.brows
    tilt = -side * (looks.brow_tilt_deg - 4 * expression.brows)
    top = arc((side * looks.eye_x * 1.03, y + 0.05), (looks.brow_width, 0.05 + looks.brow_thickness), tilt, 200, 340)
    low = arc((side * looks.eye_x * 1.03, y + 0.05), (looks.brow_width, 0.05), tilt, 200, 340)
    colour = np.array(looks.hair) * 0.75 + np.array(looks.skin) * 0.12
    fill(rgb, [*top, *low[::-1]], colour.tolist())


def _moles(rgb: RGB, looks: Looks) -> None:
    random = np.random.RandomState(looks.blotches + 2)
    for _ in range(random.randint(0, 4)):
        x, y = random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.75)
        radius = random.uniform(0.012, 0.026)
        fill(rgb, arc((x, y), (radius, radius)), times(looks.skin, 0.42))
