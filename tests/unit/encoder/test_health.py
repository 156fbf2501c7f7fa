"""The health check separates official weights from the four ways of being broken."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.encoder.encode import load_encoder
from core.encoder.health import MAX_MEAN_ABS_COSINE, MIN_STD, health_faces, measure_health
from core.encoder.weights import load_state
from core.models.errors import WeightsUnhealthy


def test_the_faces_are_a_hundred_different_crops() -> None:
    faces = health_faces()
    assert faces.shape == (100, 112, 112, 3) and faces.dtype == np.uint8
    assert len({face.tobytes() for face in faces}) == 100
    assert (faces[..., 0] == faces[..., 2]).all(), "the pictures are grey"


def test_figures_by_hand() -> None:
    report = measure_health(np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32))
    # Cosines of the three pairs: 0, -1, 0. Values a column: (1, 0, -1) and (0, 1, 0).
    assert report.mean_cosine == pytest.approx(-1 / 3)
    assert report.mean_abs_cosine == pytest.approx(1 / 3)
    assert report.std == pytest.approx((np.sqrt(2 / 3) + np.sqrt(2 / 9)) / 2)
    assert report.norm_error == pytest.approx(0)


def test_spread_unit_vectors_are_healthy() -> None:
    vectors = np.random.default_rng(0).normal(size=(100, 512))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    report = measure_health(vectors.astype(np.float32))
    assert report.healthy and report.reason == ""
    assert report.std == pytest.approx(1 / np.sqrt(512), rel=0.02)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: np.where(np.arange(512) == 3, np.nan, v), "finite"),
        (lambda v: v * 1.5, "unit length"),
        (lambda v: np.repeat(v[:1], 100, axis=0), "look alike"),
    ],
    ids=["NaN", "not normalised", "collapsed"],
)
def test_each_fault_is_named(change, reason: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(100, 512))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    report = measure_health(change(vectors).astype(np.float32))
    assert not report.healthy
    assert reason in report.reason


def test_random_weights_are_refused(saved, xxs_state) -> None:
    with pytest.raises(WeightsUnhealthy, match="different people look alike"):
        load_encoder(saved(xxs_state))


def test_unhealthy_weights_can_be_looked_at_without_the_check(saved, xxs_state) -> None:
    assert load_encoder(saved(xxs_state), check=False).info.health is None


@pytest.mark.shared
@pytest.mark.parametrize("name", ["edgeface_xxs_q", "edgeface_xs_q"])
def test_official_weights_are_healthy_with_room_to_spare(shared_dir, name: str) -> None:
    health = load_encoder(shared_dir / "weights" / f"{name}.pt").info.health
    assert health is not None and health.healthy
    assert health.mean_abs_cosine < MAX_MEAN_ABS_COSINE / 2
    assert health.std > MIN_STD * 1.2


@pytest.mark.shared
@pytest.mark.parametrize("name", ["edgeface_xxs_q", "edgeface_xs_q"])
@pytest.mark.parametrize("fault", ["positional embedding zeroed", "positional embedding at random", "collapsed"])
def test_official_weights_once_broken_are_refused(shared_dir, saved, name: str, fault: str) -> None:
    tensors = load_state(shared_dir / "weights" / f"{name}.pt").tensors
    torch.manual_seed(0)
    for key, tensor in tensors.items():
        if "pos_embd" in key and fault.startswith("positional"):
            tensors[key] = torch.zeros_like(tensor) if fault.endswith("zeroed") else torch.randn_like(tensor) * 0.05
        if key == "head.fc.weight" and fault == "collapsed":
            tensors[key] = tensor * 0.02
    with pytest.raises(WeightsUnhealthy, match="different people look alike"):
        load_encoder(saved(tensors))
