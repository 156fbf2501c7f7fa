"""Lines of the training log, an extension of the notes' format. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.system.text import count

_RULE = "=" * 68
_NA = "n/a"


def banner(number: int, title: str) -> list[str]:
    """Heading of a stage."""
    return ["", f"STAGE {number}: {title}", _RULE]


def epoch_line(
    epoch: int,
    epochs: int,
    train: Mapping[str, Any],
    val: Mapping[str, Any] | None,
    rates: Mapping[str, float],
    *,
    images_per_s: float,
    left_s: float,
) -> str:
    """Line of an epoch: `Epoch 01/5 | Train Loss: 6.2341 Acc: 0.1234 | Val Loss: 5.8932 Acc: n/a Sim: 0.7234 EER:
    0.0412 | LR: 1.00e-03`, then the parts of the loss, images a second and the time left."""
    parts = [f"Train Loss: {number(train.get('loss'))} Acc: {number(train.get('accuracy'))}"]
    if val is not None:
        shown = (("Loss", "loss"), ("Acc", "accuracy"), ("Sim", "similarity"), ("EER", "eer"))
        text = " ".join(f"{title}: {number(val.get(name))}" for title, name in shown)
        if val.get("eer_camera") is not None:
            text += f" EER camera: {number(val['eer_camera'])}"
        if val.get("psnr_db") is not None:
            text += f" PSNR: {val['psnr_db']:.2f} SSIM: {number(val.get('ssim'))}"
        parts.append(f"Val {text}")
    parts.append(f"LR: {rate_text(rates)}")
    names = {
        "classification": "Cls",
        "alignment": "Align",
        "teacher": "Teacher",
        "pixel": "Pixel",
        "identity": "Ident",
        "features": "Feat",
        "contrast": "Contr",
    }
    losses = [f"{title}: {train[name]:.4f}" for name, title in names.items() if train.get(name) is not None]
    if len(losses) > 1:
        parts.append(" ".join(losses))
    return _line(epoch, epochs, [*parts, f"{images_per_s:,.0f} images/s", f"{duration(left_s)} left"])


def landmark_line(
    epoch: int,
    epochs: int,
    losses: Mapping[str, float],
    val: str,
    rate: float,
    *,
    looks_per_s: float,
    left_s: float,
) -> str:
    """Line of an epoch of the landmark network: `val` are its figures as text."""
    parts = " ".join(f"{name.capitalize()}: {losses[name]:.4f}" for name in ("points", "distance", "face") if losses)
    train = f"Train Loss: {number(losses.get('total'))} {parts}".rstrip()
    speed, left = f"{looks_per_s:,.0f} looks/s", f"{duration(left_s)} left"
    return _line(epoch, epochs, [train, f"Val {val}", f"LR: {rate:.2e}", speed, left])


def recognisability_line(epoch: int, epochs: int, loss: float | None, r2: float | None) -> str:
    """Line of an epoch of the landmark network's second stage, from its validation's R2."""
    figures = f"Recognisability: Train Loss: {number(loss)} R2: {number(r2, 3)}"
    return _line(epoch, epochs, [figures, f"{count(epochs - epoch, 'epoch')} left"])


def _line(epoch: int, epochs: int, parts: Sequence[str]) -> str:
    return " | ".join([f"Epoch {epoch:02d}/{epochs}", *parts])


def rate_text(rates: Mapping[str, float]) -> str:
    """ "5.00e-06" for one part; for several the encoder's first, each with its name."""
    order = [name for name in ("encoder", "head", "upscaler") if name in rates]
    if len(order) == 1:
        return f"{rates[order[0]]:.2e}"
    return " ".join(f"{rates[name]:.2e} ({name})" for name in order) or _NA


def best_line(criterion: str, value: float | None, figures: Mapping[str, Any]) -> str:
    """Line for an epoch that is the best so far."""
    if criterion == "similarity":
        return f"  ✓ New best validation similarity: {number(value)}"
    if criterion == "psnr":
        return f"  ✓ New best validation PSNR: {number(value, 2)} dB"
    if value is None:
        return "  ✓ Saved checkpoint"
    under = ", bicubic and camera" if figures.get("eer_camera") is not None else ""
    detail = f"VLR-HR and VLR-VLR{under} together, val sim: {number(figures.get('similarity'))}"
    return f"  ✓ New best validation EER: {number(value)} ({detail})"


def number(value: float | None, digits: int = 4) -> str:
    """Format a figure; "n/a" where it is missing."""
    return _NA if value is None else f"{value:.{digits}f}"


def percent(share: float) -> str:
    """ "50 %", "12.5 %"."""
    return f"{share * 100:g} %"


def duration(seconds: float | None) -> str:
    """ "8 s", "3 min 5 s", "1 h 20 min": a duration in its two largest units."""
    if seconds is None:
        return "an unknown time"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    large, small, units = (*divmod(whole, 60), "min s") if whole < 3600 else (*divmod(whole // 60, 60), "h min")
    first, second = units.split()
    return f"{large} {first} {small} {second}" if small else f"{large} {first}"


def figures_text(figures: Mapping[str, Any]) -> str:
    """Format validation figures: "Sim: 0.7234 EER: 0.0412 (VLR-VLR 0.0520) rank-1: 0.8123"."""
    text = f"Sim: {number(figures.get('similarity'))} EER: {number(figures.get('eer'))}"
    text += f" (VLR-VLR {number(figures.get('eer_vlr_vlr'))}) rank-1: {number(figures.get('rank1'))}"
    if figures.get("eer_camera") is not None:
        text += f" EER camera: {number(figures['eer_camera'])} (VLR-VLR {number(figures.get('eer_camera_vlr_vlr'))})"
    if figures.get("psnr_db") is not None:
        text += f" PSNR: {figures['psnr_db']:.2f} dB SSIM: {number(figures.get('ssim'))}"
    return text
