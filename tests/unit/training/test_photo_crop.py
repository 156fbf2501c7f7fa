"""VLR as a photograph gives it: what is drawn, and that the picture lies where its HR lies."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from core.sr.trial import trial_faces
from core.training.degrade import enlarge, resize_batch
from core.training.photo_crop import Cuts, as_cut, draw_cuts, photographed


def faces(count: int = 8) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(trial_faces()[:count])).permute(0, 3, 1, 2)


def still(count: int) -> torch.Tensor:
    return torch.eye(3).repeat(count, 1, 1)


def bicubic(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.bool)


def error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.float() - b.float()).abs()[:, :, 8:-8, 8:-8].mean())


def test_untouched_it_is_the_reduced_picture_enlarged() -> None:
    hr = faces()
    cuts = Cuts(still(8), still(8))
    view = photographed(hr, cuts, lambda there: resize_batch(there, 28))
    assert torch.equal(as_cut(hr, cuts), hr)
    # Two bicubic kernels: torch's for sampling has a = -0.75, the project's enlargement -0.5.
    assert error(view, enlarge(resize_batch(hr, 28))) < 1.5


@pytest.mark.parametrize("size", [16, 24, 32])
def test_what_is_shown_is_what_the_view_shows(size: int) -> None:
    hr = faces()
    cuts = draw_cuts(bicubic(8), size, torch.Generator().manual_seed(3))
    view, shown = photographed(hr, cuts, lambda there: resize_batch(there, size)), as_cut(hr, cuts)
    assert view.shape == hr.shape and view.dtype == torch.uint8
    # However the face lies in the small picture, the cut undoes it all but for the error, which the shown HR shares.
    assert error(view, shown) < error(view, hr)
    assert error(view, shown) < 1.35 * error(enlarge(resize_batch(hr, size)), hr)


def test_a_shift_of_the_error_moves_both_alike() -> None:
    hr = faces(1)
    off = still(1)
    off[:, 0, 2] = 2 * 4 / 112  # the place 4 px to the right is fetched: the picture moves to the left
    cuts = Cuts(still(1), off)
    view = photographed(hr, cuts, lambda there: resize_batch(there, 32))
    assert torch.equal(as_cut(hr, cuts)[..., :-8], hr[..., 4:-4])
    assert error(view[..., :-4], hr[..., 4:]) < error(view, hr)


@pytest.mark.parametrize("size", [16, 112])
def test_a_cut_by_opencv_is_the_one_by_torch_within_its_steps(size: int) -> None:
    hr = resize_batch(faces(), size)
    cuts = draw_cuts(bicubic(8), 16, torch.Generator().manual_seed(5))
    matrices = torch.linalg.inv(cuts.pose) @ cuts.error
    grid = functional.affine_grid(matrices[:, :2], [8, 3, 112, 112], align_corners=False)
    expected = functional.grid_sample(hr.float(), grid, mode="bicubic", padding_mode="border", align_corners=False)
    cut = photographed(hr, Cuts(torch.linalg.inv(matrices), still(8)), lambda there: hr)
    assert error(cut, expected.clamp(0, 255)) < 0.6  # places in steps of 1/32 px


def test_draws_follow_from_the_generator_and_are_cut_like_batches() -> None:
    first, again = (draw_cuts(bicubic(6), 16, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first.pose, again.pose) and torch.equal(first.error, again.error)
    assert torch.equal(first.part(slice(2, 4)).error, again.error[2:4])
    larger = draw_cuts(bicubic(6), 32, torch.Generator().manual_seed(1))
    assert float((larger.error - still(6)).abs().sum()) < float((first.error - still(6)).abs().sum())
    # A similarity and nothing else: columns of equal length at right angles.
    block = first.pose[:, :2, :2]
    gram = block.transpose(1, 2) @ block
    assert torch.allclose(gram, gram[:, :1, :1] * torch.eye(2), atol=1e-6)
