"""Alignment: the similarity transform from five landmarks to the ArcFace template, and the crop that it cuts."""

from __future__ import annotations

from math import isfinite

import cv2
import numpy as np
from numpy.typing import NDArray

from core.settings import CROP_PX

ARCFACE_TEMPLATE: NDArray[np.float32] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
"""Positions of the eyes, nose and mouth corners in a 112 px crop (InsightFace's five points, Deng et al., CVPR
2019)."""

MAX_ALIGNED_PX = 64
"""Largest side of a square picture that may be an aligned crop."""


def similarity_transform(points: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """The 2 x 3 matrix of the least-squares similarity (scale, rotation, shift; no mirror) from `points` to `target`.

    With complex numbers a similarity is z -> a z + b; a and b follow from linear least squares, which is Umeyama's
    solution (IEEE TPAMI 1991) in the plane. Raises ValueError when all points coincide.
    """
    z, w = ([complex(x, y) for x, y in each.tolist()] for each in (points, target))  # few points: quicker than arrays
    middle_z, middle_w = sum(z) / len(z), sum(w) / len(w)
    spread = sum(abs(each - middle_z) ** 2 for each in z)
    if not isfinite(spread) or spread < 1e-9:
        raise ValueError("the landmarks coincide")
    a = sum((u - middle_z).conjugate() * (v - middle_w) for u, v in zip(z, w, strict=True)) / spread
    b = middle_w - a * middle_z
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def probe_px(landmarks: NDArray[np.float32]) -> float:
    """Side, in the photograph's pixels, of the square that becomes the 112 px crop: 112 / alignment scale."""
    matrix = similarity_transform(landmarks, ARCFACE_TEMPLATE)
    return float(CROP_PX / np.hypot(matrix[0, 0], matrix[1, 0]))


def align(rgb: NDArray[np.uint8], landmarks: NDArray[np.float32], size_px: int = CROP_PX) -> NDArray[np.uint8]:
    """The aligned face as uint8 RGB (size_px, size_px, 3); the ArcFace template is scaled from 112 px to that size.

    Pixel centres are at half-integers in both frames, so crops of every size show the same square. When the face
    shrinks by more than a half, the photograph's part around it is first reduced by area averaging, so that fine
    detail doesn't alias. Beyond the photograph's border its edge is repeated.
    """
    matrix = similarity_transform(landmarks, ARCFACE_TEMPLATE)
    zoom = size_px / CROP_PX
    # In coordinates of pixel corners a change of size is a mere factor; +-0.5 converts from and to pixel centres.
    matrix = np.hstack([matrix[:, :2], matrix[:, 2:] + 0.5 - matrix[:, :2] @ np.array([[0.5], [0.5]])]) * zoom
    return warp_square(rgb, matrix, size_px)


def warp_square(rgb: NDArray[np.uint8], matrix: NDArray[np.float64], size_px: int) -> NDArray[np.uint8]:
    """The square (size_px, size_px, 3) that the similarity `matrix` (2, 3) cuts from a picture, as `align` does.

    `matrix` maps coordinates of pixel corners of the picture to those of the square.
    """
    patch, offset, shrink = _prepare(rgb, matrix, size_px)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ offset
    moved[:, :2] = moved[:, :2] @ np.diag(1 / shrink)
    moved[:, 2] += moved[:, :2] @ np.array([0.5, 0.5]) - 0.5
    crop = cv2.warpAffine(patch, moved, (size_px, size_px), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, dtype=np.uint8)


def _prepare(
    rgb: NDArray[np.uint8], matrix: NDArray[np.float64], size_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """The part of the photograph that the crop needs, its corner (x, y), and the shrink factor of each axis."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [size_px, 0], [0, size_px], [size_px, size_px]]) @ inverse[:, :2].T + inverse[:, 2]
    factor = float(np.hypot(inverse[0, 0], inverse[1, 0]))  # photograph pixels to one of the crop
    pad = 4 * max(1.0, factor)
    height, width = rgb.shape[:2]
    low = np.floor(corners.min(axis=0) - pad)
    high = np.ceil(corners.max(axis=0) + pad)
    x0, y0 = (int(np.clip(v, 0, limit - 1)) for v, limit in zip(low, (width, height), strict=True))
    x1, y1 = (
        int(np.clip(v, first + 1, limit)) for v, first, limit in zip(high, (x0, y0), (width, height), strict=True)
    )
    patch = rgb[y0:y1, x0:x1]
    shrink = np.ones(2)
    if factor > 1:
        target = (max(1, round((x1 - x0) / factor)), max(1, round((y1 - y0) / factor)))
        shrink = np.array([target[0] / (x1 - x0), target[1] / (y1 - y0)])
        patch = np.asarray(cv2.resize(patch, target, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.ascontiguousarray(patch), np.array([x0, y0], dtype=np.float64), shrink
