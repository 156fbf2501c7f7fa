"""Training speed of this machine, from a few real steps on copies of the networks."""

from __future__ import annotations

import copy
import time
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from core.training.batches import BatchMaker, Sources
from core.training.degrade import to_network
from core.training.estimate import HEAD_ALONE_S, Speeds
from core.training.optimise import make_optimizer
from core.training.recipe import Stage
from core.training.run_context import RunContext
from core.training.stage import teacher_map_variances
from core.training.stage_losses import StageLosses

_STEPS, _LONGEST_S = 5, 4.0


def measure_speeds(context: RunContext) -> Speeds:
    """Time a few forward passes of the encoder and training steps of each stage; returns seconds per image."""
    stages: dict[str, float] = {}
    for stage in context.config.recipe.stages:
        if stage.epochs and not stage.cached_views:
            stages[stage.name] = _step_s(stage, context)
        elif stage.cached_views:
            stages[stage.name] = HEAD_ALONE_S
    return Speeds(_forward_s(context), stages)


def _forward_s(context: RunContext) -> float:
    encoder, data, runner = context.parts.encoder, context.data, context.runner
    assert encoder is not None
    count = min(64, len(data.train))
    training = encoder.training
    encoder.eval()
    images = to_network(data.hr_batch(data.train, np.arange(count)).to(runner.device))
    times = []
    with torch.no_grad(), runner.autocast():
        for _ in range(3):
            began = time.perf_counter()
            encoder(images).float().cpu()
            times.append(time.perf_counter() - began)
    encoder.train(training)
    return min(times) / count


def _step_s(stage: Stage, context: RunContext) -> float:
    config, parts, networks = context.config, context.parts, context.networks
    data, runner = context.data, context.runner
    copied = replace(copy.deepcopy(replace(parts, teacher=None)), teacher=parts.teacher)
    named = copied.named()
    learner = StageLosses(copied, stage, teacher_map_variances(stage, networks, data, runner.device))
    trained: dict[str, nn.Module] = {name: module for name, module in named.items() if name in stage.trains}
    optimizer = make_optimizer(trained, stage)
    nothing = np.zeros((len(data.train), 512), dtype=np.float32)
    targets = nothing if stage.teacher_view == "clean" else None
    sources = Sources(data, networks.takes, {}, targets, nothing if stage.losses.contrast else None)
    maker = BatchMaker(stage, sources, batch_size=config.recipe.batch_size, seed=config.seed, device=runner.device)
    seen, spent, began = 0, 0.0, time.perf_counter()
    for step in range(_STEPS + 1):
        start = time.perf_counter()
        rows = maker.order(1)[: maker.batch_size]
        batch = maker.build(rows, step, slice(None), size=maker.sizes[step % len(maker.sizes)])
        with runner.autocast():
            total = learner(batch)["total"]
        if total.requires_grad:
            total.backward()
            optimizer.step()
        optimizer.zero_grad()
        float(total.detach())
        if step > 0:  # the first one warms up
            seen, spent = seen + len(batch), spent + time.perf_counter() - start
        if spent and time.perf_counter() - began > _LONGEST_S:
            break
    return spent / max(1, seen)
