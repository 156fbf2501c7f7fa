"""What an epoch leaves in the run's folder, how a resumed run takes it up, and the report at the end."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from core.training import checkpoint as files
from core.training import lines
from core.training.networks import dsr_metadata
from core.training.standing import criterion_value

if TYPE_CHECKING:
    from core.training.engine import Work
    from core.training.stage import StageRun


def keep_best(work: Work, run: StageRun) -> None:
    """Replace checkpoints/best by the trained parts as they were validated."""
    files.save_checkpoint(work.folder / "best", _weights(work, run))
    _tell(work, "best", run)


def keep_last(work: Work, run: StageRun) -> None:
    """Replace checkpoints/last, with all that a resume needs. Other processes than the first keep nothing."""
    if not work.runner.first:
        return
    scaler = work.runner.scaler
    state = {
        "standing": work.standing.to_dict(),
        "networks": {name: files.weights_of(module) for name, module in work.parts.named().items()},
        "optimizer": run.optimizer.state_dict(),
        "mean": None if run.mean is None else run.mean.state(),
        "scaler": None if scaler is None else scaler.state_dict(),
    }
    files.save_checkpoint(work.folder / "last", _weights(work, run), state)
    _tell(work, "last", run)


def restore(work: Work, state: dict[str, Any]) -> None:
    """Put a checkpoint's networks in place; the stage takes optimizer and means up itself."""
    for name, module in work.parts.named().items():
        if name in state["networks"]:
            module.load_state_dict(state["networks"][name])


def make_report(work: Work) -> dict[str, Any]:
    """report.json of a run that came to its end; the best upscaler learns on which sizes bicubic is better."""
    standing, config = work.standing, work.config
    best, last = standing.best or {}, standing.last or {}
    if work.runner.first and "upscaler" in config.recipe.trains:
        _route(work)
    weights = {
        part: f"checkpoints/best/{files.FILES[part]}"
        for part in ("encoder", "upscaler")
        if (work.folder / "best" / files.FILES[part]).is_file()
    }
    figures = best.get("figures", {})
    name, value = criterion_value(config.recipe.criterion, figures)
    text = f"{config.recipe.title}: {standing.step} epochs in {lines.duration(standing.seconds)}"
    if best:
        text += f"; best in epoch {best['epoch']} of {best['stage']}"
    if figures:
        text += f" ({lines.figures_text(figures)})"
    work.reporter.log("")
    work.reporter.log(f"Training complete! {_closing(name, value)}")
    return {
        "kind": config.kind,
        "preset": config.preset,
        "best": {"stage": best.get("stage"), "epoch": best.get("epoch"), **figures},
        "last": {"stage": last.get("stage"), "epoch": last.get("epoch"), **last.get("figures", {})},
        "start": standing.start,
        "bicubic": standing.bicubic,
        "criterion": {"name": name, "value": value},
        "figures": figures,
        "weights": weights,
        "seconds": standing.seconds,
        "text": f"{text}.",
    }


def _closing(name: str, value: float | None) -> str:
    titles = {"eer": "EER", "similarity": "similarity", "psnr": "PSNR"}
    return f"Best validation {titles[name]}: {lines.number(value)}"


def _weights(work: Work, run: StageRun) -> dict[str, files.Weights]:
    """Every part that the recipe has trained so far, with their files' metadata; and the encoder where the recipe will
    train it later, so that a best epoch before that has one too."""
    recipe, standing = work.config.recipe, work.standing
    so_far: set[str] = {part for stage in recipe.stages[: standing.stage + 1] for part in stage.trains}
    so_far |= {"encoder"} & set(recipe.trains)
    modules: dict[str, nn.Module] = {**work.parts.named(), **run.kept}
    return {
        part: files.Weights(files.weights_of(modules[part]), _metadata(work, part))
        for part in modules
        if part in so_far
    }


def _metadata(work: Work, part: str) -> dict[str, str]:
    config, standing, networks = work.config, work.standing, work.networks
    figures = (standing.last or {}).get("figures", {})
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    if part == "head":
        return files.head_metadata(work.data.identities, asdict(config.recipe.head))
    if part == "upscaler":
        return files.dsr_metadata(
            config=dsr_metadata(networks), data_sha256=work.data.dataset.key, figures=figures,
            trained_by=config.command, made_at=made_at,
        )  # fmt: skip
    with_upscaler = networks.upscaler_sha256 or "trained beside it"
    return files.encoder_metadata(
        variant=networks.variant, parent_sha256=networks.parent_sha256, data_sha256=work.data.dataset.key,
        config=asdict(config.recipe), figures=figures, trained_by=config.command,
        trained_with_upscaler=with_upscaler if networks.upscaler is not None else "bicubic", made_at=made_at,
    )  # fmt: skip


def _route(work: Work) -> None:
    """Find the sizes where bicubic measures better than the best upscaler, and write them into its file."""
    folder: Path = work.folder / "best"
    tensors = files.load_weights(folder, "upscaler")
    upscaler, validator, dsr = work.networks.upscaler, work.validator, work.networks.dsr
    if tensors is None or upscaler is None or validator is None or dsr is None:
        return
    encoder = files.load_weights(folder, "encoder")
    if encoder is not None:
        work.networks.encoder.load_state_dict(encoder)
    upscaler.load_state_dict(tensors)
    with_dsr = validator.measure(work.networks.encoder, upscaler).by_size
    bicubic = validator.measure(work.networks.encoder, None).by_size
    dsr["use_bicubic_px"] = [
        int(size)
        for size, figures in with_dsr.items()
        if work.networks.takes(int(size)) and _error(bicubic[size]) < _error(figures)
    ]
    weights = {
        part: files.Weights(found, _metadata(work, part))
        for part in ("encoder", "upscaler", "head")
        if (found := files.load_weights(folder, part)) is not None
    }
    files.save_checkpoint(folder, weights)
    if dsr["use_bicubic_px"]:
        sizes = ", ".join(f"{size} px" for size in dsr["use_bicubic_px"])
        work.reporter.log(f"At {sizes} bicubic measures better than the trained upscaler and is used there.")


def _error(figures: dict[str, float | None]) -> float:
    known = [figures[name] for name in ("eer", "eer_vlr_vlr") if figures.get(name) is not None]
    return sum(value for value in known if value is not None) / len(known) if known else 0.0


def _tell(work: Work, which: str, run: StageRun) -> None:
    work.reporter.event(
        "checkpoint", which=which, path=f"checkpoints/{which}", stage=run.stage.name, epoch=work.standing.epoch
    )
