"""A detected face, and operations on faces: mapping, merging, choosing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SAME_OVERLAP = 0.3
"""Boxes that overlap by more (intersection over union) show the same face."""

SAME_SHARE_INSIDE = 0.7
"""So do boxes of which the smaller one is inside the other by more than this share."""


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face. `box_xyxy` and `landmarks` are pixels of the photograph; `score` in [0, 1] is the probability
    of a face, or YuNet's score for a candidate. `error_px` is the expected distance of a landmark from the truth, in px
    of the 112 px crop, `recognisability` (0 to 1) how far an embedding of the face can be trusted; None where nothing
    measured them. `by_hand`: it was read in a box that a person drew, not detected.

    `landmarks` (5, 2) float32: eye on the image's left, eye on its right, nose, mouth corner left, mouth corner right,
    as they are with the face upright: in an upside-down photograph the first eye is on the image's right.
    """

    box_xyxy: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    score: float
    error_px: float | None = None
    recognisability: float | None = None
    by_hand: bool = False

    @property
    def width(self) -> float:
        return self.box_xyxy[2] - self.box_xyxy[0]

    @property
    def height(self) -> float:
        return self.box_xyxy[3] - self.box_xyxy[1]

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return ((self.box_xyxy[0] + self.box_xyxy[2]) / 2, (self.box_xyxy[1] + self.box_xyxy[3]) / 2)

    @property
    def quarter(self) -> int:
        """How many quarter turns counterclockwise (`np.rot90`) bring the face nearest to upright: 0, 1, 2 or 3."""
        eyes, mouth = self.landmarks[:2].mean(axis=0), self.landmarks[3:].mean(axis=0)
        down, right = float(mouth[1] - eyes[1]), float(mouth[0] - eyes[0])
        if abs(down) >= abs(right):
            return 0 if down >= 0 else 2
        return 3 if right > 0 else 1


def moved(face: Face, scale: tuple[float, float], shift: tuple[float, float]) -> Face:
    """The face in another frame: each coordinate times `scale`, then plus `shift` (x, y).

    Boxes are in coordinates of pixel corners, landmarks in those of pixel centres, half a pixel apart.
    """
    x0, y0, x1, y1 = face.box_xyxy
    (sx, sy), (dx, dy) = scale, shift
    points = (face.landmarks + 0.5) * np.array(scale, dtype=np.float32) - 0.5 + np.array(shift, dtype=np.float32)
    box = (x0 * sx + dx, y0 * sy + dy, x1 * sx + dx, y1 * sy + dy)
    return replace(face, box_xyxy=box, landmarks=points.astype(np.float32))


def mirrored(face: Face, width: int) -> Face:
    """The face of a picture of that width after it was mirrored left to right; left stays what is left in the image."""
    x0, y0, x1, y1 = face.box_xyxy
    points = face.landmarks[[1, 0, 2, 4, 3]].copy()
    points[:, 0] = width - 1 - points[:, 0]
    return replace(face, box_xyxy=(width - x1, y0, width - x0, y1), landmarks=points)


def turned_back(face: Face, quarter: int, shape: tuple[int, ...]) -> Face:
    """A face of `np.rot90(picture, quarter)` in the pixels of the picture, which has `shape` (H, W, ...)."""
    quarter %= 4
    if quarter == 0:
        return face
    height, width = shape[:2]
    x0, y0, x1, y1 = face.box_xyxy
    x, y = face.landmarks.T
    if quarter == 1:
        box, points = (width - y1, x0, width - y0, x1), (width - 1 - y, x)
    elif quarter == 2:
        box, points = (width - x1, height - y1, width - x0, height - y0), (width - 1 - x, height - 1 - y)
    else:
        box, points = (y0, height - x1, y1, height - x0), (y, height - 1 - x)
    return replace(face, box_xyxy=box, landmarks=np.stack(points, axis=1).astype(np.float32))


def distinct(faces: Sequence[Face], at_most: int) -> list[int]:
    """Indices of distinct faces, highest score first: of detections of the same face the one with the highest score."""
    if not faces:
        return []
    boxes = np.array([face.box_xyxy for face in faces])
    areas = np.maximum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), 1e-9)
    left = np.argsort([-face.score for face in faces], kind="stable")
    kept: list[int] = []
    while left.size and len(kept) < at_most:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[left, :2]), np.minimum(boxes[best, 2:], boxes[left, 2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        overlap = common / (areas[best] + areas[left] - common)
        inside = common / np.minimum(areas[best], areas[left])
        left = left[(overlap <= SAME_OVERLAP) & (inside <= SAME_SHARE_INSIDE)]
    return kept


def overlap(a: Face, b: Face) -> float:
    """Intersection over union of the boxes, 0 to 1."""
    wide = min(a.box_xyxy[2], b.box_xyxy[2]) - max(a.box_xyxy[0], b.box_xyxy[0])
    high = min(a.box_xyxy[3], b.box_xyxy[3]) - max(a.box_xyxy[1], b.box_xyxy[1])
    common = max(0.0, wide) * max(0.0, high)
    return common / max(a.area + b.area - common, 1e-9)


def most_like(face: Face, others: Sequence[Face]) -> Face | None:
    """The one of `others` with the highest score that shows the same face, or None."""
    same = [other for other in others if overlap(other, face) > SAME_OVERLAP]
    return max(same, key=lambda other: other.score, default=None)


def choose_faces(faces: Sequence[Face], how: Literal["largest", "centre", "all"], shape: tuple[int, ...]) -> list[Face]:
    """The largest face, the one nearest the centre of a picture of `shape` (H, W, ...), or all of them.

    The distance from the centre is measured in widths of the face, so that a tiny face in the middle isn't chosen
    before a large one next to it.
    """
    if how == "all" or not faces:
        return list(faces)
    if how == "largest":
        return [max(faces, key=lambda face: face.area)]
    middle = np.array([shape[1] / 2, shape[0] / 2])
    return [min(faces, key=lambda f: float(np.linalg.norm(np.array(f.centre) - middle)) / max(f.width, 1.0))]
