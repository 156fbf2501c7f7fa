"""Optimizer groups, learning rates and the running mean of weights, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from core.training.optimise import Mean, make_optimizer, rates_at, set_rates
from core.training.recipe import Losses, Rates, Stage

STAGE = Stage(
    "s",
    "S",
    2,
    ("encoder", "head"),
    Losses(classification=1.0),
    rates=Rates(head=0.1, encoder=0.01),
    schedule="cosine",
    weight_decay=0.5,
    decay_all=False,
    beta2=0.9,
)


def parts() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"encoder": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), "head": nn.Linear(2, 4, bias=False)}


def test_each_part_has_its_rate_and_vectors_no_decay() -> None:
    optimizer = make_optimizer(parts(), STAGE)
    found = [(g["part"], g["lr"], g["weight_decay"], len(g["params"])) for g in optimizer.param_groups]
    assert found == [("encoder", 0.01, 0.5, 1), ("encoder", 0.01, 0.0, 3), ("head", 0.1, 0.5, 1)]
    assert all(group["betas"] == (0.9, 0.9) for group in optimizer.param_groups)


def test_decay_of_everything_puts_a_part_into_one_group() -> None:
    groups = make_optimizer(parts(), replace(STAGE, decay_all=True)).param_groups
    assert [(group["part"], group["weight_decay"], len(group["params"])) for group in groups] == [
        ("encoder", 0.5, 4),
        ("head", 0.5, 1),
    ]


def test_frozen_parameters_are_left_out() -> None:
    own = parts()
    own["encoder"].requires_grad_(False)
    assert [group["part"] for group in make_optimizer(own, STAGE).param_groups] == ["head"]


def test_rates_follow_the_schedule_and_reach_every_group_of_their_part() -> None:
    assert rates_at(STAGE, 0, 10) == {"encoder": 0.01, "head": 0.1}
    half = rates_at(STAGE, 5, 10)
    assert half == pytest.approx({"encoder": 0.005, "head": 0.05})
    optimizer = make_optimizer(parts(), STAGE)
    set_rates(optimizer, half)
    assert [group["lr"] for group in optimizer.param_groups] == [half["encoder"], half["encoder"], half["head"]]


def test_one_step_is_adamw_by_hand() -> None:
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(2.0)
    optimizer = make_optimizer({"head": layer}, STAGE)
    (3 * layer.weight).sum().backward()
    optimizer.step()
    # Decay first, 2 - 0.1 x 0.5 x 2; then the rate times the sign: both moments are unbiased after one step.
    assert layer.weight.item() == pytest.approx(1.9 - 0.1, abs=1e-6)


def test_the_mean_starts_quickly_and_then_keeps_its_decay() -> None:
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.0)
    mean, expected = Mean({"head": layer}, decay=0.2), 0.0
    layer.weight.data.fill_(1.0)
    for decay in (1 / 10, 2 / 11, 0.2, 0.2):  # (1 + n) / (10 + n), at most 0.2
        mean.update({"head": layer})
        expected = decay * expected + (1 - decay) * 1.0
        assert mean.parts["head"].weight.item() == pytest.approx(expected, abs=1e-6)


def test_the_mean_copies_buffers_and_is_never_trained() -> None:
    own = parts()
    mean = Mean(own, decay=0.9)
    own["encoder"].train()(torch.randn(8, 3))
    mean.update(own)
    assert torch.equal(mean.parts["encoder"][1].running_mean, own["encoder"][1].running_mean)
    assert not any(p.requires_grad for module in mean.parts.values() for p in module.parameters())
    assert not mean.parts["encoder"].training and own["encoder"].training


def test_a_loaded_mean_goes_on_as_the_saved_one() -> None:
    own = parts()
    mean = Mean(own, decay=0.9)
    own["head"].weight.data.add_(1)
    mean.update(own)
    other = Mean(parts(), decay=0.9)
    other.load(mean.state())
    own["head"].weight.data.add_(1)
    for each in (mean, other):
        each.update(own)
    assert other.count == mean.count == 2
    assert torch.equal(other.parts["head"].weight, mean.parts["head"].weight)
