"""Recognise aligned crops: squares whose face is where alignment puts it, and whether it is upright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.faces.align import ARCFACE_TEMPLATE, MAX_ALIGNED_PX
from core.faces.detect import Detector
from core.faces.face import Face
from core.faces.landmarks.read import FACE_BOX
from core.settings import CROP_PX

ALIGNED_WITHIN = 8.5
"""Mean distance of the landmarks from ArcFace's template, in px of 112, up to which a square is an aligned crop. Of 80
LFW photographs: aligned crops of 16 to 112 px at most 8.05, thumbnails of the whole photographs at least 9.4."""


@dataclass(frozen=True)
class CropLook:
    """Result for a square: its face, in its pixels, and the mean distance of the landmarks from ArcFace's template, in
    px of 112; both None where no face is found."""

    face: Face | None
    off_px: float | None

    @property
    def aligned(self) -> bool:
        """Whether the face is placed as in an aligned crop."""
        return self.off_px is not None and self.off_px <= ALIGNED_WITHIN

    @property
    def quarter(self) -> int:
        """How many quarter turns counterclockwise bring the face upright; 0 also where none is found."""
        return 0 if self.face is None else self.face.quarter


def look_at_crop(detector: Detector, rgb: NDArray[np.uint8]) -> CropLook:
    """Find the face of a square uint8 RGB picture where an aligned crop has it, and compare its position."""
    side = float(rgb.shape[0])
    x, y, width, height = (value * side / CROP_PX for value in FACE_BOX)
    face = detector.at_box(rgb, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    if face is None:
        return CropLook(None, None)
    at_112 = (face.landmarks + 0.5) * (CROP_PX / side) - 0.5
    return CropLook(face, float(np.linalg.norm(at_112 - ARCFACE_TEMPLATE, axis=1).mean()))


def is_aligned_crop(detector: Detector, rgb: NDArray[np.uint8]) -> bool:
    """Whether a picture is an aligned crop: a square of at most 64 px whose face is where alignment puts it."""
    height, width = rgb.shape[:2]
    return height == width <= MAX_ALIGNED_PX and look_at_crop(detector, rgb).aligned
