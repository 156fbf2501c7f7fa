"""Simulated cameras: narrow ranges drawn from the published ones, and the small faces that such a camera delivers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from core.dataset.camera.features import SmallFace
from core.dataset.degrade import BLUR_PX, GAMMA, KERNELS, QUALITY, SHOT, CameraRanges, degrade
from core.images import RGB

POSE_DEG, POSE_SCALE, POSE_SHIFT_PX = 12.0, 0.08, 4.0
"""Largest roll, change of size and shift of a simulated face, in px of the 112 px crop: faces in photographs aren't
aligned."""


def draw_camera(random: np.random.Generator) -> CameraRanges:
    """A camera whose ranges are parts of the published ones: a uniform centre and width of each, and one kernel."""
    blur, gamma = _part(random, BLUR_PX, 0.25), _part(random, GAMMA, 0.15)
    shot = np.exp(_part(random, (float(np.log(SHOT[0])), float(np.log(SHOT[1]))), 0.12))
    quality = np.rint(_part(random, QUALITY, 0.12))
    return CameraRanges(
        blur_px=blur,
        kernels=(sorted(KERNELS)[int(random.integers(len(KERNELS)))],),
        shot=(float(shot[0]), float(shot[1])),
        gamma=gamma,
        quality=(int(quality[0]), int(quality[1])),
    )


def _part(random: np.random.Generator, whole: tuple[float, float], most: float) -> tuple[float, float]:
    """A part of a range with a half-width of up to `most` of it, cut at the range's ends."""
    centre, half = random.uniform(*whole), random.uniform(0, most) * (whole[1] - whole[0])
    return max(whole[0], centre - half), min(whole[1], centre + half)


def shoot(
    camera: CameraRanges, crops: Sequence[RGB] | RGB, sizes_px: Sequence[float], random: np.random.Generator
) -> list[SmallFace]:
    """A small face of each of `sizes_px` as the camera delivers it, from random clean crops uint8 (112, 112, 3)."""
    faces = []
    for size in sizes_px:
        crop = posed(np.ascontiguousarray(crops[int(random.integers(len(crops)))]), random)
        small, _ = degrade(crop, round(size), "camera", seed=int(random.integers(2**32)), ranges=camera)
        faces.append(SmallFace(small, float(size)))
    return faces


def posed(crop: RGB, random: np.random.Generator) -> RGB:
    """The crop turned, scaled, shifted and perhaps mirrored; its edges are reflected."""
    side = crop.shape[0]
    turn = float(random.uniform(-POSE_DEG, POSE_DEG))
    scale = 1 + float(random.uniform(-POSE_SCALE, POSE_SCALE))
    matrix = cv2.getRotationMatrix2D((side / 2 - 0.5, side / 2 - 0.5), turn, scale)
    matrix = matrix + np.array([[0.0, 0.0, shift] for shift in random.uniform(-POSE_SHIFT_PX, POSE_SHIFT_PX, 2)])
    if random.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
    moved = cv2.warpAffine(crop, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, dtype=np.uint8)
