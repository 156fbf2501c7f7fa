"""The end of a run: the trained encoder averaged with the weights that it started from, and the best average kept.

Fine-tuning for small faces forgets some of what the start knew; a point on the straight line between both keeps most of
the gain and forgets less, at no cost in recognition (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR
2022). Which point is best is measured on val.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from core.jobs.errors import JobStopped
from core.models.files import read_metadata
from core.training import log_format
from core.training.average import weighted_mean
from core.training.checkpoint import FILES, load_weights
from core.training.checkpointing import rewrite_best, save_progress
from core.training.networks import freeze
from core.training.progress_state import criterion_value, is_better
from core.training.recipe import Stage
from core.training.run_context import RunContext
from core.training.validation_figures import ValidationFigures

Figures = Mapping[str, Any]
Measure = Callable[[Stage], ValidationFigures | None]


def average_with_start(context: RunContext, measure: Measure) -> None:
    """Keep the best average of the best epoch's encoder with the run's start in checkpoints/best.

    Each share w of the recipe's `average` stands for w * trained + (1 - w) * start. `measure` validates the run's
    networks as a stage does; the criterion that chose the epoch chooses the share, the larger one of equals.

    This comes after the last stage, never between two: a stage that starts from an average trains away from the start
    again. A super-resolution network and a head stay as they were trained, and the averages are measured with them.
    Every measured share is in checkpoints/last, so a resumed run goes on with the next. Raises JobStopped.
    """
    progress, runner = context.progress, context.runner
    shares, best = context.config.recipe.average, progress.best
    if not runner.broadcast(bool(shares) and best is not None and context.amounts.val > 0):
        return
    todo = runner.broadcast(untried_shares(context))
    trained = _load_best(context) if todo and runner.first else {}
    for share in todo:
        if runner.broadcast(context.should_stop()):
            raise JobStopped
        if runner.first:
            _try(context, measure, trained, share)
    if not runner.first:
        return
    assert best is not None
    share, figures = best_share(context.config.recipe.criterion, shares, best["figures"], progress.averages)
    context.reporter.log(_kept_text(context, share, figures))
    if share == 1:
        return
    progress.best = {**best, "figures": figures, "share": share}
    # Not twice: a run that was killed after this resumes from a `last` that still holds the epoch's own figures.
    if "averaged_with_start" not in read_metadata(context.folder / "best" / _encoder_file(context)):
        mean = weighted_mean((_load_best(context), context.networks.start), (share, 1 - share))
        rewrite_best(context, progress.best, encoder=mean)


def untried_shares(context: RunContext) -> list[float]:
    """Return the recipe's shares that are still to be measured, the largest first; 1 was measured as an epoch."""
    shares = set(context.config.recipe.average) - {1.0}
    return sorted((share for share in shares if str(share) not in context.progress.averages), reverse=True)


def best_share(
    criterion: str, shares: Sequence[float], trained: Figures, averages: Mapping[str, Figures | None]
) -> tuple[float, Figures]:
    """Return the share that is best by the criterion, with its figures: the trained weights' own for 1.

    Averages whose embeddings collapsed (None) are never the best; of equal ones the largest share is.
    """
    found: tuple[float, Figures] | None = None
    for share in sorted(shares, reverse=True):
        figures = trained if share == 1 else averages.get(str(share))
        if figures is not None and (found is None or is_better(criterion, figures, found[1])):
            found = share, figures
    return found or (1.0, trained)


def _try(context: RunContext, measure: Measure, trained: Mapping[str, Tensor], share: float) -> None:
    """Validate one average and save its figures with the progress."""
    progress, began = context.progress, time.monotonic()
    context.networks.encoder.load_state_dict(weighted_mean((trained, context.networks.start), (share, 1 - share)))
    stage = _best_stage(context)
    found = measure(stage)
    assert found is not None
    figures = found.event(pixels="upscaler" in stage.trains)
    collapsed = found.signals(progress.cosine_at_start, stage.losses.classification > 0).collapsed
    progress.averages[str(share)] = None if collapsed else figures
    progress.seconds += time.monotonic() - began
    context.reporter.log(f"{log_format.percent(share)} of the fine-tuned weights | {log_format.figures_text(figures)}")
    save_progress(context)


def _load_best(context: RunContext) -> dict[str, Tensor]:
    """Load the best epoch's upscaler and head into the run's networks, and return its encoder's tensors.

    All are frozen, as in a run that is resumed here: weights with a gradient can use kernels that round differently.
    """
    folder, named = context.folder / "best", context.parts.named()
    for network in named.values():
        freeze(network)
    for part in ("upscaler", "head"):
        tensors = load_weights(folder, part)
        if tensors is not None and part in named:
            named[part].load_state_dict(tensors)
    trained = load_weights(folder, context.config.recipe.role)
    assert trained is not None
    return trained


def _best_stage(context: RunContext) -> Stage:
    name = (context.progress.best or {}).get("stage")
    return next(stage for stage in context.config.recipe.stages if stage.name == name)


def _encoder_file(context: RunContext) -> str:
    return FILES[context.config.recipe.role]


def _kept_text(context: RunContext, share: float, figures: Figures) -> str:
    criterion, own = context.config.recipe.criterion, (context.progress.best or {})["figures"]
    name, value = criterion_value(criterion, figures)
    kept = f"{name.upper() if name == 'eer' else name} {log_format.number(value)}"
    if share == 1:
        return f"Kept the fine-tuned weights: no average with the starting ones is better ({kept})"
    before = log_format.number(criterion_value(criterion, own)[1])
    return (
        f"Kept {log_format.percent(share)} of the fine-tuned weights, averaged with the starting ones "
        f"({kept}, before {before})"
    )
