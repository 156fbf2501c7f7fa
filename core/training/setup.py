"""Setup of a run: its data, networks and plan, before training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from core.dataset.degrade import seed_for
from core.jobs.context import Hooks
from core.models.specialists import SPECIALIST_MAX_PX
from core.models.variants import EMBEDDING_DIM
from core.settings import Settings
from core.training import log_format
from core.training.accelerator import ProcessGroup, Runner
from core.training.array_cache import trim
from core.training.batch_split import accumulation
from core.training.checkpoint import load_state
from core.training.checkpointing import restore
from core.training.config import TrainingConfig
from core.training.data import TrainingData, open_data, validated_sizes
from core.training.dataset_loading import check_training_data, load_training_data, require_trainable
from core.training.estimate import Amounts, Speeds, estimate_s, save_speeds
from core.training.feature_cache import FeatureCache
from core.training.heads import MarginHead, Prototypes, make_head
from core.training.networks import Networks, load_networks
from core.training.progress_state import RunProgress
from core.training.reporter import Reporter
from core.training.run_context import RunContext
from core.training.run_events import ALL_PAIRS, PEOPLE_ALIKE
from core.training.stage_losses import Parts
from core.training.timing import measure_speeds
from core.training.validate import Validator


def prepare_run(
    config: TrainingConfig,
    settings: Settings,
    folder: Path,
    *,
    on_event: Callable[..., None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    group: ProcessGroup | None = None,
) -> RunContext:
    """Open the data, load the networks, and restore the last checkpoint if there is one."""
    runner = Runner(config.device, config.precision, group)
    reporter = Reporter(on_event if runner.first else None)
    hooks = Hooks(_progress_to(reporter), should_stop)
    dataset = load_training_data(config, hooks=hooks)
    findings = check_training_data(
        dataset, full=config.full_check and runner.first, hooks=Hooks(_progress_to(reporter))
    )
    require_trainable(dataset, findings, force=config.force)
    for finding in findings:
        reporter.log(f"{finding.severity}: {finding.text}")
    cache = settings.data_dir / "cache"
    pairs = all(stage.files == 1 for stage in config.recipe.stages)
    data = open_data(dataset, cache, val_limit=config.val_limit, need_pairs=pairs, hooks=hooks)
    if runner.first:
        trim(cache)
    networks = load_networks(config, settings, runner.device)
    caches = FeatureCache(cache, data, runner, reporter.progress)
    head = _make_head(config, data, networks, caches, runner)
    parts = Parts(networks.encoder, networks.upscaler, head, networks.teacher)
    sizes = validated_sizes(data, config.val_sizes_px)
    validator = None
    if data.val is not None and runner.first:
        recipe = config.recipe
        gallery = networks.teacher if recipe.role == "specialist" else None
        validator = Validator(
            data, networks, sizes, runner, reporter.progress, camera=recipe.validated_camera, gallery=gallery
        )
    views = len(sizes) * (1 if config.recipe.validated_camera is None else 2)
    amounts = Amounts(len(data.train), 0 if data.val is None else len(data.val), views)
    context = RunContext(
        config,
        settings,
        folder,
        runner,
        reporter,
        should_stop,
        data,
        networks,
        parts,
        caches,
        validator,
        RunProgress(),
        accumulation(folder, config.accumulate),
        amounts,
    )
    state = load_state(folder / "last")
    if state is not None:
        context.progress = RunProgress.from_dict(state["standing"])
        restore(context, state)
        context.resumed = state
    if validator is not None:
        validator.alike = context.progress.pairs == PEOPLE_ALIKE
    return context


def _make_head(
    config: TrainingConfig, data: TrainingData, networks: Networks, caches: FeatureCache, runner: Runner
) -> MarginHead | None:
    recipe = config.recipe
    if not recipe.wants_head:
        return None
    head = make_head(recipe.head, len(data.identities), EMBEDDING_DIM, seed_for(config.seed, "head"))
    if isinstance(head, Prototypes) and networks.teacher is not None:
        targets = torch.from_numpy(caches.teacher_targets(networks.teacher, data.train).copy())
        centres = torch.zeros(len(data.identities), EMBEDDING_DIM)
        head.fix(centres.index_add_(0, torch.from_numpy(data.train.labels), targets))
    return head.to(runner.device)


def _progress_to(reporter: Reporter) -> Callable[..., None]:
    """Forward progress events of data set functions to the run's reporter."""

    def on_event(kind: str, /, **data: Any) -> None:
        if kind == "progress":
            reporter.progress(str(data.get("step", "read")), int(data.get("done", 0)), int(data.get("total", 1)))

    return on_event


def plan_run(
    config: TrainingConfig, settings: Settings, *, on_event: Callable[..., None] | None = None
) -> dict[str, Any]:
    """Return the plan of a run with its estimated time, from a few timed steps. Only the speeds are stored."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        context = prepare_run(config, settings, Path(folder), on_event=on_event)
        speeds = measure_speeds(context)
        save_speeds(settings, config.kind, speeds)
        return make_plan(context, speeds)


def make_plan(context: RunContext, speeds: Speeds) -> dict[str, Any]:
    """Return the data of the `plan` event: stages, data, device and estimated time."""
    recipe = context.config.recipe
    data, shared = context.data, context.data.shared
    return {
        "stages": [
            {"name": s.name, "title": s.title, "epochs": s.epochs, "trains": list(s.trains)} for s in recipe.stages
        ],
        "epochs": recipe.epochs,
        "train_images": len(data.train),
        "val_images": context.amounts.val,
        "identities": len(data.identities),
        "shared_identities": shared,
        "chance": 1 / len(data.identities) if recipe.wants_head else None,
        "device": context.runner.device,
        "precision": context.runner.precision,
        "threads": torch.get_num_threads(),
        "processes": context.runner.world,
        "estimate_s": estimate_s(recipe, context.amounts, speeds),
        "upscaler": context.networks.upscaler_name,
        "encoder": context.networks.variant,
        "specialist_for": context.networks.teacher_name if recipe.role == "specialist" else None,
        "sizes_px": list(context.validator.sizes) if context.validator else [],
        "criterion": recipe.criterion,
        "pairs": context.progress.pairs if context.amounts.val else "",
    }


_PAIRS_TEXT = {
    PEOPLE_ALIKE: "Validation's error rates count people alike, however many images they have",
    ALL_PAIRS: "Validation's error rates are over all pairs, as where this run began: people with many images outweigh "
    "the others",
}


def plan_lines(plan: dict[str, Any], *, resumed: bool = False) -> list[str]:
    """Format the plan for the log."""
    space = plan.get("specialist_for")
    specialist = (
        f"A specialist for faces of up to {SPECIALIST_MAX_PX} px in the space of {space}; large ones stay there"
    )
    stages = ", ".join(f"{s['epochs']} x {s['name']} ({' + '.join(s['trains'])})" for s in plan["stages"])
    return [
        f"{'Resuming' if resumed else 'Plan:'} {plan['epochs']} epochs: {stages}",
        f"Train {plan['train_images']:,} images of {plan['identities']:,} people, val {plan['val_images']:,} images, "
        f"{plan['shared_identities']:,} people in both",
        f"Encoder {plan['encoder']}, upscaler {plan['upscaler']}, {plan['device']}, {plan['precision']}, "
        f"{plan['threads']} threads" + (f", {plan['processes']} processes" if plan["processes"] > 1 else ""),
        *([specialist] if space else []),
        *([_PAIRS_TEXT[plan["pairs"]]] if plan["pairs"] else []),
        f"About {log_format.duration(plan['estimate_s'])} in all",
    ]
