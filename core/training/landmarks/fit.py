"""A landmark network in training: its optimizer, the running mean of its weights, and one step after another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from core.images import to_tensor
from core.training.accelerator import choose_precision
from core.training.landmarks.batches import Batch
from core.training.landmarks.config import LandmarksConfig
from core.training.landmarks.network import LandmarkNet, landmark_loss

WARM_STEPS = 300
SMALLEST_RATE = 0.01
"""The learning rate rises over the first steps and falls along a cosine to this share of it."""

MEAN_KEEPS = 0.999
"""Share of the mean weights that a step keeps; less in the first steps."""

LOSSES = ("total", "points", "distance", "face")


class Fit:
    """The networks and the optimizer of a run, and the sums of its losses since `forget_losses`."""

    def __init__(self, config: LandmarksConfig, device: str) -> None:
        self.config, self.device = config, device
        precision = choose_precision(config.precision, device)
        self.precision = "float32" if precision == "float16" else precision  # small: it needs no scaled gradients
        self.network = _network(config.seed).to(device).to(memory_format=torch.channels_last)
        self.mean = _network(config.seed).to(device).to(memory_format=torch.channels_last).eval()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), config.learning_rate, weight_decay=0.01)
        self.step = 0
        """Steps done."""
        self.counted = 0
        self._sums = torch.zeros(len(LOSSES), device=device)

    def advance(self, batch: Batch) -> None:
        """Take one step."""
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.config, self.step)
        images = to_tensor(batch.images.numpy(), self.device)
        with self._autocast():
            out = self.network(images)
        losses = landmark_loss(out.float(), batch.points.to(self.device), batch.is_face.to(self.device))
        self.optimizer.zero_grad()
        torch.autograd.backward(losses["total"])
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self._update_mean()
        self._sums += torch.stack([losses[name].detach() for name in LOSSES])
        self.counted += 1
        self.step += 1

    def losses(self) -> dict[str, float]:
        """The mean losses since `forget_losses`; {} after it."""
        values = (self._sums / self.counted).tolist() if self.counted else []
        return dict(zip(LOSSES, values, strict=False))

    def forget_losses(self) -> None:
        self._sums = torch.zeros_like(self._sums)
        self.counted = 0

    def state(self) -> dict[str, Any]:
        """Everything that the steps to come depend on."""
        return {
            "network": self.network.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "sums": self._sums,
            "counted": self.counted,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`; the sums of losses may be missing."""
        self.network.load_state_dict(state["network"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])
        if "sums" in state:
            self._sums = state["sums"].to(self.device)
            self.counted = int(state["counted"])

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.partition(":")[0], torch.bfloat16)

    @torch.no_grad()
    def _update_mean(self) -> None:
        keep = min(MEAN_KEEPS, (self.step + 1) / (self.step + 10))
        for mean, now in zip(self.mean.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - keep)
            else:
                mean.copy_(now)


def rate_at(config: LandmarksConfig, step: int) -> float:
    """The learning rate of a step (from 0)."""
    warm = min(1.0, (step + 1) / WARM_STEPS)
    falling = 0.5 * (1 + math.cos(math.pi * (step + 1) / config.steps))
    return config.learning_rate * warm * (SMALLEST_RATE + (1 - SMALLEST_RATE) * falling)


def _network(seed: int) -> LandmarkNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LandmarkNet()
