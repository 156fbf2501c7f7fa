"""The training of a landmark network: sources, epochs with validation, checkpoints and events.

Every step follows from the seed and its number, so an interrupted run resumes bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from core.encoder.encode import resolve_device
from core.jobs.context import Hooks
from core.jobs.errors import JobStopped
from core.settings import Settings
from core.system.text import count
from core.training import log_format
from core.training.errors import LossNotFinite, OutOfMemory, ran_out_of_memory
from core.training.landmarks import checkpoint as files
from core.training.landmarks.batches import batches
from core.training.landmarks.card import network_metadata
from core.training.landmarks.config import KIND, LandmarksConfig
from core.training.landmarks.data import Data, load_data
from core.training.landmarks.export import export_landmarks
from core.training.landmarks.fit import Fit, rate_at
from core.training.landmarks.recognisability import KIND as HEAD
from core.training.landmarks.second_stage import TITLE as HEAD_TITLE
from core.training.landmarks.second_stage import Stage, train_recognisability
from core.training.landmarks.validate import figures, figures_text, measure
from core.training.reporter import Reporter

SAVE_EVERY = 200
"""Steps between two checkpoints within an epoch."""

TITLE = "Training the landmark network"


@dataclass
class Standing:
    """How far a run's epochs are: the step of the last validation, seconds of training and validation, and the records
    of the best and the last epoch."""

    validated: int = 0
    seconds: float = 0.0
    epoch_s: float = 0.0
    validation_s: float = 0.0
    best: dict[str, Any] | None = None
    last: dict[str, Any] | None = None


@dataclass
class Training:
    """A run at work."""

    config: LandmarksConfig
    folder: Path
    data: Data
    fit: Fit
    reporter: Reporter
    hooks: Hooks
    standing: Standing = field(default_factory=Standing)


def train_landmarks(config: LandmarksConfig, settings: Settings, folder: Path, *, hooks: Hooks) -> dict[str, Any]:
    """Train as `config` says, from the last checkpoint in `folder` if there is one, and return the run's report.

    Raises JobStopped, and CoreErrors for everything that a user can cause.
    """
    reporter = Reporter(hooks.on_event)
    device = resolve_device(config.device)
    data = load_data(config, settings, _reported(hooks, reporter), reporter)
    training = Training(config, folder, data, Fit(config, device), reporter, hooks)
    state = files.load_last(folder)
    if state is not None:
        _restore(training, state)
    _report_plan(training, resumed=state is not None)
    try:
        _train(training)
        head = _train_head(training)
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"The memory didn't hold a batch of {config.batch_size} looks.", "Start a run with a smaller --batch-size."
        ) from error
    return _report(training, head)


# Before the first step ----------------------------------------------------------------------------------------------


def _reported(hooks: Hooks, reporter: Reporter) -> Hooks:
    """Hooks whose progress goes through the reporter, which limits its rate."""

    def on_event(kind: str, /, **values: Any) -> None:
        if kind == "progress":
            reporter.progress(str(values["step"]), int(values["done"]), int(values["total"]))

    return Hooks(on_event, hooks.should_stop)


def _restore(training: Training, state: Mapping[str, Any]) -> None:
    """Go on from a checkpoint; one that holds no standing has validated nothing yet."""
    training.fit.load(state)
    training.standing = Standing(**state.get("standing", {}))


def _report_plan(training: Training, *, resumed: bool) -> None:
    config, data, fit, reporter = training.config, training.data, training.fit, training.reporter
    stages: list[dict[str, Any]] = [
        {"name": KIND, "title": TITLE, "epochs": config.epochs, "trains": ["the landmark network"]}
    ]
    if config.edgeface is not None:
        head = {"title": HEAD_TITLE, "epochs": config.recognisability_epochs, "trains": ["the head"]}
        stages.append({"name": HEAD, **head})
    reporter.stage, reporter.epochs = KIND, sum(stage["epochs"] for stage in stages)
    reporter.event(
        "plan",
        stages=stages,
        epochs=sum(stage["epochs"] for stage in stages),
        train_images=data.train_faces,
        val_images=min(config.val_faces, data.val_faces),
        identities=data.people,
        shared_identities=0,
        device=fit.device,
        precision=fit.precision,
        threads=torch.get_num_threads(),
        epoch_steps=config.epoch_steps,
        criterion="error_px",
    )
    reporter.event("stage", stage=KIND, number=1, stages=len(stages), title=TITLE)
    left_out = f", {data.left_out:,} pictures of people in other folds left out" if data.left_out else ""
    for text in (
        f"{'Resuming' if resumed else 'Plan:'} {count(config.steps, 'step')} of {config.batch_size} looks, validated "
        f"every {config.epoch_steps:,} steps",
        f"Train {count(data.train_faces, 'face')} of {count(data.people, 'person', 'people')}, val {data.val_faces:,} "
        f"faces of other people, {data.counts.without_face:,} pictures without a usable face{left_out}",
        f"Sample images without a face: {len(data.material.textures)}; {fit.device}, {fit.precision}, "
        f"{torch.get_num_threads()} threads",
    ):
        reporter.log(text)


# Steps and epochs ---------------------------------------------------------------------------------------------------


def _train(training: Training) -> None:
    config, fit, reporter = training.config, training.fit, training.reporter
    reporter.left_s = lambda: _left_s(training)
    reporter.worked_s = lambda: training.standing.seconds
    if _ends_epoch(config, fit.step) and training.standing.validated != fit.step:  # ended before its validation
        _end_epoch(training)
    if not (steps := range(fit.step, config.steps)):
        return
    drawn = batches(training.data.material, config.batch_size, steps, seed=config.seed, workers=config.num_workers)
    with closing(drawn):
        began = time.monotonic()
        for batch in drawn:
            fit.advance(batch)
            began = _spent(training, began)
            _report_step(training)
            if training.hooks.should_stop():
                _save(training)
                raise JobStopped
            if _ends_epoch(config, fit.step):
                _save(training)
                _end_epoch(training)
                began = time.monotonic()
            elif fit.step % SAVE_EVERY == 0:
                _save(training)


def _ends_epoch(config: LandmarksConfig, step: int) -> bool:
    return step > 0 and (step % config.epoch_steps == 0 or step == config.steps)


def _spent(training: Training, began: float) -> float:
    now = time.monotonic()
    training.standing.seconds += now - began
    training.standing.epoch_s += now - began
    return now


def _report_step(training: Training) -> None:
    config, fit, reporter = training.config, training.fit, training.reporter
    start = (fit.step - 1) // config.epoch_steps * config.epoch_steps
    reporter.epoch = start // config.epoch_steps + 1
    of_epoch = min(config.epoch_steps, config.steps - start) * config.batch_size
    done = (fit.step - start) * config.batch_size
    if done < of_epoch and fit.counted % 10 != 1:
        return  # reading the losses waits for the device
    loss = fit.losses()["total"]
    if not math.isfinite(loss):
        raise LossNotFinite(
            f"The loss is no longer finite at step {fit.step:,}.",
            "The last checkpoint is kept. Start a run with a lower --learning-rate or --precision float32.",
        )
    reporter.progress("train", done, of_epoch, loss=loss)


def _end_epoch(training: Training) -> None:
    """Validate the mean weights, keep them where they are the best, and report the epoch."""
    config, fit, reporter, standing = training.config, training.fit, training.reporter, training.standing
    reporter.epoch = -(-fit.step // config.epoch_steps)
    began = time.monotonic()
    errors = measure(fit.mean, training.data.val, config.val_faces, hooks=_reported(training.hooks, reporter))
    found = figures(errors)
    standing.validation_s = time.monotonic() - began
    standing.seconds += standing.validation_s
    record = {
        "stage": KIND,
        "epoch": reporter.epoch,
        "step": reporter.epoch,
        "steps": fit.step,
        "faces": min(config.val_faces, training.data.val_faces),
        "figures": found,
    }
    is_best = standing.best is None or found["error_px"] < standing.best["figures"]["error_px"]
    standing.last = record
    if is_best:
        standing.best = record
        _save_best(training)
    _report_epoch(training, found, is_best=is_best)
    standing.validated, standing.epoch_s = fit.step, 0.0
    fit.forget_losses()
    # Last of all: an epoch that a kill loses before this is validated and reported again, never missing.
    _save(training)


def _report_epoch(training: Training, found: Mapping[str, Any], *, is_best: bool) -> None:
    config, fit, reporter, standing = training.config, training.fit, training.reporter, training.standing
    losses, rate, left = fit.losses(), rate_at(config, max(0, fit.step - 1)), _left_s(training)
    speed = fit.counted * config.batch_size / standing.epoch_s if standing.epoch_s > 0 else 0.0
    reporter.event(
        "epoch",
        stage=KIND,
        epoch=reporter.epoch,
        epochs=config.epochs,
        step=reporter.epoch,
        seconds=standing.epoch_s + standing.validation_s,
        images_per_s=speed,
        left_s=left,
        lr={KIND: rate},
        train={"loss": losses.get("total"), **{name: losses.get(name) for name in ("points", "distance", "face")}},
        val=dict(found),
        best=is_best,
        criterion={"name": "error_px", "value": found["error_px"]},
        line=log_format.landmark_line(
            reporter.epoch, config.epochs, losses, figures_text(found), rate, looks_per_s=speed, left_s=left
        ),
    )
    if is_best:
        reporter.log(f"  ✓ New best validation error: {found['error_px']:.2f} px of 112")


def _left_s(training: Training) -> float:
    """Seconds that the rest takes, at the rate so far."""
    config, standing, step = training.config, training.standing, training.fit.step
    ended = -(-step // config.epoch_steps) if standing.validated == step else step // config.epoch_steps
    trained_s = standing.seconds - ended * standing.validation_s
    step_s = max(0.0, trained_s) / step if step else 0.0
    return (config.steps - step) * step_s + (config.epochs - ended) * standing.validation_s


# Files --------------------------------------------------------------------------------------------------------------


def _save(training: Training) -> None:
    files.save_last(training.folder, {**training.fit.state(), "standing": asdict(training.standing)})
    training.reporter.event("checkpoint", which="last", path=f"checkpoints/{files.LAST}", stage=KIND)


def _save_best(training: Training) -> None:
    best, mean = training.folder / "best", training.fit.mean
    record = training.standing.best or {}
    metadata = network_metadata(training.config, record, training.data.key)
    files.save_weights(best / files.WEIGHTS, mean, metadata)
    export_landmarks(mean, best / files.NETWORK, metadata)
    training.reporter.event("checkpoint", which="best", path="checkpoints/best", stage=KIND, step=record.get("step"))


def _train_head(training: Training) -> dict[str, Any]:
    """The second stage's figures; {} without one."""
    config, data = training.config, training.data
    if config.edgeface is None:
        return {}
    metadata = network_metadata(config, training.standing.best or {}, data.key)
    stage = Stage(config, training.folder, data.material, data.by_set, metadata, config.edgeface, training.fit.device)
    return train_recognisability(stage, training.reporter, _reported(training.hooks, training.reporter))


def _report(training: Training, head: Mapping[str, Any]) -> dict[str, Any]:
    """Build the report of a finished run."""
    config, data, standing = training.config, training.data, training.standing
    best, last = standing.best or {}, standing.last or {}
    found = best.get("figures", {})
    text = f"Landmark network: {count(config.steps, 'step')} in {log_format.duration(standing.seconds)}"
    if found:
        text += f"; best after {best['steps']:,} ({figures_text(found)})"
    training.reporter.log("")
    training.reporter.log(f"Training complete! Best validation error: {log_format.number(found.get('error_px'), 2)} px")
    return {
        "kind": KIND,
        "best": best,
        "last": last,
        "figures": found,
        **({HEAD: dict(head)} if head else {}),
        "weights": {KIND: f"checkpoints/best/{files.NETWORK}"},
        "train_images": data.train_faces,
        "val_images": data.val_faces,
        "identities": data.people,
        "seconds": standing.seconds,
        "text": f"{text}.",
    }
