"""The job of the kind `diagnose`: checks and maps that take too long for a page.

config: task "embed" (embeddings of a source are kept), "map" (and laid out by t-SNE) or "check" (weights tried on a
sample of it, and a similarity that is too high explained); the fields of `Source`. For a map of the gallery: gallery
true and the fields of `space`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.diagnostics.cloud import Cloud, cloud_of_gallery
from core.diagnostics.layout import LayoutStore, tsne
from core.diagnostics.source import DiagnoseConfig, Opened, read_diagnose_config
from core.gallery.store import Gallery
from core.jobs.context import JobContext
from core.settings import Settings, load_settings

KIND = "diagnose"


def layout_store(settings: Settings) -> LayoutStore:
    """Return the cache of maps of this installation."""
    return LayoutStore(settings.data_dir / "cache" / "maps")


def run(context: JobContext) -> Mapping[str, Any]:
    """Do what the run's config says. Raises SettingsInvalid, JobStopped, and what the parts raise."""
    settings = load_settings()
    config = read_diagnose_config(context.config)
    started = time.monotonic()
    report = _check(context, config, settings) if config.task == "check" else _laid_out(context, config, settings)
    return {**report, "task": config.task, "seconds": round(time.monotonic() - started, 1)}


def _laid_out(context: JobContext, config: DiagnoseConfig, settings: Settings) -> dict[str, Any]:
    cloud, protocol = _cloud(context, config, settings)
    if config.task != "map":
        return {"text": f"{len(cloud):,} embeddings are there: {protocol}.", "key": cloud.key, "protocol": protocol}
    context.check_stop()
    store = layout_store(settings)
    context.on_event("progress", step="map", done=0, total=len(cloud))
    people = np.unique(cloud.table["identity"].to_numpy(dtype=str), return_inverse=True)[1]
    started = time.monotonic()
    layout = tsne(cloud.vectors, people.astype(np.int64), seed=config.seed)
    store.write(cloud.key, layout)
    spent = time.monotonic() - started
    context.on_event("progress", step="map", done=len(cloud), total=len(cloud))
    text = f"A t-SNE map of {len(cloud):,} points in {spent:.0f} s. {layout.line}"
    return {"text": text, "key": cloud.key, "protocol": protocol, "map_s": round(spent, 1)}


def _cloud(context: JobContext, config: DiagnoseConfig, settings: Settings) -> tuple[Cloud, str]:
    if config.space is None or not config.gallery:
        opened = Opened(config.source, settings)
        return opened.cloud(context.hooks), opened.protocol
    with Gallery.open(settings.gallery_path, create=False) as gallery:
        return cloud_of_gallery(gallery, config.space), f"the gallery, {config.space.encoder_name}"


def _check(context: JobContext, config: DiagnoseConfig, settings: Settings) -> dict[str, Any]:
    """Weights that can't tell faces apart are measured too, so nothing is built that would refuse them."""
    from core.diagnostics.causes import diagnose
    from core.diagnostics.check import check_on_faces, sample_of
    from core.encoder.encode import load_encoder
    from core.models.encoders import resolve_weights
    from core.sr.upscale import load_upscaler

    source = config.source
    context.on_event("progress", step="load", done=0, total=0)
    opened = Opened(source, settings)
    spec = source.spec
    encoder = load_encoder(resolve_weights(settings, spec.weights), device=spec.device, check=False)
    check = check_on_faces(
        encoder,
        load_upscaler(spec.upscaler, device=encoder.info.device),
        sample_of(opened.pictures, seed=source.seed),
        synthetic=opened.dataset.info.synthetic,
        on_progress=lambda name, done, total: context.on_event("progress", step=name, done=done, total=total),
        should_stop=context.should_stop,
    )
    split = f", split {source.split}" if source.split else ""
    found = diagnose(check, f"{opened.dataset.info.name}{split}")
    return {"text": found.text, "check": check.facts(), "diagnosis": found.facts()}
