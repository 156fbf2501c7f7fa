"""Checkpoints of a run: saving best and last, restoring networks, and the report at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from core.models.header import BESIDE, DSR_FORMAT, ENCODER_FORMAT, SPECIALIST_FORMAT
from core.models.measured import BICUBIC, Measured, figures_of_validation
from core.models.specialists import SPECIALIST_MAX_PX
from core.training import checkpoint as files
from core.training import log_format
from core.training.networks import dsr_metadata
from core.training.progress_state import criterion_value
from core.training.run_context import RunContext
from core.training.stage import StageRun

Record = Mapping[str, Any]
"""An epoch's position and figures, as in the progress' `best` and `last`."""


def save_best(context: RunContext, run: StageRun) -> None:
    """Replace checkpoints/best by the validated parts."""
    files.save_checkpoint(context.folder / "best", _weights(context, run, context.progress.best or {}))
    _report_saved(context, "best", run)


def save_last(context: RunContext, run: StageRun) -> None:
    """Replace checkpoints/last, including the state for a resume. Only the first process saves."""
    if not context.runner.first:
        return
    scaler = context.runner.scaler
    state = {
        "standing": context.progress.to_dict(),
        "networks": {name: files.cpu_state_dict(module) for name, module in context.parts.named().items()},
        "optimizer": run.optimizer.state_dict(),
        "mean": None if run.mean is None else run.mean.state(),
        "scaler": None if scaler is None else scaler.state_dict(),
    }
    files.save_checkpoint(context.folder / "last", _weights(context, run, context.progress.last or {}), state)
    _report_saved(context, "last", run)


def save_progress(context: RunContext) -> None:
    """Replace the progress alone in checkpoints/last, after the last stage."""
    state = files.load_state(context.folder / "last")
    if state is not None:
        files.replace_state(context.folder / "last", {**state, "standing": context.progress.to_dict()})


def rewrite_best(
    context: RunContext,
    record: Record,
    *,
    encoder: Mapping[str, Tensor] | None = None,
    bicubic_px: Sequence[int] = (),
) -> None:
    """Replace checkpoints/best by the same weights, but for `encoder`'s tensors, with the metadata of `record`."""
    folder: Path = context.folder / "best"
    weights = {}
    for part in files.FILES:
        own = "encoder" if part == "specialist" else part
        tensors = files.load_weights(folder, part)
        if tensors is not None:
            kept = encoder if encoder is not None and own == "encoder" else tensors
            weights[part] = files.Weights(kept, _metadata(context, own, record, bicubic_px))
    files.save_checkpoint(folder, weights)


def restore(context: RunContext, state: dict[str, Any]) -> None:
    """Load a checkpoint's networks; the stage restores optimizer and means."""
    for name, module in context.parts.named().items():
        if name in state["networks"]:
            module.load_state_dict(state["networks"][name])


def make_report(context: RunContext) -> dict[str, Any]:
    """Build report.json of a finished run, after recording the sizes at which bicubic beats the best upscaler."""
    progress, config = context.progress, context.config
    best, last = progress.best or {}, progress.last or {}
    if context.runner.first and "upscaler" in config.recipe.trains:
        _choose_bicubic_sizes(context)
    weights = {
        part: f"checkpoints/best/{files.FILES[part]}"
        for part in ("encoder", "upscaler", "specialist")
        if (context.folder / "best" / files.FILES[part]).is_file()
    }
    figures = best.get("figures", {})
    name, value = criterion_value(config.recipe.criterion, figures)
    epochs = f"{progress.step} epoch{'' if progress.step == 1 else 's'}"
    text = f"{config.recipe.title}: {epochs} in {log_format.duration(progress.seconds)}"
    if best:
        several = len(config.recipe.stages) > 1
        text += f"; best in epoch {best['step']}" + (f" ({best['stage']}, epoch {best['epoch']})" if several else "")
    if "share" in best:
        text += f", averaged with its start: {log_format.percent(best['share'])} of the fine-tuned weights"
    if figures:
        text += f" ({log_format.figures_text(figures)})"
    context.reporter.log("")
    context.reporter.log(f"Training complete! {_closing(name, value)}")
    return {
        "kind": config.kind,
        "preset": config.preset,
        "best": {**_place(best), **figures},
        "last": {**_place(last), **last.get("figures", {})},
        "start": progress.start,
        "bicubic": progress.bicubic,
        "criterion": {"name": name, "value": value},
        "averaged_with_start": best.get("share"),
        "averages": progress.averages,
        "pairs": progress.pairs,
        "figures": figures,
        "weights": weights,
        "seconds": progress.seconds,
        "text": f"{text}.",
    }


def _closing(name: str, value: float | None) -> str:
    titles = {"eer": "EER", "similarity": "similarity", "psnr": "PSNR"}
    return f"Best validation {titles[name]}: {log_format.number(value)}"


def _place(record: Record) -> dict[str, Any]:
    """Position of a record: `epoch` within its `stage`, `step` over all stages."""
    return {name: record.get(name) for name in ("stage", "epoch", "step")}


def _weights(context: RunContext, run: StageRun, record: Record) -> dict[str, files.Weights]:
    """Collect the parts trained so far with their metadata.

    The encoder is included where the recipe trains it later, so that an earlier best epoch has one too, and for the
    same reason an upscaler that the stage uses.
    """
    recipe, progress = context.config.recipe, context.progress
    so_far: set[str] = {part for stage in recipe.stages[: progress.stage + 1] for part in stage.trains}
    so_far |= {"encoder", *(["upscaler"] if run.stage.through == "upscaler" else [])} & set(recipe.trains)
    modules: dict[str, nn.Module] = {**context.parts.named(), **run.validated_parts}
    role = {"encoder": recipe.role}
    return {
        role.get(part, part): files.Weights(files.cpu_state_dict(modules[part]), _metadata(context, part, record))
        for part in modules
        if part in so_far
    }


def _metadata(context: RunContext, part: str, record: Record, bicubic_px: Sequence[int] = ()) -> dict[str, str]:
    """Metadata of a part's file, with the figures of its epoch's `record`."""
    config, networks = context.config, context.networks
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    if part == "head":
        return files.head_metadata(context.data.identities, asdict(config.recipe.head))
    figures = _measured(context, record, bicubic_px)
    shared: dict[str, Any] = {
        "data_sha256": context.data.dataset.key,
        "figures": {} if figures is None else figures.to_dict(),
        "terms": list(config.terms),
        "trained_by": config.command,
        "made_at": made_at,
        "epoch": str(record.get("step") or 0),
        "ancestors": networks.ancestors.to_json(),
    }
    if part == "upscaler":
        together = "encoder" in config.recipe.trains
        with_encoder = BESIDE if together else networks.parent_sha256
        return files.metadata(
            DSR_FORMAT, {"config": dsr_metadata(networks), "trained_with_encoder": with_encoder, **shared}
        )
    recipe = asdict(config.recipe)
    encoder: dict[str, Any] = {
        "variant": networks.variant,
        "parent_sha256": networks.parent_sha256,
        "config": recipe,
        "trained_with_upscaler": _trained_with(context, record),
        **shared,
        **({"averaged_with_start": f"{record['share']:g}"} if "share" in record else {}),
    }
    if config.recipe.role != "specialist":
        return files.metadata(ENCODER_FORMAT, encoder)
    space = {"specialist_for": networks.teacher_sha256, "specialist_for_name": networks.teacher_name}
    serves = {"config": {"max_px": SPECIALIST_MAX_PX}, "recipe": recipe}
    return files.metadata(SPECIALIST_FORMAT, {**encoder, **space, **serves})


def _trained_with(context: RunContext, record: Record) -> str:
    """Upscaler of a record's stage: "bicubic", a file's SHA-256, or BESIDE."""
    recipe, networks = context.config.recipe, context.networks
    through = next((stage.through for stage in recipe.stages if stage.name == record.get("stage")), "upscaler")
    if networks.upscaler is None or through == "bicubic":
        return BICUBIC
    return BESIDE if "upscaler" in recipe.trains else networks.upscaler_sha256


def _measured(context: RunContext, record: Record, bicubic_px: Sequence[int]) -> Measured | None:
    """Convert a record's figures to those of a header; `bicubic_px`: sizes at which the pair uses bicubic."""
    figures = dict(record.get("figures") or {})
    if not figures.get("by_size"):
        return None
    bicubic, upscaler = context.progress.bicubic, _trained_with(context, record)
    left = " and ".join(f"{size} px" for size in bicubic_px)
    enlarged = {BICUBIC: BICUBIC, BESIDE: "the DSR trained beside it"}.get(upscaler, context.networks.upscaler_name)
    special = context.config.recipe.role == "specialist"
    large = f", large faces by {context.networks.teacher_name}" if special else ""
    protocol = (
        f"{context.data.dataset.info.name}, val, {context.amounts.val:,} images, {context.progress.pairs}, aligned, "
        f"flip TTA off, upscaler {enlarged}"
        f"{f', bicubic at {left}' if left else ''}{large}; the validation of the training itself, which chose its best "
        "epoch by it"
    )
    return figures_of_validation(
        figures,
        protocol=protocol,
        upscaler=("" if upscaler == BESIDE else upscaler, enlarged),
        bicubic=None if upscaler == BICUBIC else bicubic,
    )


def _choose_bicubic_sizes(context: RunContext) -> None:
    """Find the sizes at which bicubic beats the best upscaler, under any degradation that was measured, and write them
    to its file."""
    folder: Path = context.folder / "best"
    best = context.progress.best or {}
    tensors = files.load_weights(folder, "upscaler")
    upscaler, validator, dsr = context.networks.upscaler, context.validator, context.networks.dsr
    if tensors is None or upscaler is None or validator is None or dsr is None:
        return
    encoder = files.load_weights(folder, "encoder")
    if encoder is not None:
        context.networks.encoder.load_state_dict(encoder)
    upscaler.load_state_dict(tensors)
    with_dsr = validator.measure(context.networks.encoder, upscaler, pixels=True)
    without = validator.measure(context.networks.encoder, None, pixels=True)
    bicubic = without.by_size
    compared = ((bicubic, with_dsr.by_size), (without.camera, with_dsr.camera))
    better = [
        size
        for size in bicubic
        if context.networks.takes(int(size))
        and any(_error(one[size]) < _error(other[size]) for one, other in compared if size in one)
    ]
    dsr["use_bicubic_px"] = [int(size) for size in better]
    # The file's figures are those of the pair in use.
    figures = dict(best.get("figures") or {})
    for name, fed in (("by_size", bicubic), ("camera", without.camera)):
        if figures.get(name):
            figures[name] = {**figures[name], **{size: fed[size] for size in better}}
    record = {**best, "figures": figures}
    rewrite_best(context, record, bicubic_px=dsr["use_bicubic_px"])
    if better:
        sizes = ", ".join(f"{size} px" for size in better)
        context.reporter.log(f"At {sizes} bicubic measures better than the trained upscaler and is used there.")


def _error(figures: dict[str, float | None]) -> float:
    known = [figures[name] for name in ("eer", "eer_vlr_vlr") if figures.get(name) is not None]
    return sum(value for value in known if value is not None) / len(known) if known else 0.0


def _report_saved(context: RunContext, which: str, run: StageRun) -> None:
    context.reporter.event(
        "checkpoint",
        which=which,
        path=f"checkpoints/{which}",
        stage=run.stage.name,
        epoch=context.progress.epoch,
        step=context.progress.step,
    )
