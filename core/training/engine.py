"""The one engine: walks through a recipe's stages and keeps what came of them.

Everything that a step does follows from the seed, the stage, the epoch and the step's number, so a run that was
stopped or killed goes on as if nothing had been.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.evaluation.lineage import people_of
from core.jobs.errors import JobStopped
from core.settings import Settings
from core.training import alarms, log_format
from core.training.accelerator import Place
from core.training.checkpointing import keep_best, keep_last, make_report
from core.training.config import TrainingConfig
from core.training.estimate import keep_speeds, stage_seconds
from core.training.feature_cache import Caches
from core.training.heads import MarginHead
from core.training.optimise import rates_at
from core.training.progress_state import criterion_value, is_better
from core.training.recipe import Stage
from core.training.setup import Work, make_plan, plan_lines, prepare
from core.training.stage import StageRun, epoch_figures, make_stage, run_epoch
from core.training.timing import measure_speeds
from core.training.validate import Figures, Loss

SMALL_PX = 48
"""VLR above this isn't very low resolution: a DSR network serves up to here."""
_BESIDE = ("psnr_db", "ssim", "similarity", "eer")
"""What an epoch's event says of bicubic, beside its own figures."""


def train(
    config: TrainingConfig,
    settings: Settings,
    folder: Path,
    *,
    on_event: Callable[..., None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    place: Place | None = None,
) -> dict[str, Any]:
    """Run a training, from its last checkpoint in `folder` if there is one, and give its report.

    Raises JobStopped when `should_stop` said so, and CoreErrors for all that a user can cause.
    """
    work = prepare(config, settings, folder, on_event=on_event, should_stop=should_stop, place=place)
    try:
        _begin(work)
        recipe = config.recipe
        while work.standing.stage < len(recipe.stages):
            _run_stage(work, recipe.stages[work.standing.stage])
            work.standing.next_stage()
            work.resumed = None
        return make_report(work)
    finally:
        work.runner.close()


# Before the first epoch ---------------------------------------------------------------------------------------------


def _begin(work: Work) -> None:
    """Tell the plan with the time it will take, what is odd about the data, and the figures before training."""
    config, recipe, reporter, standing = work.config, work.config.recipe, work.reporter, work.standing
    speeds = measure_speeds(config, work.parts, work.networks, work.data, work.runner)
    if work.runner.first:
        keep_speeds(work.settings, config.kind, speeds)
    work.stage_s = {stage.name: stage_seconds(stage, work.amounts, speeds) for stage in recipe.stages}
    reporter.left_s = lambda: _left_s(work)
    reporter.worked_s = lambda: standing.seconds + standing.epoch_seconds
    reporter.epochs = recipe.epochs
    plan = make_plan(work, speeds)
    reporter.event("plan", **plan)
    for text in plan_lines(plan, resumed=work.resumed is not None):
        reporter.log(text)
    _odd_data(work)
    if standing.start is None and work.validator is not None:
        start = _validate(work, recipe.stages[0], None)
        assert start is not None
        standing.start = start.event(pixels="upscaler" in recipe.stages[0].trains)
        standing.cosine_at_start = start.mean_abs_cosine
        reporter.log(f"Before training | {log_format.figures_text(standing.start)}")
        if "upscaler" in recipe.trains:
            bicubic = work.validator.measure(work.networks.encoder, None, pixels=True)
            standing.bicubic = bicubic.event(pixels=True)
            reporter.log(f"Bicubic | {log_format.figures_text(standing.bicubic)}")
        reporter.event("start", val=standing.start, bicubic=standing.bicubic)


def _odd_data(work: Work) -> None:
    data = work.data
    large = tuple(size for size in data.vlr_sizes if size > SMALL_PX)
    if large:
        _alarm(work, alarms.vlr_not_small(large, SMALL_PX))
    if work.config.recipe.wants_head and work.amounts.val and not data.shared:
        _alarm(work, alarms.no_shared_identities(len(data.identities)))
    others = data.val_people - set(data.identities)
    if known := people_of(work.networks.ancestors, others, work.settings):
        _alarm(work, alarms.val_took_part(len(known), len(others)))


def _alarm(work: Work, alarm: alarms.Alarm) -> None:
    """Give an alarm once a stage."""
    key = f"{work.standing.stage if alarm.severity != 'notice' else ''} {alarm.code} {alarm.cause[:2]}"
    if key not in work.standing.said:
        work.standing.said.append(key)
        work.reporter.alarm(alarm)


# A stage ------------------------------------------------------------------------------------------------------------


def _run_stage(work: Work, stage: Stage) -> None:
    standing, reporter, runner, recipe = work.standing, work.reporter, work.runner, work.config.recipe
    if standing.has_ended(stage.epochs, stage.patience):  # resumed between two stages
        _hand_on(work, (work.resumed or {}).get("mean"))
        return
    number = standing.stage + 1
    reporter.stage = stage.name
    reporter.event("stage", stage=stage.name, number=number, stages=len(recipe.stages), title=stage.title)
    for text in log_format.banner(number, stage.title):
        reporter.log(text)
    run = make_stage(stage, work.config, work.parts, work.networks, work.data, work.caches, runner, work.accumulate)
    _restore_stage(work, run)
    for epoch in range(standing.epoch + 1, stage.epochs + 1):
        reporter.epoch = standing.step + 1
        finished = run_epoch(
            run,
            epoch,
            standing,
            work.config,
            runner,
            reporter,
            accumulate=work.accumulate,
            should_stop=work.should_stop,
            keep=lambda: keep_last(work, run),
        )
        if not finished:
            keep_last(work, run)
            raise JobStopped
        ended = _end_epoch(work, run, epoch)
        if runner.agree(ended):
            break
    _hand_on(work, None if run.mean is None else run.mean.state())
    runner.release()


def _hand_on(work: Work, mean: dict[str, Any] | None) -> None:
    """Put a finished stage's running means in place: the next stage begins from what was validated and kept."""
    for name, weights in ({} if mean is None else mean["parts"]).items():
        work.parts.named()[name].load_state_dict(weights)


def _restore_stage(work: Work, run: StageRun) -> None:
    state = work.resumed
    if state is None or state.get("optimizer") is None:
        return
    run.optimizer.load_state_dict(state["optimizer"])
    if run.mean is not None and state.get("mean") is not None:
        run.mean.load(state["mean"])
    if work.runner.scaler is not None and state.get("scaler") is not None:
        work.runner.scaler.load_state_dict(state["scaler"])


def _end_epoch(work: Work, run: StageRun, epoch: int) -> bool:
    """Validate, tell, keep; True when patience has run out."""
    standing, stage, reporter = work.standing, run.stage, work.reporter
    train = epoch_figures(standing.sums)
    began = time.monotonic()
    found = _validate(work, stage, run)
    spent = standing.epoch_seconds
    took = spent + time.monotonic() - began
    standing.seconds += took
    images = standing.sums.get("images", 0.0)
    standing.epoch, standing.step, standing.batch = epoch, standing.step + 1, 0
    standing.sums, standing.epoch_seconds = {}, 0.0
    work.stage_s[stage.name] = (spent or work.stage_s[stage.name][0], took - spent)
    val = None if found is None else found.event(pixels="upscaler" in stage.trains)
    if found is not None and val is not None:
        judged = alarms.judge_epoch(
            train,
            val,
            mean_abs_cosine=found.mean_abs_cosine,
            at_start=standing.cosine_at_start,
            bicubic_db=found.bicubic_db,
            classifies=stage.losses.classification > 0,
            people=found.people,
        )
        for alarm in judged:
            _alarm(work, alarm)
    figures: dict[str, Any] = val or {}
    collapsed = found is not None and alarms.is_collapsed(found.mean_abs_cosine, standing.cosine_at_start, found.people)
    best_before = standing.best["figures"] if standing.best else None
    best = val is None or (not collapsed and is_better(work.config.recipe.criterion, figures, best_before))
    name, value = criterion_value(work.config.recipe.criterion, figures)
    rates = rates_at(stage, (epoch - 1) * run.maker.steps, stage.epochs * run.maker.steps)
    speed = images / spent if spent > 0 else 0.0
    left = _left_s(work)
    line = log_format.epoch_line(epoch, stage.epochs, train, val, rates, images_per_s=speed, left_s=left)
    record = {"stage": stage.name, "epoch": epoch, "step": standing.step, "figures": figures, "train": train}
    standing.last = record
    standing.waited = 0 if best else standing.waited + 1
    if best:
        standing.best = record
    if best and work.runner.first:
        keep_best(work, run)
    beside = None if standing.bicubic is None else {key: standing.bicubic.get(key) for key in _BESIDE}
    reporter.event(
        "epoch",
        stage=stage.name,
        epoch=epoch,
        epochs=stage.epochs,
        step=standing.step,
        seconds=took,
        images_per_s=speed,
        left_s=left,
        lr=rates,
        train=train,
        val=None if val is None else {**val, "bicubic": beside},
        best=best,
        criterion={"name": name, "value": value},
        line=line,
    )
    if best and val is not None:
        reporter.log(log_format.best_line(name, value, figures))
    patient = not standing.has_ended(stage.epochs, stage.patience)
    if not patient and epoch < stage.epochs:
        reporter.log(f"No improvement for {standing.waited} epochs: the stage ends. The best checkpoint is kept.")
    # Last of all: an epoch that a kill takes before this is trained and reported again, never left out of the events.
    keep_last(work, run)
    return not patient


def _validate(work: Work, stage: Stage, run: StageRun | None) -> Figures | None:
    """Figures of the parts as they would be kept; None without val or in another process than the first."""
    if work.validator is None:
        return None
    named = {**work.parts.named(), **({} if run is None else run.kept)}
    weights = stage.losses
    targets = None
    if (weights.teacher or weights.identity) and work.networks.teacher is not None and work.data.val is not None:
        targets = _alone(work).teacher_targets(work.networks.teacher, work.data.val)
    upscaler = named.get("upscaler") if stage.through == "upscaler" else None
    head = named.get("head") if run is not None else None
    assert head is None or isinstance(head, MarginHead)
    loss = None if run is None else Loss(weights, targets)
    training = {name: module.training for name, module in work.parts.named().items()}
    found = work.validator.measure(named["encoder"], upscaler, head, loss, pixels="upscaler" in stage.trains)
    for name, module in work.parts.named().items():
        module.train(training[name])
    return found


def _alone(work: Work) -> Caches:
    """The caches for what only the first process computes."""
    return Caches(work.caches.folder, work.data, work.runner, work.reporter.progress, alone=True)


def _left_s(work: Work) -> float:
    """Seconds that the rest of the run will take, by what its epochs took so far."""
    standing, total = work.standing, 0.0
    for number, stage in enumerate(work.config.recipe.stages):
        if number < standing.stage:
            continue
        epoch_s, val_s = work.stage_s.get(stage.name, (0.0, 0.0))
        done = standing.epoch if number == standing.stage else 0
        left = max(0, stage.epochs - done) * (epoch_s + val_s)
        total += max(0.0, left - standing.epoch_seconds) if number == standing.stage else left
    return total
