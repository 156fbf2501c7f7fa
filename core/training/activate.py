"""Activation of a run's weights: its encoder and the upscaler that it was trained with, both or neither."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.access.actor import require
from core.access.roles import Permission
from core.errors import CoreError
from core.jobs.errors import RunNotFound
from core.jobs.run_dir import Run, list_runs
from core.models import encoders, landmark_networks, upscalers
from core.models.active import release_specialist
from core.models.active_file import write_active
from core.models.encoders import WeightsFile
from core.models.landmark_networks import LandmarkFile
from core.models.upscalers import UpscalerFile
from core.settings import Settings
from core.sr.trial import UpscalerUnusable
from core.sr.upscale import BICUBIC
from core.training.landmarks.config import KIND as LANDMARKS
from core.training.presets import PRESETS

Which = Literal["best", "last"]

ENCODER_FILE = "encoder.safetensors"
SPECIALIST_FILE = "specialist.safetensors"
UPSCALER_FILE = "upscaler.safetensors"
LANDMARKS_FILE = "landmarks.onnx"


class NothingTrained(CoreError):
    """A run without weights, or whose upscaler is gone."""

    help_topic = "weights"


@dataclass(frozen=True)
class ActivatedModels:
    """The models taken into use; None where the run trained none and the one in use stays."""

    encoder: WeightsFile | None = None
    upscaler: UpscalerFile | None = None
    landmarks: LandmarkFile | None = None

    @property
    def text(self) -> str:
        names = [file.name for file in (self.encoder, self.upscaler, self.landmarks) if file is not None]
        return f"In use: {' with '.join(names)}."


def trained_files(run: Run, which: Which = "best") -> dict[str, Path]:
    """Return the paths of a run's weights by "encoder", "upscaler", "specialist" and "landmarks"; {} when there are
    none yet."""
    folder = run.checkpoints / which
    files = {
        "encoder": folder / ENCODER_FILE,
        "upscaler": folder / UPSCALER_FILE,
        "specialist": folder / SPECIALIST_FILE,
        "landmarks": folder / LANDMARKS_FILE,
    }
    return {what: path for what, path in files.items() if path.is_file()}


@dataclass(frozen=True)
class RunMatch:
    """The run that a text matches, and newer matches that aren't done or have no weights."""

    run: Run
    passed_over: tuple[Run, ...] = ()

    @property
    def note(self) -> str:
        """Why this isn't the newest match; "" when it is."""
        if not self.passed_over:
            return ""
        newer = ", ".join(f"{run.id} ({run.state().status})" for run in self.passed_over)
        return f"newer, but not done or without weights: {newer}"


def find_trained(root: Path, text: str, which: Which = "best") -> RunMatch:
    """Return the run with that full name, else the newest finished run with weights whose id contains `text`.

    "last" matches every run. Raises NothingTrained, RunNotFound.
    """
    runs = list_runs(root)
    for run in runs:
        if text in (run.id, run.name):
            return RunMatch(run)
    fitting = [run for run in runs if text == "last" or (text.strip() and text in run.id)]
    trainings = [run for run in fitting if run.kind in (*PRESETS, LANDMARKS)]
    for position, run in enumerate(trainings):
        if run.state().status == "done" and trained_files(run, which):
            return RunMatch(run, tuple(trainings[:position]))
    if fitting or text == "last":
        which_runs = "No training run" if text == "last" else f"No training run that matches “{text}”"
        if not trainings:
            raise NothingTrained(f"{which_runs} exists.", "Train first: edgeface-studio train --help.")
        newest = f"The newest, {trainings[0].id}, is {trainings[0].state().status}."
        raise NothingTrained(
            f"{which_runs} is done and has weights. {newest}",
            "Give its full name to use its weights all the same.",
        )
    raise RunNotFound(f"There is no run '{text}'.", "`edgeface-studio runs list` shows them all.")


def use_run_weights(settings: Settings, run: Run, which: Which = "best") -> ActivatedModels:
    """Take a run's encoder into use together with the upscaler that it was trained with, or its landmark network.

    Both are loaded completely, tried on real faces, copied to data/weights as `<kind>-<time>` and `<kind>-<time>-dsr`,
    and entered together: when a step fails, nothing changes. A run that trained only an upscaler leaves the encoder in
    use as it is; so does a specialist, which takes an upscaler's place and is refused beside weights of another space.
    A landmark network is stored as `landmarks-<time>`.
    Raises NothingTrained, RunNotFound, UpscalerUnusable, LandmarksUnusable, StorageFailed and what loading an encoder
    raises.
    """
    require(Permission.WEIGHTS)
    files = trained_files(run, which)
    if not files:
        other: Which = "last" if which == "best" else "best"
        step = f"It has '{other}' weights." if trained_files(run, other) else "Let it train for an epoch first."
        raise NothingTrained(f"{run.id} has no '{which}' weights.", step)
    name = f"{run.kind}-{run.name.partition('-')[0]}"
    if "landmarks" in files:
        return _take_landmarks(settings, landmark_networks.describe(files["landmarks"]), name)
    encoder = encoders.describe(files["encoder"]) if "encoder" in files else None
    upscaler = upscalers.describe(files["upscaler"]) if "upscaler" in files else None
    if "specialist" in files:
        upscaler = upscalers.upscaler_for(settings, encoders.active_weights(settings), files["specialist"])
    if upscaler is None and encoder is not None:
        upscaler = _trained_with(settings, run, encoder)
    if encoder is not None:
        encoders.check_weights(encoder)
    if upscaler is not None:
        upscalers.check_upscaler(upscaler)
    return _take_both(settings, encoder, upscaler, name)


def _take_landmarks(settings: Settings, network: LandmarkFile, name: str) -> ActivatedModels:
    landmark_networks.check_landmarks(network)
    kept, entry = landmark_networks.keep_landmarks(settings, network, name=name)
    write_active(settings, landmarks=entry)
    return ActivatedModels(landmarks=kept)


def _take_both(
    settings: Settings, encoder: WeightsFile | None, upscaler: UpscalerFile | None, name: str
) -> ActivatedModels:
    entries: dict[str, Any] = {}
    if encoder is not None:
        encoder, entries["encoder"] = encoders.keep_weights(settings, encoder, name=name)
    if upscaler is not None:
        own = name if encoder is None else f"{name}-dsr"
        upscaler, entries["upscaler"] = upscalers.keep_upscaler(settings, upscaler, name=own)
    write_active(settings, **entries)
    release_specialist(settings)  # one of other weights, where the run names no upscaler
    return ActivatedModels(encoder, upscaler)


def _trained_with(settings: Settings, run: Run, encoder: WeightsFile) -> UpscalerFile | None:
    """Return the upscaler of an encoder's training by its header, else by the run's config; None where neither says."""
    sha256 = encoder.metadata.get("trained_with_upscaler", "")
    named = run.config.get("upscaler")
    if sha256 == BICUBIC or (not sha256 and named == BICUBIC):
        return upscalers.BICUBIC_UPSCALER
    if not sha256 and not named:
        return None
    for file in _candidates(settings, named, anywhere=bool(sha256)):
        if not sha256 or file.sha256 == sha256:
            return file
    raise NothingTrained(
        f"{run.id} was trained with an upscaler that is gone (SHA-256 {sha256[:12] or 'unknown'}..., "
        f"{named or 'no path recorded'}).",
        f"Put that file into {settings.weights_dir}, or use the encoder alone: edgeface-studio weights use "
        f"{encoder.path}.",
    )


def _candidates(settings: Settings, named: object, *, anywhere: bool) -> list[UpscalerFile]:
    """The file that the run's config names; where its hash is known, every stored one too, since it may have moved."""
    found = []
    if isinstance(named, str) and named:
        with suppress(UpscalerUnusable):
            found.append(upscalers.find_upscaler(settings, named))
    return found + (upscalers.scan(settings) if anywhere else [])
