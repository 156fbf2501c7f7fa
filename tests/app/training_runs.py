"""Training runs as the engine leaves them, recorded through the runs' own interface: for pages and their pictures."""

from __future__ import annotations

import math
import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.jobs.events import EventLog
from core.jobs.processes import process_start
from core.jobs.run_dir import Run, create_run
from core.jobs.state import State, write_state
from tests.app.training_figures import NOTES, TITLES, averages_of, config_of, epoch_of, plan_of, start_of, where

OUT_OF_MEMORY = {
    "code": "out_of_memory",
    "severity": "error",
    "what": "The memory didn't hold a batch of 64 images.",
    "cause": "Stage 2 keeps the whole encoder's activations.",
    "next_step": "Resume with a batch of 32 and 2 accumulation steps.",
}
COLLAPSED = {
    "code": "collapsed",
    "severity": "error",
    "what": "The encoder has collapsed: different people have a mean cosine of 0.97.",
    "cause": "Alignment alone can be met by giving every face the same embedding.",
    "next_step": "Stop, and start again with a smaller learning rate or a frozen teacher.",
}
NO_SHARED = {
    "code": "no_shared_identities",
    "severity": "notice",
    "what": "Nobody is in train and in val, so that accuracy isn't measured.",
    "cause": "The data set is identity-disjoint.",
    "next_step": "Go by EER and similarity, or build a closed-set data set.",
}


def record(
    data_dir: Path,
    kind: str = "finetune",
    *,
    status: str = "running",
    epochs: int = 7,
    within: float = 0.4,
    identities: int = 518,
    shared: int | None = None,
    preset: str = "notes",
    slug: str = "lfw-closed",
    alarms: tuple[dict[str, Any], ...] = (),
    error: tuple[str, str] = ("", ""),
    lift: float = 0.0,
    stages: dict[str, int] | None = None,
    at: datetime | None = None,
    config: dict[str, Any] | None = None,
    averaged: float | None = None,
) -> Run:
    """A run with `epochs` whole epochs and a part `within` of the next; `lift` makes its figures better. `averaged`:
    the share that was kept of averages with the start, of which 0.5 is the best and 0.25 collapsed."""
    at = at or datetime.now(UTC) - timedelta(minutes=12)
    shared = identities if shared is None else shared
    planned = stages or (NOTES if kind == "finetune" else {"dsr" if kind == "dsr" else "starter": 8})
    run = create_run(
        data_dir / "runs", kind, slug, {**config_of(kind, preset, data_dir, planned), **(config or {})}, at=at
    )
    total = sum(planned.values())
    epochs = total if status == "done" else min(epochs, total)
    lines: list[str] = []
    with closing(EventLog(run.events_path)) as log:
        log.append("queued")
        if status != "queued":
            log.append("started")
            log.append("plan", **plan_of(kind, planned, identities, shared))
            _log(log, lines, f"Device cpu, 2 threads, {25_729:,} train images of {identities} people.")
            log.append("start", **start_of(kind))
            told = ""
            for step in range(1, epochs + 1):
                name, within_stage = where(planned, step)
                if name != told:
                    told = name
                    log.append(
                        "stage",
                        stage=name,
                        number=list(planned).index(name) + 1,
                        stages=len(planned),
                        title=TITLES[name],
                    )
                for part in range(0, 10, 3):
                    _progress(log, name, step, total, part / 10, kind)
                event = epoch_of(kind, planned, step, identities, shared, lift)
                log.append("epoch", **event)
                lines.append(event["line"])
                log.append("checkpoint", which="last", path="checkpoints/last", stage=name, epoch=within_stage)
                if event["best"]:
                    log.append("checkpoint", which="best", path="checkpoints/best", stage=name, epoch=within_stage)
            if within and epochs < total:
                for part in range(1, 11):
                    _progress(log, where(planned, epochs + 1)[0], epochs + 1, total, within * part / 10, kind)
            for alarm in alarms:
                log.append("alarm", **alarm)
                lines.append(f"ALARM {alarm['what']} {alarm['next_step']}")
            if status in ("done", "failed", "stopped"):
                said = {"what": error[0], "next_step": error[1]} if error[0] else {}
                log.append(status, **said)
    run.log_path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if status == "done":
        last = epoch_of(kind, planned, total, identities, shared, lift)
        best = {"stage": last["stage"], "epoch": last["epoch"], **last["val"]}
        run.write_report(
            {
                "kind": kind,
                "preset": preset,
                "best": best,
                "last": best,
                "figures": last["val"],
                **({} if averaged is None else averages_of(last["val"], averaged)),
                "weights": {"encoder": "checkpoints/best/encoder.safetensors"}
                if kind != "dsr"
                else {"upscaler": "checkpoints/best/upscaler.safetensors"},
                "seconds": 60.0 * total,
                "text": f"{total} epochs; best EER {last['val']['eer']:.4f}.",
            }
        )
    _state(run, status, at, error, total)
    return run


def _progress(log: EventLog, stage: str, step: int, total: int, part: float, kind: str) -> None:
    gone = (step - 1 + part) / total
    loss = (29 * math.exp(-2.6 * gone * 2) if kind == "finetune" else 0.3 * math.exp(-gone)) + 0.1 * math.sin(40 * gone)
    log.append(
        "progress",
        step="train",
        stage=stage,
        epoch=step,
        epochs=total,
        done=round(402 * part),
        total=402,
        per_second=430 + 25 * math.sin(9 * part),
        left_s=60.0 * total * (1 - gone),
        share=gone,
        loss=loss,
    )


def _log(log: EventLog, lines: list[str], text: str) -> None:
    log.append("log", text=text)
    lines.append(text)


def _state(run: Run, status: str, at: datetime, error: tuple[str, str], epochs: int) -> None:
    """The state that a worker would have left: this process is the one at work, or one that is gone."""
    alive = status in ("queued", "running")
    stored = "running" if status == "interrupted" else status
    write_state(
        run.path,
        State(
            stored,  # type: ignore[arg-type]
            queued=at,
            started=None if status == "queued" else at + timedelta(seconds=1),
            ended=None if alive or status == "interrupted" else at + timedelta(minutes=epochs),
            pid=os.getpid() if alive else 2**22 + 1,
            process_start=process_start(os.getpid()) if alive else "gone",
            has_worker=True,
            error=error[0] if status == "failed" else "",
            next_step=error[1] if status == "failed" else "",
        ),
    )


def record_landmarks(data_dir: Path, *, status: str = "done", epochs: int = 3) -> Run:
    """A training of the landmark network with `epochs` of 4 epochs."""
    at = datetime.now(UTC) - timedelta(minutes=12)
    config = {
        "photographs": ["/photographs/lfw", "/photographs/crops"],
        "steps": 4000,
        "epoch_steps": 1000,
        "batch_size": 128,
        "device": "cpu",
        "command": "edgeface-studio train landmarks --photographs lfw",
    }
    run = create_run(data_dir / "runs", "landmarks", "lfw", config, at=at)
    title = "Training the landmark network"
    stage = {"name": "landmarks", "title": title, "epochs": 4, "trains": ["the landmark network"]}
    with closing(EventLog(run.events_path)) as log:
        log.append("queued")
        log.append("started")
        log.append("plan", stages=[stage], epochs=4, train_images=25_000, val_images=200, device="cpu")
        log.append("stage", stage="landmarks", number=1, stages=1, title=title)
        for step in range(1, epochs + 1):
            error = 2.0 + 6.0 / step
            by_size = {size: {"error_px": error * factor} for size, factor in (("16", 1.4), ("24", 1.0), ("100", 0.8))}
            val = {"error_px": error, "missed": 0.004, "by_size": by_size}
            train = {"loss": -2.0 - step, "points": -3.0, "distance": 0.05, "face": 0.07}
            log.append(
                "epoch",
                stage="landmarks",
                epoch=step,
                epochs=4,
                step=step,
                seconds=180.0,
                images_per_s=700.0,
                lr={"landmarks": 0.002 / step},
                train=train,
                val=val,
                best=True,
                criterion={"name": "error_px", "value": error},
                line=f"Epoch {step:02d}/4",
            )
            log.append("checkpoint", which="best", path="checkpoints/best", stage="landmarks", step=step)
        if status == "running":
            progress = {"done": 64_000, "total": 128_000, "per_second": 700.0, "loss": -5.0}
            log.append("progress", step="train", stage="landmarks", epoch=epochs + 1, epochs=4, **progress)
        else:
            log.append(status)
    run.log_path.write_text("Epoch 01/4\n", encoding="utf-8")
    if status == "done":
        run.write_report({"kind": "landmarks", "text": "Landmark network: 4,000 steps in 12 min."})
    _state(run, status, at, ("", ""), 4)
    return run
