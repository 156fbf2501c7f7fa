"""A small picture as a camera delivers it: out of focus, in motion, dark, noisy, sharpened, compressed."""

from __future__ import annotations

from math import cos, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from core.settings import CROP_PX

RGB = NDArray[np.uint8]


def spoilt(picture: RGB, size: float, rng: np.random.Generator) -> RGB:
    """Give the native picture, with a face of probe_px `size`, each fault by chance; a fifth of pictures have none."""
    if rng.random() < 0.2:
        return picture
    light = picture.astype(np.float32)
    if rng.random() < 0.5:
        width = float(rng.uniform(0.2, 3.0)) * size / CROP_PX
        across = width * float(rng.uniform(0.5, 1.5))
        light = _float32(cv2.GaussianBlur(light, (0, 0), max(width, 0.05), sigmaY=max(across, 0.05)))
    if rng.random() < 0.15:
        kernel = motion_kernel(float(rng.uniform(0.04, 0.2)) * size, float(rng.uniform(0, 180)))
        light = _float32(cv2.filter2D(light, -1, kernel))
    if rng.random() < 0.35:
        light = 255.0 * (np.clip(light, 0, 255) / 255.0) ** float(np.exp(rng.normal(0, 0.35)))
        light = light * float(rng.uniform(0.35, 1.25)) + float(rng.uniform(-15, 25))
    if rng.random() < 0.15:
        light = np.repeat(light.mean(axis=2, keepdims=True), 3, axis=2)
    elif rng.random() < 0.3:
        light = light * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.5:
        shot = float(np.exp(rng.uniform(np.log(1e-4), np.log(1.2e-2))))
        spread = np.sqrt(shot * np.clip(light, 0, 255) / 255.0 * 0.4 + shot * shot * 2) * 255.0
        light = light + spread * rng.standard_normal(light.shape, dtype=np.float32)
    if rng.random() < 0.1:
        light = light + float(rng.uniform(0.3, 1.5)) * (light - _float32(cv2.GaussianBlur(light, (0, 0), 1.0)))
    spoilt_now = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.integers(25, 96))
        _, encoded = cv2.imencode(".jpg", spoilt_now, [cv2.IMWRITE_JPEG_QUALITY, quality])
        spoilt_now = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return spoilt_now


def motion_kernel(length_px: float, angle_deg: float) -> NDArray[np.float32]:
    """A line of that length through the middle of an odd square, as weights that sum to 1."""
    reach = int(np.ceil(length_px / 2)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    turn = radians(angle_deg)
    along, across = x * cos(turn) + y * sin(turn), y * cos(turn) - x * sin(turn)
    weight = np.clip(length_px / 2 + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(across), 0, 1)
    return np.asarray(weight / weight.sum(), dtype=np.float32)


def _float32(picture: object) -> NDArray[np.float32]:
    return np.asarray(picture, dtype=np.float32)
