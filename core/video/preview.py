"""The preview picture of a person who is being enrolled: mirrored, with box, landmarks and guidance."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.video.capture import CaptureView

_GOOD, _WAIT, _QUIET = (79, 196, 140), (240, 176, 84), (214, 214, 208)
_BAND = 0.11
"""Share of the picture's height that the guide's band takes."""


def draw_preview(rgb: NDArray[np.uint8], view: CaptureView | None) -> NDArray[np.uint8]:
    """A frame (H, W, 3) as the person sees it: mirrored, text upright; `view` is the newest look,
    None before the first. The frame itself isn't changed."""
    picture = np.ascontiguousarray(rgb[:, ::-1])
    text = "Looking for your face" if view is None else view.text
    if view is not None:
        _draw_faces(picture, view)
    _draw_band(picture, text, view)
    return picture


def _draw_faces(picture: NDArray[np.uint8], view: CaptureView) -> None:
    height, width = picture.shape[:2]
    # The look may be of a frame of another size, when the camera changed it in between.
    scale = width / view.sight.shape[1]
    thick = max(2, round(height / 200))
    for number, face in enumerate(view.sight.faces[:8]):
        x0, y0, x1, y1 = (round(edge * scale) for edge in face.box_xyxy)
        colour = (_GOOD if view.advice.good else _WAIT) if number == 0 else _QUIET
        _corners(picture, (width - 1 - x1, y0), (width - 1 - x0, y1), colour, thick)
        if number == 0:
            for x, y in face.landmarks * scale:
                point = (round(width - 1 - float(x)), round(float(y)))
                cv2.circle(picture, point, thick + 1, colour, cv2.FILLED, cv2.LINE_AA)


def _corners(
    picture: NDArray[np.uint8], low: tuple[int, int], high: tuple[int, int], colour: tuple[int, int, int], thick: int
) -> None:
    reach = max(8, (high[0] - low[0]) // 5)
    for x, to_x in ((low[0], reach), (high[0], -reach)):
        for y, to_y in ((low[1], reach), (high[1], -reach)):
            cv2.line(picture, (x, y), (x + to_x, y), colour, thick, cv2.LINE_AA)
            cv2.line(picture, (x, y), (x, y + to_y), colour, thick, cv2.LINE_AA)


def _draw_band(picture: NDArray[np.uint8], text: str, view: CaptureView | None) -> None:
    height, width = picture.shape[:2]
    band = max(24, round(height * _BAND))
    picture[:band] //= 3
    letters = _letters(text, width, band)
    picture[:band] = np.maximum(picture[:band], letters[..., None])
    if view is None:
        return
    held = 1.0 if view.complete else view.held
    if held > 0:
        cv2.rectangle(picture, (0, band), (round(width * held), band + max(3, band // 10)), _GOOD, cv2.FILLED)
    radius = max(3, band // 9)
    for number in range(view.wanted):
        middle = (width // 2 + round((number - (view.wanted - 1) / 2) * radius * 4), height - 3 * radius)
        filled = number < view.taken
        cv2.circle(picture, middle, radius, _GOOD if filled else _QUIET, cv2.FILLED if filled else 2, cv2.LINE_AA)


@lru_cache(maxsize=64)
def _letters(text: str, width: int, height: int) -> NDArray[np.uint8]:
    """The text, centred, white on black, uint8 (height, width); smaller where it would be too wide."""
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    size = height * 0.5
    font = ImageFont.load_default(size)
    wide = draw.textlength(text, font=font)
    if wide > 0.94 * width:
        font = ImageFont.load_default(size * 0.94 * width / wide)
    draw.text((width / 2, height / 2), text, fill=255, font=font, anchor="mm")
    return np.asarray(image)
