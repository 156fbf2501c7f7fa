"""Optimizer, learning rates, and running mean of weights of a stage."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from core.training.recipe import Stage
from core.training.schedule import factor

BETA1 = 0.9


def make_optimizer(parts: dict[str, nn.Module], stage: Stage) -> torch.optim.AdamW:
    """Build AdamW with a group per part, and another without decay for its vectors unless the stage decays all.

    Each group has a "part"; `set_rates` sets its rate at every step.
    """
    groups: list[dict[str, Any]] = []
    for name, module in parts.items():
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        matrices = [parameter for parameter in trained if parameter.ndim > 1 or stage.decay_all]
        vectors = [parameter for parameter in trained if parameter.ndim <= 1 and not stage.decay_all]
        peak = getattr(stage.rates, name)
        for parameters, decay in ((matrices, stage.weight_decay), (vectors, 0.0)):
            if parameters:
                groups.append({"params": parameters, "weight_decay": decay, "lr": peak, "part": name})
    # On the CPU one pass over each parameter takes a third of the time of one for each operation.
    on_cpu = all(parameter.device.type == "cpu" for group in groups for parameter in group["params"])
    return torch.optim.AdamW(groups, betas=(BETA1, stage.beta2), fused=on_cpu or None)


def rates_at(stage: Stage, step: int, steps: int) -> dict[str, float]:
    """Return the learning rate of each trained part at a step (from 0) of the stage's `steps`."""
    share = factor(stage.schedule, step, steps, warmup=stage.warmup, floor=stage.floor)
    return {part: getattr(stage.rates, part) * share for part in stage.trains}


def set_rates(optimizer: torch.optim.Optimizer, rates: dict[str, float]) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rates[group["part"]]


class Mean:
    """Running mean of the trained parts' weights; its decay starts as (1 + n) / (10 + n) at step n."""

    def __init__(self, parts: dict[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.count = 0
        self.parts = {name: copy.deepcopy(module).requires_grad_(False).eval() for name, module in parts.items()}

    @torch.no_grad()
    def update(self, parts: dict[str, nn.Module]) -> None:
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        self.count += 1
        for name, mean in self.parts.items():
            now = parts[name]
            for kept, value in zip(mean.parameters(), now.parameters(), strict=True):
                kept.lerp_(value.detach(), 1 - decay)
            for buffer, current in zip(mean.buffers(), now.buffers(), strict=True):
                buffer.copy_(current)

    def state(self) -> dict[str, Any]:
        return {"count": self.count, "parts": {name: module.state_dict() for name, module in self.parts.items()}}

    def load(self, state: dict[str, Any]) -> None:
        self.count = int(state["count"])
        for name, module in self.parts.items():
            module.load_state_dict(state["parts"][name])
