"""What an epoch leaves in the run's folder, how a resumed run takes it up, and the report at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from core.models.header import BESIDE, BICUBIC, Measured, figures_of_validation
from core.training import checkpoint as files
from core.training import log_format
from core.training.networks import dsr_metadata
from core.training.progress_state import criterion_value

if TYPE_CHECKING:
    from core.training.setup import Work
    from core.training.stage import StageRun

Record = Mapping[str, Any]
"""An epoch's place and figures, as the run's standing holds its best and last ones."""


def keep_best(work: Work, run: StageRun) -> None:
    """Replace checkpoints/best by the trained parts as they were validated."""
    files.save_checkpoint(work.folder / "best", _weights(work, run, work.standing.best or {}))
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
    files.save_checkpoint(work.folder / "last", _weights(work, run, work.standing.last or {}), state)
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
    epochs = f"{standing.step} epoch{'' if standing.step == 1 else 's'}"
    text = f"{config.recipe.title}: {epochs} in {log_format.duration(standing.seconds)}"
    if best:
        several = len(config.recipe.stages) > 1
        text += f"; best in epoch {best['step']}" + (f" ({best['stage']}, epoch {best['epoch']})" if several else "")
    if figures:
        text += f" ({log_format.figures_text(figures)})"
    work.reporter.log("")
    work.reporter.log(f"Training complete! {_closing(name, value)}")
    return {
        "kind": config.kind,
        "preset": config.preset,
        "best": {**_place(best), **figures},
        "last": {**_place(last), **last.get("figures", {})},
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
    return f"Best validation {titles[name]}: {log_format.number(value)}"


def _place(record: Record) -> dict[str, Any]:
    """The epoch of a record: `epoch` within its `stage`, `step` over all stages."""
    return {name: record.get(name) for name in ("stage", "epoch", "step")}


def _weights(work: Work, run: StageRun, record: Record) -> dict[str, files.Weights]:
    """Every part that the recipe has trained so far, with their files' metadata; the encoder where the recipe will
    train it later, so that a best epoch before that has one too, and for the same reason an upscaler that is in use."""
    recipe, standing = work.config.recipe, work.standing
    so_far: set[str] = {part for stage in recipe.stages[: standing.stage + 1] for part in stage.trains}
    so_far |= {"encoder", *(["upscaler"] if run.stage.through == "upscaler" else [])} & set(recipe.trains)
    modules: dict[str, nn.Module] = {**work.parts.named(), **run.kept}
    return {
        part: files.Weights(files.weights_of(modules[part]), _metadata(work, part, record))
        for part in modules
        if part in so_far
    }


def _metadata(work: Work, part: str, record: Record, bicubic_px: Sequence[int] = ()) -> dict[str, str]:
    """What a part's file says of itself, with the figures of `record`, the epoch that it was kept in."""
    config, networks = work.config, work.networks
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    if part == "head":
        return files.head_metadata(work.data.identities, asdict(config.recipe.head))
    figures = _measured(work, record, bicubic_px)
    said: dict[str, Any] = {
        "data_sha256": work.data.dataset.key,
        "figures": {} if figures is None else figures.to_dict(),
        "trained_by": config.command,
        "made_at": made_at,
        "epoch": str(record.get("step") or 0),
        "ancestors": networks.ancestors.to_json(),
    }
    if part == "upscaler":
        together = "encoder" in config.recipe.trains
        with_encoder = BESIDE if together else networks.parent_sha256
        return files.dsr_metadata(config=dsr_metadata(networks), trained_with_encoder=with_encoder, **said)
    return files.encoder_metadata(
        variant=networks.variant,
        parent_sha256=networks.parent_sha256,
        config=asdict(config.recipe),
        trained_with_upscaler=_trained_with(work, record),
        **said,
    )


def _trained_with(work: Work, record: Record) -> str:
    """What enlarged small faces in a record's stage: "bicubic", a file's SHA-256, or BESIDE."""
    recipe, networks = work.config.recipe, work.networks
    through = next((stage.through for stage in recipe.stages if stage.name == record.get("stage")), "upscaler")
    if networks.upscaler is None or through == "bicubic":
        return BICUBIC
    return BESIDE if "upscaler" in recipe.trains else networks.upscaler_sha256


def _measured(work: Work, record: Record, bicubic_px: Sequence[int]) -> Measured | None:
    """A record's figures as a file's header holds them; `bicubic_px`: sizes at which the pair uses bicubic."""
    figures = dict(record.get("figures") or {})
    if not figures.get("by_size"):
        return None
    bicubic, upscaler = work.standing.bicubic, _trained_with(work, record)
    left = " and ".join(f"{size} px" for size in bicubic_px)
    enlarged = {BICUBIC: BICUBIC, BESIDE: "the DSR trained beside it"}.get(upscaler, work.networks.upscaler_name)
    protocol = (
        f"{work.data.dataset.info.name}, val, {work.amounts.val:,} images, aligned, flip TTA off, upscaler {enlarged}"
        f"{f', bicubic at {left}' if left else ''}; the validation of the training itself, which chose its best epoch "
        "by it"
    )
    return figures_of_validation(
        figures,
        protocol=protocol,
        upscaler=("" if upscaler == BESIDE else upscaler, enlarged),
        bicubic=None if upscaler == BICUBIC else bicubic,
    )


def _route(work: Work) -> None:
    """Find the sizes where bicubic measures better than the best upscaler, and write them into its file."""
    folder: Path = work.folder / "best"
    best = work.standing.best or {}
    tensors = files.load_weights(folder, "upscaler")
    upscaler, validator, dsr = work.networks.upscaler, work.validator, work.networks.dsr
    if tensors is None or upscaler is None or validator is None or dsr is None:
        return
    encoder = files.load_weights(folder, "encoder")
    if encoder is not None:
        work.networks.encoder.load_state_dict(encoder)
    upscaler.load_state_dict(tensors)
    with_dsr = validator.measure(work.networks.encoder, upscaler, pixels=True).by_size
    bicubic = validator.measure(work.networks.encoder, None, pixels=True).by_size
    better = [
        size
        for size, figures in with_dsr.items()
        if work.networks.takes(int(size)) and _error(bicubic[size]) < _error(figures)
    ]
    dsr["use_bicubic_px"] = [int(size) for size in better]
    # The file's figures are those of the pair as it will be used.
    by_size = {**(best.get("figures") or {}).get("by_size", {}), **{size: bicubic[size] for size in better}}
    record = {**best, "figures": {**(best.get("figures") or {}), "by_size": by_size}}
    weights = {
        part: files.Weights(found, _metadata(work, part, record, dsr["use_bicubic_px"]))
        for part in ("encoder", "upscaler", "head")
        if (found := files.load_weights(folder, part)) is not None
    }
    files.save_checkpoint(folder, weights)
    if better:
        sizes = ", ".join(f"{size} px" for size in better)
        work.reporter.log(f"At {sizes} bicubic measures better than the trained upscaler and is used there.")


def _error(figures: dict[str, float | None]) -> float:
    known = [figures[name] for name in ("eer", "eer_vlr_vlr") if figures.get(name) is not None]
    return sum(value for value in known if value is not None) / len(known) if known else 0.0


def _tell(work: Work, which: str, run: StageRun) -> None:
    work.reporter.event(
        "checkpoint",
        which=which,
        path=f"checkpoints/{which}",
        stage=run.stage.name,
        epoch=work.standing.epoch,
        step=work.standing.step,
    )
