"""A camera is estimated from its faces: blur and quality in order, the same each time, and kept in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.dataset.camera import estimate as module
from core.dataset.camera.estimate import CameraEstimate, described, estimate_camera, posterior
from core.dataset.camera.features import SmallFace
from core.dataset.camera.file import read_camera, write_camera
from core.dataset.camera.simulate import shoot
from core.dataset.degrade import MOVING, PUBLISHED, CameraRanges
from core.dataset.errors import CameraUnclear
from core.images import resize
from core.jobs.context import Hooks

SHARP = CameraRanges(blur_px=(0.4, 0.7), kernels=("area",), shot=(2e-4, 3e-4), quality=(80, 85))
SOFT = CameraRanges(blur_px=(2.3, 2.8), kernels=("area",), shot=(6e-3, 9e-3), quality=(35, 40))


@pytest.fixture(scope="module")
def few() -> pytest.MonkeyPatch:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CAMERAS", 80)
        patch.setattr(module, "FACES_EACH", 12)
        yield patch


def _faces(crops: np.ndarray, camera: CameraRanges, seed: int = 5) -> list[SmallFace]:
    random = np.random.default_rng(seed)
    return shoot(camera, crops, random.uniform(24, 44, 24), random)


@pytest.fixture(scope="module")
def both(crops: np.ndarray, few: pytest.MonkeyPatch) -> tuple[CameraEstimate, CameraEstimate]:
    return estimate_camera(_faces(crops, SHARP), crops), estimate_camera(_faces(crops, SOFT), crops)


def test_a_sharp_and_a_soft_camera_are_told_apart(both: tuple[CameraEstimate, CameraEstimate]) -> None:
    sharp, soft = (each.ranges for each in both)
    assert np.mean(sharp.blur_px) + 0.5 < np.mean(soft.blur_px)
    assert np.prod(sharp.shot) < np.prod(soft.shot)
    for found, true in ((sharp, SHARP), (soft, SOFT)):
        assert found.blur_px[1] - found.blur_px[0] < 2.4
        assert abs(np.subtract(found.quality, true.quality)).max() <= 2
        assert (found.gamma, found.motion_share) == (PUBLISHED.gamma, MOVING.motion_share)
    assert [each.quality_from for each in both] == ["pixels", "pixels"]
    assert not any(each.unusual for each in both)


def test_the_same_faces_give_the_same_estimate(crops: np.ndarray, both: tuple[CameraEstimate, CameraEstimate]) -> None:
    assert estimate_camera(_faces(crops, SHARP), crops) == both[0]


def test_sizes_are_quantiles_of_the_faces(crops: np.ndarray, both: tuple[CameraEstimate, CameraEstimate]) -> None:
    sizes = [face.probe_px for face in _faces(crops, SHARP)]
    assert both[0].faces == 24 and len(both[0].sizes_px) == 9
    assert both[0].sizes_px[4] == pytest.approx(np.median(sizes), abs=0.1)


def test_faces_that_no_camera_delivers_are_named(crops: np.ndarray, few: pytest.MonkeyPatch) -> None:
    random = np.random.RandomState(0)
    odd = [SmallFace(random.randint(0, 256, (32, 32, 3)).astype(np.uint8), 32.0) for _ in range(16)]
    assert estimate_camera(odd, crops).unusual


def test_resampled_faces_show_no_quality_and_keep_a_range(crops: np.ndarray, few: pytest.MonkeyPatch) -> None:
    faces = [SmallFace(resize(face.pixels, 30), 30.0) for face in _faces(crops, SHARP)]
    found = estimate_camera(faces, crops)
    assert found.quality_from == "faces"
    low, high = found.ranges.quality
    assert PUBLISHED.quality[0] <= low <= high <= PUBLISHED.quality[1]


def test_the_posterior_is_near_the_true_camera_and_weighted(crops: np.ndarray) -> None:
    random = np.random.default_rng(0)
    true = random.uniform(0.5, 2.5, 60)
    cameras = [CameraRanges(blur_px=(each - 0.2, each + 0.2)) for each in true]
    features = np.stack([true, random.normal(size=60)], axis=1)
    found = posterior(features, cameras, np.array([1.5, 0.0]))
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all()
    low, high = found.range_of(0)
    assert low == pytest.approx(1.3, abs=0.1) and high == pytest.approx(1.7, abs=0.1)


def test_work_reports_progress_and_can_be_stopped(crops: np.ndarray, few: pytest.MonkeyPatch) -> None:
    from core.jobs.errors import JobStopped

    seen = []
    hooks = Hooks(lambda kind, **data: seen.append(data["done"]), lambda: len(seen) >= 3)
    with pytest.raises(JobStopped):
        estimate_camera(_faces(crops, SHARP), crops, hooks=hooks)
    assert seen == [0, 1, 2]


def test_an_estimate_is_kept_in_a_file_without_faces(
    both: tuple[CameraEstimate, CameraEstimate], tmp_path: Path
) -> None:
    path = tmp_path / "camera.json"
    write_camera(path, both[1])
    assert read_camera(path) == both[1]
    assert path.stat().st_size < 1500
    rows = described(both[1])
    assert ("Size of 24 faces, px" in [row[0] for row in rows]) and len(rows) == 5


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "can't be read"),
        (b"", "isn't a camera's estimate"),
        (b"[1, 2]", "isn't a camera's estimate"),
        (b'{"format": "other"}', "isn't a camera's estimate"),
        (b'{"format": "edgeface-studio-camera-1"}', "is damaged"),
        (
            b'{"format": "edgeface-studio-camera-1", "ranges": {"blur_px": [3.0, 1.0]}, "sizes_px": [16.0], '
            b'"faces": 20, "quality_from": "files", "unusual": false}',
            "is damaged",
        ),
    ],
)
def test_a_file_that_holds_no_estimate_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "camera.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CameraUnclear, match=says):
        read_camera(path)
