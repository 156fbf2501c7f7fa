"""Training epochs: ours, with and without its caches, beside a plain PyTorch loop that super-resolves in its loader."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.bench.material import Material
from core.bench.photographs import listed, take_in
from core.bench.row import Row
from core.dataset.manifest import Dataset
from core.settings import load_settings
from core.training.accelerator import Runner
from core.training.data import Split, TrainingData
from core.training.estimate import Amounts
from core.training.feature_cache import FeatureCache
from core.training.networks import Networks
from core.training.progress_state import RunProgress
from core.training.reporter import Reporter
from core.training.run_context import RunContext
from core.training.stage import StageRun, make_stage, view_batch
from tests.benchmarks.plain_loop import STAGE_1, STAGE_2, PlainLoop

_WORDS = {"stage1": "Stage 1", "stage2": "Stage 2"}


class _NothingKept(FeatureCache):
    """Super-resolves in every step, as a run does whose disk is full."""

    def super_resolved(self, networks: Networks, split: Split, size_px: int) -> NDArray[np.uint8] | None:
        return None


def rows(material: Material) -> Iterator[Row]:
    """Seconds of an epoch, from steps of each in turn, once ours has filled its caches."""
    from core.dataset.manifest import read_dataset
    from core.training.data import open_data

    count = min(len(material.photographs), material.size(384, 40))
    material.on_step("preparing training data")
    out = material.folder / "training"
    take_in(listed(material, count, "train"), out, None)
    dataset = read_dataset(out)
    data = open_data(dataset, material.folder / "cache")
    runner = Runner("cpu")
    for name, target, command in (("stage1", 50.0, STAGE_1), ("stage2", 3.0, STAGE_2)):
        yield from _stage(material, dataset, data, runner, name, target, command)


def _stage(
    material: Material, dataset: Dataset, data: TrainingData, runner: Runner, name: str, target: float, command: str
) -> Iterator[Row]:
    from core.sr.upscale import load_dsr
    from core.training.config import make_config
    from core.training.heads import make_head
    from core.training.networks import freeze
    from core.training.stage_losses import Parts
    from tests.benchmarks.embedding import plain_model

    material.on_step(f"training, {name}")
    config = make_config("finetune", "notes", dataset="training", device="cpu")
    stage = next(stage for stage in config.recipe.stages if stage.name == name)
    dsr, facts = load_dsr(material.dsr_file)
    freeze(dsr)
    dsr.to(memory_format=torch.channels_last)
    rival = PlainLoop(material, _pairs(dataset, data), len(data.identities), trains_encoder=name == "stage2")

    def prepared(cached: bool) -> tuple[StageRun, float]:
        kind = FeatureCache if cached else _NothingKept
        caches = kind(material.folder / "cache", data, runner, lambda step, done, total: None)
        encoder = plain_model(material).to(memory_format=torch.channels_last)
        networks = Networks(encoder, material.encoder.name, "", None, "", dsr, facts, "bench", "bench")
        parts = Parts(encoder, dsr, make_head(config.recipe.head, len(data.identities), 512, 0), None)
        own = stage if cached else replace(stage, cached_views=0)
        began = time.perf_counter()
        context = RunContext(
            config,
            load_settings(),
            material.folder,
            runner,
            Reporter(None),
            lambda: False,
            data,
            networks,
            parts,
            caches,
            None,
            RunProgress(),
            1,
            Amounts(len(data.train), 0),
        )
        run = make_stage(own, context)
        return run, time.perf_counter() - began

    kept, filling = prepared(cached=True)
    ours = steps(kept, runner, material.size(12, 2))
    theirs = rival.steps(material.size(5, 1))
    ours += steps(kept, runner, material.size(12, 2))
    runner.release()
    without, _ = prepared(cached=False)
    uncached = steps(without, runner, material.size(8, 2))
    runner.release()
    images = len(data.train)
    plain = float(np.median(theirs)) * images
    for seconds, suffix, words in ((ours, "", "cached"), (uncached, "-uncached", "nothing cached")):
        epoch = float(np.median(seconds)) * images
        yield Row(
            f"epoch-{name}{suffix}",
            f"{_WORDS[name]} epoch of {images} images, {words}",
            "s",
            epoch,
            plain,
            plain / epoch,
            "" if suffix else f">= {target:.0f}x",
            None if suffix else plain / epoch >= target,
            command,
            f"preset notes; batch {kept.maker.batch_size}, {runner.precision}"
            + ("" if suffix else f"; caches made once, before the first epoch: {filling:.1f} s"),
        )


def steps(run: StageRun, runner: Runner, count: int) -> list[float]:
    """Seconds an image of the stage's own steps, batches included; the first step doesn't count."""
    spent = []
    for step in range(count + 1):
        epoch, number = 1 + step // run.maker.steps, step % run.maker.steps
        began = time.perf_counter()
        if run.views is not None:
            batch = view_batch(run, epoch, number, slice(None), runner.device)
        else:
            batch = run.maker.make(epoch, number, slice(None))
        run.optimizer.zero_grad()
        total = run.prepared(batch)["total"]
        runner.backward(total)
        if run.stage.clip > 0:
            runner.clip([p for module in run.parts.values() for p in module.parameters()], run.stage.clip)
        run.optimizer.step()
        if run.mean is not None:
            run.mean.update(run.parts)
        float(total.detach())
        if step:
            spent.append((time.perf_counter() - began) / len(batch))
    return spent


def _pairs(dataset: Dataset, data: TrainingData) -> list[tuple[Path, Path, int]]:
    """(VLR file of 16 px, HR file, label) of every train image that has both."""
    root, frame = dataset.root, dataset.frame
    numbers = {name: number for number, name in enumerate(data.identities)}
    large = frame[frame["kind"] == "hr"]
    paths = dict(zip(large["pair"], large["path"], strict=True))
    small = frame[(frame["kind"] == "vlr") & (frame["size_px"] == 16)]
    return [
        (root / path, root / paths[pair], numbers[identity])
        for path, pair, identity in zip(small["path"], small["pair"], small["identity"], strict=True)
        if pair in paths
    ]
