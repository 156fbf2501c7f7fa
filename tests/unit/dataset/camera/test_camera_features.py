"""Features of small faces follow the camera: blur, noise and compression."""

from __future__ import annotations

import numpy as np
import pytest

from core.dataset.camera.features import NO_QUALITY, SmallFace, features_of, quality_of, summary_of
from core.dataset.camera.simulate import draw_camera, shoot
from core.dataset.degrade import PUBLISHED, CameraRanges

_SHARP = {"kernels": ("area",), "gamma": (2.2, 2.2), "quality": (95, 95)}


def _summary(crops: np.ndarray, camera: CameraRanges) -> np.ndarray:
    shots = shoot(camera, crops, [32.0] * 16, np.random.default_rng(0))
    return summary_of([features_of(face) for face in shots])


def test_blur_takes_fine_detail_and_noise_adds_it(crops: np.ndarray) -> None:
    calm = _summary(crops, CameraRanges(blur_px=(0.2, 0.2), shot=(1e-4, 1e-4), **_SHARP))
    blurred = _summary(crops, CameraRanges(blur_px=(3.0, 3.0), shot=(1e-4, 1e-4), **_SHARP))
    noisy = _summary(crops, CameraRanges(blur_px=(0.2, 0.2), shot=(1e-2, 1e-2), **_SHARP))
    finest = 7  # the last band of luma's spectrum
    assert blurred[finest] < calm[finest] - 0.3 and noisy[finest] > calm[finest] + 0.3
    assert abs(blurred[0] - calm[0]) < 0.3  # coarse structure stays


def test_the_quality_of_a_face_is_its_files_or_else_its_pixels(crops: np.ndarray) -> None:
    [face] = shoot(CameraRanges(quality=(60, 60)), crops, [32.0], np.random.default_rng(1))
    assert quality_of(face) == 60
    assert quality_of(SmallFace(face.pixels, 32.0, quality=75)) == 75
    assert quality_of(SmallFace(crops[0][:32, :32] // 2 + 30, 32.0)) == NO_QUALITY


@pytest.mark.parametrize("size", [12, 13, 48])
def test_flat_and_tiny_faces_have_features_too(size: int) -> None:
    flat = SmallFace(np.full((size, size, 3), 128, np.uint8), float(size), (5, 3))
    found = features_of(flat)
    assert found.shape == features_of(SmallFace(np.zeros((48, 48, 3), np.uint8), 48.0)).shape
    assert np.isfinite(summary_of([found, found])).all()


def test_drawn_cameras_are_parts_of_the_published_one() -> None:
    random = np.random.default_rng(0)
    drawn = [draw_camera(random) for _ in range(200)]
    for name in ("blur_px", "shot", "gamma", "quality"):
        low, high = getattr(PUBLISHED, name)
        ends = np.array([getattr(camera, name) for camera in drawn])
        assert ends.min() >= low * 0.999 and ends.max() <= high * 1.001
        assert np.median(ends[:, 1] - ends[:, 0]) < 0.6 * (high - low)
    assert {camera.kernels for camera in drawn} == {("area",), ("bicubic",), ("bilinear",)}
