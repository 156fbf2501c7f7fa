"""A stage: its losses, batches, optimizer and running mean, and the loop of one epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.settings import CROP_PX
from core.training.accelerator import Runner
from core.training.alarms import loss_not_finite, out_of_memory
from core.training.batches import Batch, BatchMaker, Sources, ahead
from core.training.data import TrainingData
from core.training.degrade import to_network
from core.training.errors import LossNotFinite, OutOfMemory, ran_out_of_memory
from core.training.feature_cache import FeatureCache
from core.training.heads import MarginHead
from core.training.networks import Networks, map_variances
from core.training.optimise import Mean, make_optimizer, rates_at, set_rates
from core.training.progress_state import RunProgress
from core.training.recipe import Stage
from core.training.run_context import RunContext
from core.training.stage_losses import StageLosses

KEEP_EVERY_S = 300.0
"""Interval of the last checkpoint within a long epoch."""

SPREAD_IMAGES = 64
"""Number of evenly spread train images for the variances of the teacher's maps."""

LOSS_NAMES = ("classification", "alignment", "teacher", "pixel", "identity", "features", "contrast")


@dataclass
class StageRun:
    """A stage in training. `views` (K, N, 512) holds a frozen encoder's embeddings where they are cached."""

    stage: Stage
    learner: StageLosses
    prepared: nn.Module
    optimizer: Any
    mean: Mean | None
    maker: BatchMaker
    views: NDArray[np.float32] | None
    parts: dict[str, nn.Module]

    @property
    def validated_parts(self) -> dict[str, nn.Module]:
        """The trained parts as validated and saved: their running means where the stage has them."""
        return self.parts if self.mean is None else self.mean.parts


def make_stage(stage: Stage, context: RunContext) -> StageRun:
    """Build a stage's learner, batches, optimizer and running mean; fill the caches that it needs."""
    config, parts, networks, runner = context.config, context.parts, context.networks, context.runner
    data, caches, accumulate = context.data, context.cache, context.accumulate
    learner = StageLosses(parts, stage, teacher_map_variances(stage, networks, data, runner.device))
    trained: dict[str, nn.Module] = {name: module for name, module in parts.named().items() if name in stage.trains}
    sources = make_sources(stage, networks, data, caches)
    pieces = runner.world * accumulate
    maker = BatchMaker(
        stage, sources, batch_size=config.recipe.batch_size, seed=config.seed, device=runner.device, parts=pieces
    )
    views = None
    if stage.cached_views and parts.encoder is not None and stage.epochs:
        views = caches.views(parts.encoder, networks, maker, stage.cached_views)
    optimizer = make_optimizer(trained, stage)
    prepared, optimizer = runner.prepare(learner, optimizer, some_unused="upscaler" in stage.trains)
    mean = Mean(trained, stage.ema) if stage.ema > 0 else None
    return StageRun(stage, learner, prepared, optimizer, mean, maker, views, trained)


def teacher_map_variances(stage: Stage, networks: Networks, data: TrainingData, device: str) -> list[float]:
    """Variances of the teacher's maps over train images, for a stage that matches them; else []."""
    if not stage.losses.features or networks.teacher is None:
        return []
    rows = np.unique(np.linspace(0, len(data.train) - 1, min(SPREAD_IMAGES, len(data.train))).astype(np.int64))
    return map_variances(networks.teacher, to_network(data.hr_batch(data.train, rows).to(device)))


def make_sources(stage: Stage, networks: Networks, data: TrainingData, caches: FeatureCache) -> Sources:
    """Build the stage's sources of pixels and targets, cached where the network is frozen."""
    sr: dict[int, NDArray[np.uint8]] = {}
    if stage.through == "upscaler" and "upscaler" not in stage.trains and stage.files > 0:
        for size in stage.sizes_px or data.vlr_sizes:
            made = caches.super_resolved(networks, data.train, size)
            if made is not None:
                sr[size] = made
    losses, targets, bank = stage.losses, None, None
    if losses.wants_targets and networks.teacher is not None:
        if stage.teacher_view == "clean" or losses.contrast:
            bank = caches.teacher_targets(networks.teacher, data.train)
        targets = bank if stage.teacher_view == "clean" else None
    return Sources(data, networks.takes, sr, targets, bank if losses.contrast else None)


def run_epoch(run: StageRun, epoch: int, context: RunContext, save: Callable[[], None]) -> bool:
    """Train on the remaining batches of an epoch (from 1) and add their losses to the progress' sums.

    `save` writes the last checkpoint. Returns False when a stop was requested. Raises LossNotFinite and OutOfMemory
    after their alarms.
    """
    stage, maker, progress = run.stage, run.maker, context.progress
    runner, reporter, accumulate = context.runner, context.reporter, context.accumulate
    pieces = runner.world * accumulate
    micro = [maker.piece(runner.rank * accumulate + number) for number in range(accumulate)]
    camera_pool = ThreadPoolExecutor(2, thread_name_prefix="camera") if stage.camera > 0 else None
    total = maker.steps * stage.epochs
    first = progress.batch

    def make(piece: int) -> Batch:
        step, part = first + piece // accumulate, micro[piece % accumulate]
        if run.views is not None:
            return view_batch(run, epoch, step, part, runner.device)
        return maker.make(epoch, step, part, camera_pool)

    began = kept = time.monotonic()
    before = progress.epoch_seconds
    reporter.progress("train", first * maker.batch_size, maker.steps * maker.batch_size)
    try:
        batches = ahead(make, range((maker.steps - first) * accumulate), context.config.num_workers)
        for step in range(first, maker.steps):
            if runner.broadcast(context.should_stop()):
                return False
            set_rates(run.optimizer, rates_at(stage, (epoch - 1) * maker.steps + step, total))
            torch.manual_seed(maker.step_seed(epoch, step))  # dropout follows from the step too
            out = _step(run, batches, accumulate, runner)
            _add(progress, out, maker.batch_size)
            progress.batch = step + 1
            progress.epoch_seconds = before + time.monotonic() - began
            loss = progress.sums["total"] / progress.sums["images"]
            if not math.isfinite(loss):
                alarm = loss_not_finite(stage.name, epoch)
                reporter.alarm(alarm)
                raise LossNotFinite(alarm.what, alarm.next_step)
            reporter.progress("train", (step + 1) * maker.batch_size, maker.steps * maker.batch_size, loss=loss)
            if time.monotonic() - kept > KEEP_EVERY_S:
                save()
                kept = time.monotonic()
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        alarm = out_of_memory(math.ceil(maker.batch_size / pieces), maker.batch_size)
        reporter.alarm(alarm)
        raise OutOfMemory(alarm.what, alarm.next_step) from error
    finally:
        if camera_pool is not None:
            camera_pool.shutdown(cancel_futures=True)
    return True


def _step(run: StageRun, batches: Any, accumulate: int, runner: Runner) -> dict[str, Tensor]:
    """Run one optimizer step over the pieces of a batch, weighted by size; returns mean losses and the number of
    correct classifications."""
    run.optimizer.zero_grad()
    sums: dict[str, Tensor] = {}
    for piece in range(accumulate):
        batch = next(batches)
        last = piece == accumulate - 1
        weight = len(batch) * runner.world / run.maker.batch_size
        with nullcontext() if last else runner.no_sync(run.prepared):
            out = run.prepared(batch)
            if out["total"].requires_grad:
                runner.backward(out["total"] * weight)
        for name, value in out.items():
            share = value.detach().float() * (1 if name == "correct" else weight)
            sums[name] = sums[name] + share if name in sums else share
    if run.stage.clip > 0:
        parameters = [p for module in run.parts.values() for p in module.parameters() if p.requires_grad]
        runner.clip(parameters, run.stage.clip)
    run.optimizer.step()
    head = run.parts.get("head")
    if isinstance(head, MarginHead):
        head.end_step(runner.sum)
    if run.mean is not None:
        run.mean.update(run.parts)
    if runner.world > 1:
        names = sorted(sums)
        values = runner.sum(torch.stack([sums[name] for name in names]))
        sums = {
            name: value / (1 if name == "correct" else runner.world) for name, value in zip(names, values, strict=True)
        }
    return sums


def view_batch(run: StageRun, epoch: int, step: int, part: slice, device: str) -> Batch:
    """Make a step's batch from cached embeddings: each image as one of its fixed views."""
    maker, views = run.maker, run.views
    assert views is not None
    rows = maker.order(epoch)[step * maker.batch_size : (step + 1) * maker.batch_size]
    generator = torch.Generator().manual_seed(maker.step_seed(epoch, step))
    chosen = torch.randint(len(views), (len(rows),), generator=generator).numpy()[part]
    rows = rows[part]
    embeddings = torch.from_numpy(np.ascontiguousarray(views[chosen, rows])).to(device)
    labels = torch.from_numpy(maker.labels[rows]).to(device)
    nothing = torch.zeros(0, device=device)
    return Batch(nothing, nothing, False, labels, rows, CROP_PX, False, embeddings=embeddings)


def _add(progress: RunProgress, out: dict[str, Tensor], images: int) -> None:
    """Add a step's losses, weighted by its images, to the epoch's sums."""
    sums = progress.sums
    sums["images"] = sums.get("images", 0.0) + images
    for name, value in out.items():
        number = float(value)
        if name == "correct":
            sums["correct"] = sums.get("correct", 0.0) + number
            sums["classified"] = sums.get("classified", 0.0) + images
        else:
            sums[name] = sums.get(name, 0.0) + number * images
            sums[f"{name} images"] = sums.get(f"{name} images", 0.0) + images


def epoch_figures(sums: dict[str, float]) -> dict[str, float | None]:
    """Return an epoch's training figures: the mean of each loss over the images that it was computed for."""
    found: dict[str, float | None] = {"loss": sums["total"] / sums["images"] if sums.get("images") else None}
    found["accuracy"] = sums["correct"] / sums["classified"] if sums.get("classified") else None
    for name in LOSS_NAMES:
        found[name] = sums[name] / sums[f"{name} images"] if sums.get(f"{name} images") else None
    return found
