"""The stage after the landmarks: the head for recognisability is trained, and the network is written with it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.dataset.journal import storage
from core.encoder.archive import UNREADABLE
from core.encoder.encode import load_encoder
from core.jobs.context import Hooks
from core.sr.upscale import load_upscaler
from core.system.atomic_file import replacement
from core.training import log_format
from core.training.checkpoint import disk_errors
from core.training.errors import CheckpointUnusable
from core.training.landmarks import checkpoint as files
from core.training.landmarks.batches import Material
from core.training.landmarks.config import LandmarksConfig
from core.training.landmarks.export import export_landmarks
from core.training.landmarks.network import LandmarkNet
from core.training.landmarks.recognisability import KIND, HeadFit, Known, Tools, embed_people, head_rate, make_parts
from core.training.reporter import Reporter

TITLE = "Training the head for recognisability"
STATE = "recognisability.pt"
PARTS = "recognisability"
"""In a run's checkpoints: "head", "optimizer", "epoch" and "losses"; and the folder of drawn faces."""


@dataclass(frozen=True)
class Stage:
    """What the second stage needs: `by_set` are the people with two photographs or more, `metadata` that of the first
    stage's best network."""

    config: LandmarksConfig
    folder: Path
    material: Material
    by_set: Sequence[Sequence[Known]]
    metadata: Mapping[str, str]
    encoder: Path
    device: str


def train_recognisability(stage: Stage, reporter: Reporter, hooks: Hooks) -> dict[str, Any]:
    """Train the head on the best network of the first stage, and replace its files by those of the whole network.

    Returns its figures. Raises JobStopped, CheckpointUnusable, StorageFailed, and what loading the encoder and the
    upscaler raises.
    """
    config, best = stage.config, stage.folder / "best"
    reporter.stage, reporter.left_s = KIND, lambda: None
    reporter.event("stage", stage=KIND, number=2, stages=2, title=TITLE)
    network = files.load_network(best / files.WEIGHTS).to(stage.device)
    fit = HeadFit(network, config.recognisability_epochs, config.seed)
    losses = _load(fit, stage.folder / STATE)
    parts = stage.folder / PARTS
    if fit.epoch < fit.epochs:
        encoder = load_encoder(stage.encoder, device=stage.device, use_tta=False)
        tools = Tools(network, load_upscaler(config.upscaler, device=stage.device), encoder)
        people = embed_people(stage.material, stage.by_set, tools.encoder, hooks)
        judged = make_parts(people, tools, parts, faces=config.recognisability_faces, seed=config.seed, hooks=hooks)
        while fit.epoch < fit.epochs:
            hooks.check_stop()
            began, reporter.epoch = time.monotonic(), config.epochs + fit.epoch + 1
            losses.append(fit.advance(judged, lambda done, total: reporter.progress("train", done, total)))
            r2 = fit.r2(judged)
            _save(fit, losses, r2, stage.folder / STATE)
            _report_epoch(stage, fit, reporter, losses[-1], r2, time.monotonic() - began)
    state = torch.load(stage.folder / STATE, map_location="cpu", weights_only=True)
    found = {
        "people": len({each.person for one in stage.by_set for each in one}),
        "faces": config.recognisability_faces,
        "epochs": fit.epochs,
        "loss": losses[-1],
        "train_r2": state["r2"],
    }
    whole = LandmarkNet(fit.head.cpu())
    trunk = {name: value for name, value in network.cpu().state_dict().items() if not name.startswith(f"{KIND}.")}
    whole.load_state_dict({**whole.state_dict(), **trunk})
    metadata = {**stage.metadata, KIND: json.dumps(found)}
    files.save_weights(best / files.WEIGHTS, whole, metadata)
    export_landmarks(whole, best / files.NETWORK, metadata)
    shutil.rmtree(parts, ignore_errors=True)
    reporter.event("checkpoint", which="best", path="checkpoints/best", stage=KIND, step=reporter.epoch)
    return found


def _report_epoch(
    stage: Stage, fit: HeadFit, reporter: Reporter, loss: float, r2: float | None, seconds: float
) -> None:
    epochs, looks = stage.config.epochs + fit.epochs, stage.config.recognisability_faces
    reporter.event(
        "epoch",
        stage=KIND,
        epoch=reporter.epoch,
        epochs=epochs,
        step=reporter.epoch,
        seconds=seconds,
        images_per_s=looks / max(seconds, 1e-9),
        left_s=(fit.epochs - fit.epoch) * seconds,
        lr={KIND: head_rate(fit.epoch, fit.epochs)},
        train={"loss": loss, "r2": r2},
        val={},
        best=False,
        line=log_format.recognisability_line(reporter.epoch, epochs, loss, r2),
    )


def _save(fit: HeadFit, losses: Sequence[float], r2: float | None, path: Path) -> None:
    state = {"head": fit.head.state_dict(), "optimizer": fit.optimizer.state_dict(), "epoch": fit.epoch}
    with storage(path.parent), replacement(path) as temporary, disk_errors(path.parent):
        torch.save({**state, "losses": list(losses), "r2": r2}, temporary)


def _load(fit: HeadFit, path: Path) -> list[float]:
    """Go on from the state at `path`, if there is one; returns the losses of its epochs."""
    if not path.is_file():
        return []
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        fit.head.load_state_dict(state["head"])
        fit.optimizer.load_state_dict(state["optimizer"])
        fit.epoch = int(state["epoch"])
        return [float(loss) for loss in state["losses"]]
    except (*UNREADABLE, KeyError, TypeError) as error:
        raise CheckpointUnusable(f"{path} is damaged.", "Start a new run: this one can't be resumed.") from error
