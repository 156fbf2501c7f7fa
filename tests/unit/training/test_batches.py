"""Pixels on tensors: the project's bicubic, draws that follow from the seed, batches that can be cut in pieces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import picture, tiny_dataset

from core.images import resize
from core.training.augment import coloured, draw, flipped, recoloured, to_levels
from core.training.batches import BatchMaker, Sources, ahead
from core.training.data import open_data, validated_sizes
from core.training.degrade import enlarge, resize_batch, resize_by_weights, to_network, to_pixels
from core.training.recipe import Augment, Losses, Stage

pytestmark = pytest.mark.usefixtures("tiny")


MOVING = Augment(
    flip=0.5, rotate_deg=8, scale=0.1, shift=0.05, brightness=0.1, contrast=0.3, saturation=0.2, colour=0.1, erase=0.5
)
MIXING = replace(MOVING, mix=1.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    return open_data(tiny_dataset(folder / "set", people=3, sizes=(16, 24)), folder / "cache")


def maker(data, batch_size=4, **stage):
    losses = stage.pop("losses", Losses(teacher=1.0))
    chosen = Stage("s", "S", 1, ("encoder",), losses, **{"through": "bicubic", **stage})
    return BatchMaker(chosen, Sources(data, lambda _: False, {}, None), batch_size=batch_size, seed=5, device="cpu")


@pytest.mark.parametrize("size", [12, 16, 24, 32, 45])
def test_degrading_a_batch_is_pillows_bicubic_within_a_level(size):
    pictures = np.stack([picture(person, 0) for person in range(6)])
    small = resize_batch(torch.from_numpy(pictures).permute(0, 3, 1, 2), size)
    expected = np.stack([resize(each, size) for each in pictures])
    assert small.dtype == torch.uint8
    assert np.abs(small.permute(0, 2, 3, 1).numpy().astype(int) - expected).max() <= 1
    large = enlarge(torch.from_numpy(expected).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    off = np.abs(large.astype(int) - np.stack([resize(each, 112) for each in expected]))
    assert off.max() <= 2 and (off > 1).mean() < 1e-3  # two passes, each rounded, on other fixed-point weights


@pytest.mark.parametrize(("before", "after"), [(112, 16), (112, 24), (112, 45), (112, 7), (16, 112), (37, 112)])
def test_without_8_bit_bicubic_a_batch_has_pillows_own_pixels(before, after):
    noise = np.random.default_rng(0).integers(0, 256, (8, before, before, 3)).astype(np.uint8)
    stripes = np.indices((before, before)).sum(axis=0)[None, ..., None] // 4 % 2 * 255  # black and white overshoot most
    pictures = np.concatenate([noise, np.broadcast_to(stripes, noise.shape).astype(np.uint8)])
    made = resize_by_weights(torch.from_numpy(pictures).permute(0, 3, 1, 2), after).permute(0, 2, 3, 1)
    np.testing.assert_array_equal(made.numpy(), np.stack([resize(each, after) for each in pictures]))


def test_pixels_survive_the_way_to_the_network_and_back():
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert torch.equal(to_pixels(to_network(every)), every)


def test_people_numbers_and_files_belong_together(data):
    assert data.identities == ("p00", "p01", "p02") and data.shared == 3 and data.vlr_sizes == (16, 24)
    assert validated_sizes(data, ()) == (16, 24) and validated_sizes(data, (32,)) == (32,)
    rows = np.arange(len(data.train))
    small = data.vlr_batch(data.train, 16, rows)
    assert torch.equal(small, resize_batch(data.hr_batch(data.train, rows), 16)) or (
        (small.int() - resize_batch(data.hr_batch(data.train, rows), 16).int()).abs().max() <= 1
    )
    assert data.train.labels.tolist() == sorted(data.train.labels.tolist())


@pytest.mark.parametrize(
    "stage",
    [
        {"files": 1.0},
        {"augment": MOVING, "sizes_px": (16, 20, 112)},
        {"camera": 0.5, "sizes_px": (16,)},
        {"augment": MIXING, "sizes_px": (16, 112)},
        {"augment": MIXING, "sizes_px": (16,), "photographed": 1.0},
    ],
    ids=["files", "moved", "camera", "mixed", "mixed and photographed"],
)
def test_a_batch_in_pieces_is_the_batch(data, stage):
    made = maker(data, **stage)
    for step in range(made.steps):
        whole = made.make(1, step, slice(None))
        pieces = [made.make(1, step, slice(i, j)) for i, j in ((0, 1), (1, 2), (2, 4))]
        for name in ("hr", "view"):
            assert torch.equal(getattr(whole, name), torch.cat([getattr(piece, name) for piece in pieces]))
        assert whole.rows.tolist() == [row for piece in pieces for row in piece.rows]


def test_a_missing_file_is_missed_by_the_whole_batch_not_by_its_piece_alone(data):
    places = data.train.vlr[16].copy()
    places[0] = -1
    gap = replace(data, train=replace(data.train, vlr={**data.train.vlr, 16: places}))
    made = maker(gap, files=1.0, sizes_px=(16,), augment=MOVING)
    step = next(step for step in range(made.steps) if 0 in made.order(1)[step * 4 : step * 4 + 4])
    whole = made.make(1, step, slice(None))
    pieces = [made.make(1, step, slice(i, i + 1)) for i in range(4)]
    for name in ("hr", "view"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(piece, name) for piece in pieces]))


def test_the_same_step_is_the_same_batch_and_another_epoch_is_not(data):
    made = maker(data, augment=MOVING, sizes_px=(16,))
    again = maker(data, augment=MOVING, sizes_px=(16,))
    assert torch.equal(made.make(2, 1, slice(None)).view, again.make(2, 1, slice(None)).view)
    assert made.order(1).tolist() != made.order(2).tolist() and sorted(made.order(1)) == list(range(12))


def test_hr_and_its_small_version_are_changed_alike(data):
    made = maker(data, augment=MOVING, sizes_px=(32,), files=0.0)
    batch = made.make(1, 0, slice(None))
    expected = enlarge(resize_batch(to_pixels(batch.hr), 32))
    assert torch.equal(to_pixels(batch.view), expected) and not batch.is_hr
    assert made.make(1, 0, slice(None)).size_px == 32


def test_hr_is_made_only_for_losses_that_compare_with_it(data):
    targets = np.zeros((len(data.train), 512), dtype=np.float32)
    hr = {}
    for name, losses in {"targets": Losses(teacher=1.0), "pixels": Losses(teacher=1.0, pixel=1.0)}.items():
        stage = Stage("s", "S", 1, ("encoder",), losses, through="bicubic", photographed=1.0)
        sources = Sources(data, lambda _: False, {}, targets)
        batch = BatchMaker(stage, sources, batch_size=4, seed=5, device="cpu").make(1, 0, slice(None))
        hr[name] = (batch.hr is not None, batch.shown is not None)
    assert hr == {"targets": (False, False), "pixels": (True, True)}
    assert maker(data).make(1, 0, slice(None)).hr is not None  # the teacher embeds it


@pytest.mark.parametrize("augment", [Augment(brightness=0.2, contrast=0.5), Augment(flip=1.0, colour=0.3)])
def test_colours_by_tables_are_those_by_arithmetic(augment):
    pictures = torch.from_numpy(np.stack([picture(person, 1) for person in range(8)])).permute(0, 3, 1, 2)
    draws = draw(augment, 8, torch.Generator().manual_seed(2))
    made = recoloured(pictures, augment, draws)
    expected = to_levels(coloured(flipped(pictures, draws.flip).float(), augment, draws))
    off = (made.int() - expected.int()).abs()
    assert off.max() <= 1 and (off > 0).float().mean() < 1e-3  # sums in another order, halves rounded the other way
    assert not torch.equal(made, pictures)


def test_of_112_px_the_view_is_hr_itself(data):
    batch = maker(data, sizes_px=(112,)).make(1, 0, slice(None))
    assert batch.is_hr and torch.equal(batch.view, batch.hr)


def test_draws_keep_within_their_limits():
    draws = draw(MOVING, 2000, torch.Generator().manual_seed(0))
    assert float(draws.turn.abs().max()) <= np.deg2rad(8) and float(draws.scale.min()) >= 0.9
    assert float(draws.brightness.abs().max()) <= 25.5 and 0.45 < float(draws.flip.float().mean()) < 0.55
    assert 0.45 < float((draws.boxes[:, 2] > 0).float().mean()) < 0.55 and draws.mix is None


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_made_ahead_come_in_order(workers):
    assert list(ahead(lambda step: step * step, range(3, 9), workers)) == [9, 16, 25, 36, 49, 64]  # type: ignore[arg-type]
