"""Boxes that a person drew around faces which detection missed."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.faces.detect import Detector
from core.faces.face import Face
from core.recognition.probe import reduce_until

RGB = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""x and y of the top left corner, width and height, in pixels of the upright photograph."""

Boxes = Sequence[Box]

LEAST_BOX_PX = 6.0
"""Smallest side of a box."""


class BoxInvalid(CoreError):
    """A box that isn't four numbers, is too small, or isn't inside the photograph."""

    help_topic = "no-face"


class NoFaceInBox(CoreError):
    """A box in which no face can be seen, where one was needed."""

    help_topic = "no-face"


REDRAW = "Draw it around one face, from forehead to chin. If that fails too, the face is too small or too blurred."


def checked_boxes(boxes: Boxes, shape: tuple[int, ...]) -> list[Box]:
    """The boxes as floats, for a picture of `shape` (H, W, ...). Raises BoxInvalid."""
    if not len(boxes):
        raise BoxInvalid("No box was given.", "Give at least one: (x, y, width, height) in pixels.")
    return [_checked(box, shape) for box in boxes]


def _checked(box: Box, shape: tuple[int, ...]) -> Box:
    height, width = shape[:2]
    try:
        x, y, wide, high = (float(value) for value in box)
    except (TypeError, ValueError):
        x = y = wide = high = float("nan")
    if not all(map(isfinite, (x, y, wide, high))):
        raise BoxInvalid(f"A box is four numbers (x, y, width, height); this one is {box!r}.", "Give pixels.")
    said = f"The box {x:g},{y:g},{wide:g},{high:g}"
    if min(wide, high) < LEAST_BOX_PX:
        raise BoxInvalid(
            f"{said} is {wide:g} x {high:g} px; at least {LEAST_BOX_PX:g} px a side are needed.",
            "Draw it around the whole face, from forehead to chin.",
        )
    if x < 0 or y < 0 or x + wide > width or y + high > height:
        raise BoxInvalid(
            f"{said} isn't inside the photograph, which has {width} x {height} px.",
            "Count x and y from the top left corner, and end the box at the photograph's edge.",
        )
    return x, y, wide, high


def faces_in_boxes(
    detector: Detector,
    rgb: RGB,
    boxes: Boxes,
    reduce_to_px: int | None = None,
    how: Literal["largest", "centre"] = "largest",
) -> tuple[RGB, list[Face | None]]:
    """The face in each box, None where none can be seen, and the photograph that they are pixels of.

    That is the given one, or with `reduce_to_px` the one shrunk until the face that `how` chooses has this probe_px.
    Raises BoxInvalid.
    """
    boxes = checked_boxes(boxes, rgb.shape)

    def look(frame: RGB) -> list[Face | None]:
        across, down = frame.shape[1] / rgb.shape[1], frame.shape[0] / rgb.shape[0]
        return [
            detector.at_drawn_box(frame, (x * across, y * down, (x + wide) * across, (y + high) * down))
            for x, y, wide, high in boxes
        ]

    found = look(rgb)
    if reduce_to_px is None or not any(found):
        return rgb, found
    small, _ = reduce_until(lambda frame: _there(look(frame)), rgb, _there(found), reduce_to_px, how)
    return small, look(small)


def _there(found: Sequence[Face | None]) -> list[Face]:
    return [face for face in found if face is not None]
