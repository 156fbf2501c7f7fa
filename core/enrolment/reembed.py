"""The job "reembed": new templates from the stored crops, for other weights or another upscaler.

New templates are stored beside the old ones in small transactions; one transaction removes the old ones at the end. If
it is killed, the gallery is complete, and the next start continues: finished photographs are recognised. People without
stored crops keep their templates and are reported by number, since names have no place in a run's records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.gallery.records import NewTemplate, StoredTemplate
from core.gallery.store import Gallery
from core.gallery.template_replacement import (
    plan_replacement,
    read_sources,
    remove_replaced,
    store_replacements,
)
from core.images import read_image, resize
from core.jobs.context import NO_HOOKS, JobContext
from core.settings import CROP_PX, Settings, load_settings
from core.system.text import count

if TYPE_CHECKING:
    from core.pipeline import Pipeline

KIND = "reembed"
BATCH = 32
_PROGRESS_EVERY_S = 0.5

OnEvent = Callable[..., None]


class ReembedRefused(CoreError):
    """The weights have changed since the run was started."""

    help_topic = "other-weights"


@dataclass(frozen=True)
class Reembedded:
    """The result of a re-embedding. `made` templates were stored, `removed` old ones removed, `unreadable` crops
    skipped. `enrol_again` are the numbers of people who can't be found with these weights and have no usable crop.
    """

    made: int
    removed: int
    unreadable: int
    enrol_again: tuple[int, ...]
    seconds: float

    @property
    def text(self) -> str:
        lost = f" {len(self.enrol_again)} to be enrolled again: no usable crop is stored." if self.enrol_again else ""
        return f"{count(self.made, 'template')} made, {self.removed:,} of other weights removed.{lost}"


def job_config(
    settings: Settings,
    *,
    weights: str | Path | None = None,
    upscaler: str | Path | None = None,
    gallery_path: Path | str | None = None,
    use_tta: bool = False,
    keep_old: bool = False,
    device: str = "auto",
) -> dict[str, Any]:
    """The config of a run for the weights and the upscaler named (default: those in use), resolved and with hashes.

    Raises WeightsMissing, UpscalerUnusable, StorageFailed, SettingsInvalid.
    """
    from core.models.encoders import describe, resolve_weights
    from core.models.upscalers import upscaler_for

    file = describe(resolve_weights(settings, weights))
    enlarger = upscaler_for(settings, file, upscaler)
    return {
        "gallery": str(gallery_path or settings.gallery_path),
        "weights": str(file.path),
        "weights_sha256": file.sha256,
        "upscaler": str(enlarger.path or enlarger.name),
        "upscaler_sha256": enlarger.sha256,
        "use_tta": use_tta,
        "keep_old": keep_old,
        "device": device,
    }


def run(context: JobContext) -> Mapping[str, Any]:
    """The job: config as `job_config` makes it. Raises ReembedRefused when the weights changed since the start."""
    from core.pipeline import PipelineConfig, build_pipeline

    config = context.config
    context.on_event("loading", title=Path(config["weights"]).stem)
    pipeline = build_pipeline(
        PipelineConfig(
            device=config["device"],
            use_tta=config["use_tta"],
            weights=config["weights"],
            upscaler=config["upscaler"],
            gallery_path=config["gallery"],
        ),
        load_settings(),
    )
    with pipeline.gallery.store as store:
        asked = (config["weights_sha256"], config["upscaler_sha256"])
        if (pipeline.space.weights_sha256, pipeline.space.upscaler) != asked:
            raise ReembedRefused(
                "The weights have changed since this re-embedding was started.", "Start another for the ones in use."
            )
        done = reembed(
            pipeline, store, keep_old=config["keep_old"], on_event=context.on_event, check_stop=context.check_stop
        )
    return {**vars(done), "text": done.text}


def reembed(
    pipeline: Pipeline,
    gallery: Gallery,
    *,
    keep_old: bool = False,
    on_event: OnEvent | None = None,
    check_stop: Callable[[], None] | None = None,
) -> Reembedded:
    """Make templates for the pipeline's space from every stored crop that has none there, and remove those replaced.

    `keep_old` keeps them. `check_stop` may raise to end early. Raises GalleryError, StorageFailed.
    """
    emit, stop_if_asked = on_event or NO_HOOKS.on_event, check_stop or NO_HOOKS.check_stop
    started, space = time.monotonic(), pipeline.space
    plan = plan_replacement(gallery, space)
    emit("plan", photographs=plan.photographs, people=plan.people, enrol_again=len(plan.enrol_again))
    made = done = 0
    unreadable: list[int] = []
    reported_at = 0.0
    while done < plan.photographs:
        stop_if_asked()
        sources = read_sources(gallery, plan.sources[done : done + BATCH])
        usable = [(source, crop) for source in sources if (crop := _crop(source)) is not None]
        unreadable += [source.identity_id for source in sources if all(source is not each for each, _ in usable)]
        made += store_replacements(gallery, _embedded(pipeline, usable), space)
        done = min(done + BATCH, plan.photographs)
        if time.monotonic() - reported_at >= _PROGRESS_EVERY_S or done == plan.photographs:
            reported_at = time.monotonic()
            emit("progress", **_progress(done, plan.photographs, reported_at - started))
    stop_if_asked()
    removed = 0 if keep_old else remove_replaced(gallery, space)
    again = tuple(person.id for person in gallery.identities(space=space) if person.in_space == 0)
    return Reembedded(made, removed, len(unreadable), again, round(time.monotonic() - started, 2))


def _embedded(
    pipeline: Pipeline, usable: Sequence[tuple[StoredTemplate, NDArray[np.uint8]]]
) -> list[tuple[StoredTemplate, NewTemplate]]:
    if not usable:
        return []
    crops = [_as_encoded(pipeline, source, crop) for source, crop in usable]
    vectors = pipeline.encode(crops, [source.probe_px for source, _ in usable])
    return [
        (source, replace(source.as_new(), vector=vector)) for (source, _), vector in zip(usable, vectors, strict=True)
    ]


def _as_encoded(pipeline: Pipeline, source: StoredTemplate, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the encoder is to see: the crop, which was cut at 112 px in one step; super-resolved where the upscaler
    does that."""
    if source.kind == "hr" or not pipeline.upscaler.route(source.probe_px).network:
        return crop
    result: NDArray[np.uint8] = pipeline.upscaler.super_resolve([crop])[0]
    return result


def _crop(source: StoredTemplate) -> NDArray[np.uint8] | None:
    """The stored picture at 112 px; None when it can't be read or isn't square."""
    if source.crop is None:
        return None
    try:
        rgb = read_image(source.crop)
    except CoreError:  # damaged, or larger than any crop
        return None
    if rgb.shape[0] != rgb.shape[1]:
        return None
    return rgb if rgb.shape[0] == CROP_PX else resize(rgb, CROP_PX)


def _progress(done: int, total: int, seconds: float) -> dict[str, Any]:
    rate = done / seconds if seconds > 0 else 0.0
    left = (total - done) / rate if rate else None
    return {
        "step": "embed",
        "done": done,
        "total": total,
        "share": done / total,
        "per_second": round(rate, 1),
        "left_s": None if left is None else round(left, 1),
    }
