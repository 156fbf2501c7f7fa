"""What a recorded training tells: its plan, figures and epochs, by formulas that look like real curves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

NOTES = {"stage1": 5, "stage2": 20}


BICUBIC = {
    16: {"psnr_db": 22.1, "ssim": 0.66, "similarity": 0.71, "eer": 0.062},
    24: {"psnr_db": 25.8, "ssim": 0.79, "similarity": 0.85, "eer": 0.021},
    32: {"psnr_db": 28.4, "ssim": 0.87, "similarity": 0.92, "eer": 0.011},
}


def averages_of(trained: dict[str, Any], kept: float) -> dict[str, Any]:
    """What a report says of averages; `kept` 1: the fine-tuned weights."""
    averages = {"0.75": _scaled(trained, 0.9), "0.5": _scaled(trained, 0.8), "0.25": None}
    figures = trained if kept == 1 else averages[f"{kept:g}"]
    return {"averages": averages, "averaged_with_start": None if kept == 1 else kept, "figures": figures}


def _scaled(figures: dict[str, Any], factor: float) -> dict[str, Any]:
    """The figures with error rates times `factor`."""
    return {
        name: _scaled(value, factor) if isinstance(value, dict) else value * factor if "eer" in name else value
        for name, value in figures.items()
    }


TITLES = {
    "stage1": "Train the head",
    "stage2": "Train everything",
    "dsr": "Train the DSR",
    "starter": "Distil the starter",
}


def config_of(kind: str, preset: str, data_dir: Path, stages: dict[str, int]) -> dict[str, Any]:
    return {
        "dataset": str(data_dir / "datasets" / "lfw-closed"),
        "train_dir": None,
        "val_dir": None,
        "preset": preset,
        "edgeface": None if kind == "starter" else "edgeface_xxs",
        "upscaler": "bicubic",
        "device": "cpu",
        "seed": 0,
        "batch_size": 64,
        "num_workers": 0,
        "accumulate": 1,
        "stages": [{"name": name, "epochs": number} for name, number in stages.items()],
    }


def plan_of(kind: str, stages: dict[str, int], identities: int, shared: int) -> dict[str, Any]:
    trains = {"stage1": ["head"], "stage2": ["encoder", "head"], "dsr": ["upscaler"], "starter": ["encoder"]}
    return {
        "stages": [{"name": n, "title": TITLES[n], "epochs": e, "trains": trains[n]} for n, e in stages.items()],
        "epochs": sum(stages.values()),
        "train_images": 25_729,
        "val_images": 6_433,
        "identities": identities,
        "shared_identities": shared,
        "chance": 1 / identities if shared else None,
        "device": "cpu",
        "precision": "bfloat16",
        "threads": 2,
        "estimate_s": 1500.0,
        "upscaler": "bicubic",
        "encoder": "edgeface_xxs",
    }


def start_of(kind: str) -> dict[str, Any]:
    """The figures before training, and bicubic's."""
    by_size = {str(px): {**BICUBIC[px], "eer_vlr_vlr": BICUBIC[px]["eer"] * 1.25} for px in BICUBIC}
    found = {key: sum(size[key] for size in by_size.values()) / 3 for key in by_size["16"]}
    bicubic = {**found, "by_size": by_size}
    return {"val": bicubic, "bicubic": bicubic if kind == "dsr" else None}


def where(stages: dict[str, int], step: int) -> tuple[str, int]:
    """The stage of an epoch counted over all stages, and its number within."""
    for name, number in stages.items():
        if step <= number:
            return name, step
        step -= number
    raise ValueError("beyond the last stage")


def epoch_of(
    kind: str, stages: dict[str, int], step: int, identities: int, shared: int, lift: float = 0.0
) -> dict[str, Any]:
    total = sum(stages.values())
    name, epoch = where(stages, step)
    learnt = 1 - math.exp(-3 * step / total) + lift
    wave = 0.02 * math.sin(2.1 * step)
    accuracy = 0.0 if step == 1 else min(0.95, 0.85 * learnt + wave)
    classes = kind == "finetune"
    train = {
        "loss": 29 * math.exp(-2.6 * learnt) + 0.6 + wave if classes else 0.3 * math.exp(-1.5 * learnt),
        "accuracy": accuracy if classes else None,
        "classification": 28.9 * math.exp(-2.6 * learnt) + 0.5 + wave if classes else None,
        "alignment": 0.3 * math.exp(-1.2 * learnt) if name == "stage2" else None,
        "teacher": 0.4 * math.exp(-1.4 * learnt) if kind == "starter" else None,
        "pixel": 0.08 * math.exp(-0.8 * learnt) + 0.03 if kind == "dsr" else None,
        "identity": 0.25 * math.exp(-1.1 * learnt) if kind == "dsr" else None,
    }
    by_size = {str(px): _at(px, learnt, wave, dsr=kind == "dsr") for px in BICUBIC}
    mean = {key: sum(size[key] for size in by_size.values()) / 3 for key in ("similarity", "eer", "eer_vlr_vlr")}
    val: dict[str, Any] = {
        "loss": train["loss"] * 1.1 if classes else None,
        "accuracy": accuracy * 0.85 if classes and shared else None,
        **mean,
        "rank1": 0.9 + 0.09 * min(1, learnt),
        "by_size": by_size,
    }
    if kind == "dsr":
        for key in ("psnr_db", "ssim"):
            val[key] = sum(size[key] for size in by_size.values()) / 3
        val["bicubic"] = {key: sum(size[key] for size in BICUBIC.values()) / 3 for key in BICUBIC[16]}
    lr = {"head": 1e-3} if name == "stage1" else {"encoder": _cosine(5e-6, epoch, 20), "head": _cosine(5e-5, epoch, 20)}
    if kind == "dsr":
        lr = {"upscaler": _cosine(2e-4, epoch, 8)}
    said = "n/a" if val["accuracy"] is None else f"{val['accuracy']:.4f}"
    acc = "" if train["accuracy"] is None else f" Acc: {train['accuracy']:.4f}"
    line = (
        f"Epoch {epoch:02d}/{stages[name]} | Train Loss: {train['loss']:.4f}{acc} | Val Loss: {val['loss'] or 0:.4f} "
        f"Acc: {said} Sim: {val['similarity']:.4f} EER: {val['eer']:.4f} | LR: {max(lr.values()):.2e}"
    )
    return {
        "stage": name,
        "epoch": epoch,
        "epochs": stages[name],
        "step": step,
        "seconds": 58.2 + 5 * wave,
        "images_per_s": 430 + 300 * wave,
        "left_s": 60.0 * (total - step),
        "lr": lr,
        "train": train,
        "val": val,
        "best": wave > -0.01,
        "criterion": {"name": "eer", "value": val["eer"]},
        "line": line,
    }


def _at(px: int, learnt: float, wave: float, *, dsr: bool) -> dict[str, Any]:
    start = BICUBIC[px]
    found: dict[str, Any] = {
        "similarity": start["similarity"] + (1 - start["similarity"]) * 0.4 * learnt + wave / 20,
        "eer": start["eer"] * (1 - 0.45 * learnt) + abs(wave) / 20,
        "eer_vlr_vlr": start["eer"] * (1.25 - 0.5 * learnt) + abs(wave) / 20,
    }
    if dsr:
        found["psnr_db"] = start["psnr_db"] - 0.6 + 1.8 * learnt * px / 32 + wave
        found["ssim"] = start["ssim"] + 0.04 * learnt
    return found


def _cosine(base: float, epoch: int, epochs: int) -> float:
    return base * (0.5 + 0.5 * math.cos(math.pi * (epoch - 1) / epochs))
