"""Masks and glasses on aligned faces: where they lie, how often they are drawn, and what stays the target."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_batches import maker
from tiny_training import tiny_dataset

from core.faces.align import ARCFACE_TEMPLATE
from core.training.data import open_data
from core.training.degrade import enlarge, resize_batch, to_pixels
from core.training.occlude import DRAWS, occluded
from core.training.recipe import Augment, Losses

pytestmark = pytest.mark.usefixtures("tiny")

MASK, GLASSES = 0.1, 0.9
COMPARED = Losses(teacher=1.0, pixel=1.0)


def drawn(kind: float, count: int = 40) -> np.ndarray:
    """(count, 112, 112) bool: what is hidden of a grey face."""
    draws = torch.rand((count, DRAWS), generator=torch.Generator().manual_seed(0))
    draws[:, 0] = kind
    grey = torch.full((count, 3, 112, 112), 127, dtype=torch.uint8)
    return (occluded(grey, draws) != grey).any(1).numpy()


def at(hidden: np.ndarray, landmark: int) -> np.ndarray:
    x, y = np.rint(ARCFACE_TEMPLATE[landmark]).astype(int)
    return hidden[:, y, x]


def test_a_mask_hides_the_mouth_and_glasses_lie_over_the_eyes() -> None:
    masks, glasses = drawn(MASK), drawn(GLASSES)
    assert at(masks, 3).all() and at(masks, 4).all() and not at(masks, 0).any() and not at(masks, 1).any()
    assert not masks[:, :58].any()
    assert 0.2 < at(glasses, 0).mean() < 0.8 and not at(glasses, 3).any()  # dark lenses in half of them
    assert glasses[:, 40:64].any((1, 2)).all() and not glasses[:, 70:].any()


def test_the_faces_given_stay_as_they_are() -> None:
    grey = torch.full((2, 3, 112, 112), 127, dtype=torch.uint8)
    occluded(grey, torch.zeros((2, DRAWS)))
    assert bool((grey == 127).all())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("occluded")
    return open_data(tiny_dataset(folder / "set", people=3, sizes=(16, 24)), folder / "cache")


def test_the_view_is_occluded_and_the_face_that_the_teacher_sees_is_not(data) -> None:
    given = {"batch_size": 12, "sizes_px": (32,), "losses": COMPARED}
    plain = maker(data, **given, augment=Augment(flip=0.5)).make(1, 0, slice(None))
    batch = maker(data, **given, augment=Augment(flip=0.5, occlude=1.0)).make(1, 0, slice(None))
    assert torch.equal(batch.hr, plain.hr)
    assert batch.shown is not None and not torch.equal(batch.shown, batch.hr)
    assert torch.equal(to_pixels(batch.view), enlarge(resize_batch(to_pixels(batch.shown), 32)))


def test_a_share_of_small_faces_is_occluded_and_no_large_one(data) -> None:
    made = maker(data, batch_size=12, sizes_px=(32,), losses=COMPARED, augment=Augment(flip=0, occlude=0.25))
    changed = [
        (batch.shown != batch.hr).any((1, 2, 3)).float().mean().item() if batch.shown is not None else 0.0
        for batch in (made.make(epoch, 0, slice(None)) for epoch in range(1, 41))
    ]
    assert np.mean(changed) == pytest.approx(0.25, abs=0.08)
    large = maker(data, sizes_px=(112,), augment=Augment(flip=0, occlude=1.0)).make(1, 0, slice(None))
    assert large.shown is None and torch.equal(large.view, large.hr)


@pytest.mark.parametrize("photographed", [0.0, 1.0])
def test_occluded_camera_images_in_pieces_are_the_batch(data, photographed) -> None:
    made = maker(data, sizes_px=(16,), augment=Augment(occlude=0.5), camera=0.5, photographed=photographed)
    whole = made.make(1, 1, slice(None))
    pieces = [made.make(1, 1, slice(i, j)) for i, j in ((0, 1), (1, 2), (2, 4))]
    assert torch.equal(whole.view, torch.cat([piece.view for piece in pieces]))


def test_a_photographed_face_can_be_made_by_the_camera(data) -> None:
    by_bicubic, by_camera = (
        maker(data, sizes_px=(24,), photographed=1.0, camera=share).make(1, 0, slice(None)) for share in (0.0, 1.0)
    )
    difference = (to_pixels(by_bicubic.view).float() - to_pixels(by_camera.view).float()).abs().mean((1, 2, 3))
    assert bool((difference > 2).all())
