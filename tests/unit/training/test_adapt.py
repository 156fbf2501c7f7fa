"""A recipe adapted to a camera: its ranges and sizes, the share of large faces, and validation with that camera."""

from __future__ import annotations

import pytest

from core.dataset.camera.estimate import CameraEstimate
from core.dataset.degrade import MOVING, PUBLISHED, CameraRanges
from core.errors import SettingsInvalid
from core.training.adapt import adaptation
from core.training.overrides import change
from core.training.presets import NOTES, RECOMMENDED, SPECIALIST

CAMERA = CameraRanges(
    blur_px=(2.0, 2.4), kernels=("area", "bilinear"), shot=(6e-3, 1.05e-2), quality=(40, 50), motion_share=0.12
)
ESTIMATE = CameraEstimate(CAMERA, (14.2, 15, 16, 18.6, 20, 22, 24, 27, 30.1), 60, "files", False)


def test_every_stage_that_sees_cameras_sees_this_one_at_its_sizes() -> None:
    [stage] = change(SPECIALIST, adaptation(SPECIALIST, ESTIMATE)).stages
    assert stage.camera_ranges == CAMERA
    assert stage.sizes_px == (14, 15, 16, 19, 20, 22, 24, 27, 30)
    assert stage.camera == SPECIALIST.stages[0].camera and stage.losses == SPECIALIST.stages[0].losses


def test_large_faces_keep_their_share() -> None:
    for before, after in zip(
        RECOMMENDED.stages, change(RECOMMENDED, adaptation(RECOMMENDED, ESTIMATE)).stages, strict=True
    ):
        shares = [stage.sizes_px.count(112) / len(stage.sizes_px) for stage in (before, after)]
        assert shares[1] == pytest.approx(shares[0], abs=0.03) and after.camera_ranges == CAMERA


def test_validation_measures_the_camera_that_was_adapted_to() -> None:
    assert SPECIALIST.stages[0].camera_ranges == MOVING and SPECIALIST.validated_camera == PUBLISHED
    adapted = change(SPECIALIST, adaptation(SPECIALIST, ESTIMATE)).validated_camera
    assert adapted is not None and (adapted.blur_px, adapted.motion_share) == (CAMERA.blur_px, 0.0)
    assert NOTES.validated_camera is None


def test_a_stage_of_large_faces_keeps_its_sizes() -> None:
    large = change(RECOMMENDED, {f"{RECOMMENDED.stages[0].name}.sizes_px": "112,112"})
    adapted = change(large, adaptation(large, ESTIMATE))
    assert adapted.stages[0].sizes_px == (112, 112) and adapted.stages[1].camera_ranges == CAMERA


def test_a_recipe_without_cameras_cant_be_adapted() -> None:
    with pytest.raises(SettingsInvalid, match="notes"):
        adaptation(NOTES, ESTIMATE)
