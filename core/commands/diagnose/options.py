"""Helpers of the `diagnose` commands: the data set as a system embeds it, the gallery's space, and JSON output."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.commands.evaluate.options import sizes_of
from core.commands.shared.common import UsageMistake
from core.commands.shared.printing import progress, say_json
from core.jobs.context import Hooks
from core.jobs.json_values import json_value
from core.settings import load_settings

if TYPE_CHECKING:
    from core.commands.shared.pipeline_options import SystemOptions
    from core.diagnostics.cloud import Cloud
    from core.diagnostics.source import Opened
    from core.gallery.records import Space
    from core.gallery.store import Gallery


def space_of(gallery: Gallery) -> Space:
    """The space to examine, see `space_to_examine`. Raises UsageMistake for an empty gallery."""
    from core.models.active import space_to_examine

    space = space_to_examine(load_settings(), gallery)
    if space is None:
        raise UsageMistake("Nobody is enrolled yet.", "Enrol a person: edgeface-studio enroll.")
    return space


def open_source(
    dataset_root: str | None, split: str | None, sizes: str, system: SystemOptions, *, seed: int = 0
) -> Opened:
    from core.commands.evaluate.options import source_of
    from core.diagnostics.source import Opened, Source
    from core.evaluation.evaluation_spec import SystemSpec
    from core.models.encoders import resolve_weights
    from core.models.upscalers import resolve_upscaler

    root = source_of(dataset_root)
    small = tuple(size for size in sizes_of(sizes) if size is not None) if sizes.strip() else ()
    settings = load_settings()
    weights = resolve_weights(settings, system.weights)
    spec = SystemSpec(
        weights=str(weights),
        upscaler=str(resolve_upscaler(settings, system.upscaler, weights) or "bicubic"),
        use_tta=system.use_tta,
        device=system.device,
    )
    return Opened(Source(root, split, small, spec, seed=seed), settings)


def embedded(opened: Opened) -> Cloud:
    from core.evaluation.hooks import progress_events

    cloud = opened.cloud(Hooks(progress_events(counting("embedding"))))
    progress("")
    return cloud


def counting(what: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(f"{what}: {done:,} of {total:,}")


def say_json_values(value: object) -> None:
    """`value` as JSON, numbers that are none as null."""
    say_json(json_value(value))
