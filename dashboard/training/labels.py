"""Labels and number formats of trainings, and the explanation of accuracy at an epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import pandas as pd

from core.system.text import count
from core.training.config import NEW
from core.training.run_events import Plan

KINDS = {
    "finetune": "Fine-tuning",
    "dsr": "Super-resolution (DSR)",
    "starter": "Starter encoder",
    "landmarks": "Landmark network",
}
"""The kinds of run on this page."""

STEPS = {
    "train": "Training",
    "validate": "Validating",
    "cache super-resolved": "Super-resolving each image once",
    "cache embeddings": "Embedding each image once",
    "decode": "Decoding each image once",
    "read": "Reading the images",
    "check": "Checking the data set",
    "faces": "Finding landmarks on the large pictures",
}
"""The steps of a run."""

NOTES_BY_EPOCH = ((1, 0.0, 0.005), (3, 0.05, 0.15), (5, 0.15, 0.30), (10, 0.40, 0.60), (20, 0.70, 0.85))
"""Training accuracy that the notes expect: epoch over both stages, lowest, highest."""
NOTES_VAL = {1: (0.0, 0.005), 3: (0.03, 0.12), 5: (0.10, 0.25), 10: (0.30, 0.50), 20: (0.60, 0.75)}
"""The same for validation accuracy, where training and validation have the same people."""

NOTES_SIMILARITY = ((1, 0.70, 0.85), (3, 0.75, 0.87), (5, 0.80, 0.90), (10, 0.85, 0.92), (20, 0.88, 0.94))
"""The same for the similarity of SR and HR in validation."""

FIGURES = {
    "val.eer": ("EER", 100.0, ".2f", " %"),
    "val.eer_vlr_vlr": ("EER, VLR-VLR", 100.0, ".2f", " %"),
    "val.eer_camera": ("EER, camera", 100.0, ".2f", " %"),
    "val.eer_camera_vlr_vlr": ("EER, camera, VLR-VLR", 100.0, ".2f", " %"),
    "val.rank1": ("rank-1", 100.0, ".1f", " %"),
    "val.accuracy": ("accuracy", 100.0, ".1f", " %"),
    "val.similarity": ("similarity", 1.0, ".4f", ""),
    "val.psnr_db": ("PSNR", 1.0, ".2f", " dB"),
    "val.ssim": ("SSIM", 1.0, ".4f", ""),
    "val.error_px": ("landmark error", 1.0, ".2f", " px"),
    "val.missed": ("faces taken for none", 100.0, ".1f", " %"),
    "val.loss": ("validation loss", 1.0, ".4f", ""),
    "train.loss": ("training loss", 1.0, ".4f", ""),
}
"""Figures of an epoch by column: name, display factor, digits, unit."""

ERROR_RATES = ("val.eer", "val.eer_vlr_vlr", "val.eer_camera", "val.eer_camera_vlr_vlr")
"""Error rates of an epoch by column; `Plan.alike` says what they are over."""


def figure_text(column: str, value: float | None) -> str:
    """A figure with its unit, "2.31 %", or "n/a" if it wasn't measured."""
    _, scale, digits, unit = FIGURES[column]
    if value is None or not math.isfinite(value):
        return "n/a"
    return f"{value * scale:{digits}}{unit}"


def data_name(config: Mapping[str, Any]) -> str:
    """The name of the data set or folder that a run trains on, or of its folders of photographs."""
    if isinstance(folders := config.get("photographs"), list) and folders:
        return ", ".join(PurePath(str(folder)).name for folder in folders)
    path = config.get("dataset") or config.get("train_dir")
    return PurePath(str(path)).name if path else "no data set"


def weights_name(value: object) -> str:
    """The file's name without its suffix, for a path; other values, such as "bicubic", unchanged."""
    text = str(value or "none")
    return PurePath(text).stem if "/" in text or text.endswith((".pt", ".safetensors")) else text


def upscaler_name(value: object) -> str:
    """A DSR file's name, "bicubic", or "a new network"."""
    return "a new network" if value == NEW else weights_name(value)


def accuracy_explanation(plan: Plan | None, epochs: pd.DataFrame, preset: str) -> str:
    """What the accuracy means at this epoch: the chance level, and for the recipe "notes" what the notes expect; "" for
    a run without identities."""
    people = plan.identities if plan else None
    if plan is None or not people:
        return ""
    step = int(epochs["step"].max()) if len(epochs) else 0
    train = _last(epochs, "train.accuracy")
    if step and train is None:
        return "This run trains no head that classifies people, so there is no accuracy. Go by EER and similarity."
    parts: list[str] = []
    if step <= 1:
        parts.append(
            f"0 % in epoch 1 is normal for {count(people, 'person', 'people')}: chance is {_percent(1 / people)}."
        )
    if preset == "notes":
        parts += _expected_by_notes(plan, step, train, _last(epochs, "val.accuracy"))
    if plan.shared_identities == 0:
        parts.append(
            "Training and validation have no people in common, so validation accuracy isn't measured: use EER."
        )
    return " ".join(parts)


def _expected_by_notes(plan: Plan, step: int, train: float | None, val: float | None) -> list[str]:
    reached = [each for each in NOTES_BY_EPOCH if each[0] <= step]
    following = [each for each in NOTES_BY_EPOCH if each[0] > max(1, step)]
    parts: list[str] = []
    if step > 1 and train is not None and reached:
        epoch, low, high = reached[-1]
        verdict = "as expected" if low <= train <= high else "lower" if train < low else "higher"
        parts.append(
            f"Training accuracy is {_percent(train)} after epoch {step}; the notes expect {_range(low, high)} by epoch "
            f"{epoch}: {verdict}."
        )
        low, high = NOTES_VAL[epoch]
        if val is not None and plan.shared_identities:
            parts.append(f"Validation accuracy is {_percent(val)}; the notes expect {_range(low, high)}.")
    if following and (plan.epochs is None or following[0][0] <= plan.epochs):
        epoch, low, high = following[0]
        parts.append(f"By epoch {epoch} the notes expect {_range(low, high)} in training.")
    return parts


def _range(low: float, high: float) -> str:
    return f"up to {high * 100:g} %" if low == 0 else f"{low * 100:g} to {high * 100:g} %"


def _percent(value: float) -> str:
    return f"{value * 100:.2g} %" if value < 0.1 else f"{value * 100:.1f} %"


def _last(epochs: pd.DataFrame, column: str) -> float | None:
    if column not in epochs.columns:
        return None
    values = epochs[column].dropna()
    return float(values.iloc[-1]) if len(values) else None
