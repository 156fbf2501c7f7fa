"""The training loop: runs a recipe's stages epoch by epoch, with validation, checkpoints and events.

Every step follows from the seed, the stage, the epoch and the step number, so an interrupted run resumes bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from core.evaluation.lineage import people_of
from core.jobs.errors import JobStopped
from core.settings import Settings
from core.training import alarms, log_format
from core.training.accelerator import ProcessGroup
from core.training.average_with_start import average_with_start, untried_shares
from core.training.checkpointing import make_report, save_best, save_last
from core.training.config import TrainingConfig
from core.training.estimate import save_speeds, stage_seconds
from core.training.feature_cache import FeatureCache
from core.training.heads import MarginHead
from core.training.optimise import rates_at
from core.training.progress_state import EpochVerdict, judge_epoch
from core.training.recipe import Stage
from core.training.run_context import RunContext
from core.training.setup import make_plan, plan_lines, prepare_run
from core.training.stage import StageRun, epoch_figures, make_stage, run_epoch
from core.training.timing import measure_speeds
from core.training.validation_figures import ValidationFigures, ValidationLoss

MAX_VLR_PX = 48
"""Largest size that counts as very low resolution: DSR networks are trained up to it."""
_BICUBIC_FIGURES = ("psnr_db", "ssim", "similarity", "eer")
"""ValidationFigures of bicubic that each epoch's event repeats for comparison."""


def train(
    config: TrainingConfig,
    settings: Settings,
    folder: Path,
    *,
    on_event: Callable[..., None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    group: ProcessGroup | None = None,
) -> dict[str, Any]:
    """Train as `config` says, from the last checkpoint in `folder` if there is one, and return the run's report.

    Raises JobStopped when `should_stop` returns True, and CoreErrors for everything that a user can cause.
    """
    context = prepare_run(config, settings, folder, on_event=on_event, should_stop=should_stop, group=group)
    try:
        _begin(context)
        stages = config.recipe.stages
        while context.progress.stage < len(stages):
            _run_stage(context, stages[context.progress.stage])
            context.progress.next_stage()
            context.resumed = None
        average_with_start(context, lambda stage: _validate(context, stage, {}))
        return make_report(context)
    finally:
        context.runner.close()


# Before the first epoch ---------------------------------------------------------------------------------------------


def _begin(context: RunContext) -> None:
    """Report the plan with its estimated time, warnings about the data, and the figures before training."""
    config, recipe, reporter, progress = context.config, context.config.recipe, context.reporter, context.progress
    speeds = measure_speeds(context)
    if context.runner.first:
        save_speeds(context.settings, config.kind, speeds)
    context.stage_s = {stage.name: stage_seconds(stage, context.amounts, speeds) for stage in recipe.stages}
    reporter.left_s = lambda: _left_s(context)
    reporter.worked_s = lambda: progress.seconds + progress.epoch_seconds
    reporter.epochs = recipe.epochs
    plan = make_plan(context, speeds)
    reporter.event("plan", **plan)
    for text in plan_lines(plan, resumed=context.resumed is not None):
        reporter.log(text)
    _check_data(context)
    if progress.start is None and context.validator is not None:
        start = _validate(context, recipe.stages[0], None)
        assert start is not None
        progress.start = start.event(pixels="upscaler" in recipe.stages[0].trains)
        progress.cosine_at_start = start.mean_abs_cosine
        reporter.log(f"Before training | {log_format.figures_text(progress.start)}")
        if "upscaler" in recipe.trains:
            bicubic = context.validator.measure(context.networks.encoder, None, pixels=True)
            progress.bicubic = bicubic.event(pixels=True)
            reporter.log(f"Bicubic | {log_format.figures_text(progress.bicubic)}")
        reporter.event("start", val=progress.start, bicubic=progress.bicubic)


def _check_data(context: RunContext) -> None:
    """Raise alarms about data that make figures misleading."""
    data = context.data
    if data.dataset.info.synthetic:
        _raise_alarm(context, alarms.drawn_faces())
    large = tuple(size for size in data.vlr_sizes if size > MAX_VLR_PX)
    if large:
        _raise_alarm(context, alarms.vlr_not_small(large, MAX_VLR_PX))
    if context.config.recipe.wants_head and context.amounts.val and not data.shared:
        _raise_alarm(context, alarms.no_shared_identities(len(data.identities)))
    others = data.val_people - set(data.identities)
    if known := people_of(context.networks.ancestors, others, context.settings):
        _raise_alarm(context, alarms.val_took_part(len(known), len(others)))


def _raise_alarm(context: RunContext, alarm: alarms.Alarm) -> None:
    """Report an alarm once per stage; notices once per run."""
    key = f"{context.progress.stage if alarm.severity != 'notice' else ''} {alarm.code} {alarm.cause[:2]}"
    if key not in context.progress.said:
        context.progress.said.append(key)
        context.reporter.alarm(alarm)


# A stage ------------------------------------------------------------------------------------------------------------


def _run_stage(context: RunContext, stage: Stage) -> None:
    progress, reporter, runner, recipe = context.progress, context.reporter, context.runner, context.config.recipe
    if progress.has_ended(stage.epochs, stage.patience):  # resumed between two stages
        _load_means(context, (context.resumed or {}).get("mean"))
        return
    number = progress.stage + 1
    reporter.stage = stage.name
    reporter.event("stage", stage=stage.name, number=number, stages=len(recipe.stages), title=stage.title)
    for text in log_format.banner(number, stage.title):
        reporter.log(text)
    run = make_stage(stage, context)
    _restore_stage(context, run)
    for epoch in range(progress.epoch + 1, stage.epochs + 1):
        reporter.epoch = progress.step + 1
        if not run_epoch(run, epoch, context, lambda: save_last(context, run)):
            save_last(context, run)
            raise JobStopped
        if runner.broadcast(_end_epoch(context, run, epoch)):
            break
    _load_means(context, None if run.mean is None else run.mean.state())
    runner.release()


def _load_means(context: RunContext, mean: dict[str, Any] | None) -> None:
    """Load a finished stage's running means into the networks: the next stage starts from the validated weights."""
    for name, weights in ({} if mean is None else mean["parts"]).items():
        context.parts.named()[name].load_state_dict(weights)


def _restore_stage(context: RunContext, run: StageRun) -> None:
    state, scaler = context.resumed, context.runner.scaler
    if state is None or state.get("optimizer") is None:
        return
    run.optimizer.load_state_dict(state["optimizer"])
    if run.mean is not None and state.get("mean") is not None:
        run.mean.load(state["mean"])
    if scaler is not None and state.get("scaler") is not None:
        scaler.load_state_dict(state["scaler"])


def _end_epoch(context: RunContext, run: StageRun, epoch: int) -> bool:
    """Validate, judge, report and save an epoch. Returns True when the stage's patience has run out."""
    progress, stage, reporter = context.progress, run.stage, context.reporter
    train, images, train_s = epoch_figures(progress.sums), progress.sums.get("images", 0.0), progress.epoch_seconds
    began = time.monotonic()
    found = _validate(context, stage, run.validated_parts)
    validation_s = time.monotonic() - began
    context.stage_s[stage.name] = (train_s or context.stage_s[stage.name][0], validation_s)
    val = None if found is None else found.event(pixels="upscaler" in stage.trains)
    signals = None if found is None else found.signals(progress.cosine_at_start, stage.losses.classification > 0)
    best_so_far = None if progress.best is None else progress.best["figures"]
    verdict = judge_epoch(context.config.recipe.criterion, train, val, signals, best_so_far)
    record = {"stage": stage.name, "epoch": epoch, "step": progress.step + 1, "figures": val or {}, "train": train}
    progress.end_epoch(record, seconds=train_s + validation_s, is_best=verdict.is_best)
    for alarm in verdict.alarms:
        _raise_alarm(context, alarm)
    if verdict.is_best and context.runner.first:
        save_best(context, run)
    _report_epoch(context, run, verdict, (train_s, validation_s, images))
    ended = progress.has_ended(stage.epochs, stage.patience)
    if ended and epoch < stage.epochs:
        reporter.log(f"No improvement for {progress.waited} epochs: the stage ends. The best checkpoint is kept.")
    # Last of all: an epoch that a kill loses before this is trained and reported again, never missing from the events.
    save_last(context, run)
    return ended


def _report_epoch(
    context: RunContext, run: StageRun, verdict: EpochVerdict, amounts: tuple[float, float, float]
) -> None:
    """Send the event and the log lines of the epoch just recorded; `amounts` are training and validation seconds and
    images."""
    stage, progress, reporter = run.stage, context.progress, context.reporter
    record, (train_s, validation_s, images) = progress.last or {}, amounts
    epoch, train, val = record["epoch"], record["train"], record["figures"] or None
    rates = rates_at(stage, (epoch - 1) * run.maker.steps, stage.epochs * run.maker.steps)
    speed, left = images / train_s if train_s > 0 else 0.0, _left_s(context)
    bicubic = None if progress.bicubic is None else {key: progress.bicubic.get(key) for key in _BICUBIC_FIGURES}
    reporter.event(
        "epoch",
        stage=stage.name,
        epoch=epoch,
        epochs=stage.epochs,
        step=progress.step,
        seconds=train_s + validation_s,
        images_per_s=speed,
        left_s=left,
        lr=rates,
        train=train,
        val=None if val is None else {**val, "bicubic": bicubic},
        best=verdict.is_best,
        criterion={"name": verdict.criterion, "value": verdict.value},
        line=log_format.epoch_line(epoch, stage.epochs, train, val, rates, images_per_s=speed, left_s=left),
    )
    if verdict.is_best and val is not None:
        reporter.log(log_format.best_line(verdict.criterion, verdict.value, val))


def _validate(context: RunContext, stage: Stage, parts: Mapping[str, nn.Module] | None) -> ValidationFigures | None:
    """Measure the networks with `parts` in place of theirs; None without val, or in any process but the first.

    `parts` None means before training: neither the head's figures nor the loss are measured.
    """
    if context.validator is None:
        return None
    named = {**context.parts.named(), **(parts or {})}
    weights, teacher, val = stage.losses, context.networks.teacher, context.data.val
    targets = None
    if weights.wants_targets and teacher is not None and val is not None:
        # Only the first process validates, so no other waits for this cache.
        alone = FeatureCache(context.cache.folder, context.data, context.runner, context.reporter.progress, alone=True)
        targets = alone.teacher_targets(teacher, val)
    upscaler = named.get("upscaler") if stage.through == "upscaler" else None
    head = named.get("head") if parts is not None else None
    assert head is None or isinstance(head, MarginHead)
    loss = None if parts is None else ValidationLoss(weights, targets)
    training = {name: module.training for name, module in context.parts.named().items()}
    found = context.validator.measure(named["encoder"], upscaler, head, loss, pixels="upscaler" in stage.trains)
    for name, module in context.parts.named().items():
        module.train(training[name])
    return found


def _left_s(context: RunContext) -> float:
    """Estimate the seconds that the rest of the run takes, from its epochs so far."""
    progress, stages = context.progress, context.config.recipe.stages
    total = len(untried_shares(context)) * context.stage_s.get(stages[-1].name, (0.0, 0.0))[1]
    for number, stage in enumerate(stages):
        if number < progress.stage:
            continue
        epoch_s, val_s = context.stage_s.get(stage.name, (0.0, 0.0))
        done = progress.epoch if number == progress.stage else 0
        left = max(0, stage.epochs - done) * (epoch_s + val_s)
        total += max(0.0, left - progress.epoch_seconds) if number == progress.stage else left
    return total
