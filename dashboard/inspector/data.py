"""The Inspector's data: pictures, people to search among and surveys, cached until their inputs change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.dataset.manifest import Dataset
from core.evaluation.pictures import Picture, pictures_of_dataset
from core.inspection.reference import Reference, reference_of_index
from core.jobs.errors import JobStopped
from core.models.encoders import WeightsFile
from core.models.encoders import scan as scan_weights
from core.models.upscalers import UpscalerFile
from core.models.upscalers import scan as scan_upscalers
from core.system.server_address import may_be_there
from dashboard.shell.resources import settings

if TYPE_CHECKING:
    from core.inspection.contact import Tile
    from core.inspection.subject import Reduction
    from core.pipeline import Pipeline
    from core.sr.upscale import Upscaler

Progress = Callable[[int, int], None]


def pictures_in(dataset: Dataset, split: str | None) -> list[Picture]:
    """The HR images of a data set, of one split or all. Don't modify the result. Raises SettingsInvalid."""
    return _pictures(str(dataset.root), dataset.key, split, dataset)


@st.cache_resource(max_entries=4, show_spinner="Reading the data set's table")
def _pictures(root: str, key: str, split: str | None, _dataset: Dataset) -> list[Picture]:
    return pictures_of_dataset(_dataset, split)


def gallery_reference(pipeline: Pipeline) -> Reference:
    """The people of the gallery whose templates these weights can search."""
    return _gallery(pipeline.fingerprint, pipeline)


@st.cache_resource(max_entries=4, show_spinner=False)
def _gallery(fingerprint: str, _pipeline: Pipeline) -> Reference:
    return reference_of_index(_pipeline.gallery.store.index(_pipeline.space))


def dataset_reference(
    pipeline: Pipeline, pictures: Sequence[Picture], label: str, on_progress: Progress | None = None
) -> Reference | None:
    """The HR images as people to search among. Missing embeddings are made where `on_progress` is given; otherwise they
    make the result None."""
    key = (pipeline.made_by, _of(pictures), label)
    kept: dict[object, Reference] = _references()
    if key not in kept:
        from core.inspection.survey import reference_of_dataset

        try:
            kept[key] = reference_of_dataset(
                pipeline, settings(), pictures, label, on_progress=on_progress, should_stop=_stop_unless(on_progress)
            )
        except JobStopped:
            return None
        while len(kept) > 4:
            kept.pop(next(iter(kept)))
    return kept[key]


def survey_of(
    pipeline: Pipeline,
    pictures: Sequence[Picture],
    reduction: Reduction,
    reference: Reference,
    on_progress: Progress | None = None,
) -> pd.DataFrame | None:
    """The figures of many faces. Missing ones are measured where `on_progress` is given; otherwise they make the result
    None. Don't modify it."""
    key = (
        pipeline.made_by,
        _of(pictures),
        reduction.size_px,
        reduction.degradation,
        reduction.seed,
        str(reduction.params),
        reference.label,
    )
    kept: dict[object, pd.DataFrame] = _surveys()
    if key not in kept:
        from core.inspection.survey import default_figure_cache, survey

        try:
            kept[key] = survey(
                pipeline,
                pictures,
                reduction,
                reference,
                store=default_figure_cache(settings()),
                on_progress=on_progress,
                should_stop=_stop_unless(on_progress),
            )
        except JobStopped:
            return None
        while len(kept) > 8:
            kept.pop(next(iter(kept)))
    return kept[key]


def tiles_of(pipeline: Pipeline, pictures: Sequence[Picture], reduction: Reduction) -> list[Tile]:
    """The pictures of a contact sheet, cached until faces, size or weights change."""
    return _tiles((pipeline.made_by, _of(pictures), str(reduction)), pipeline, pictures, reduction)


@st.cache_resource(max_entries=3, show_spinner="Enlarging the faces of the sheet")
def _tiles(
    key: tuple[object, ...], _pipeline: Pipeline, _pictures: Sequence[Picture], _reduction: Reduction
) -> list[Tile]:
    from core.inspection.contact import tiles

    return tiles(_pipeline, _pictures, _reduction)


def encoders() -> list[WeightsFile]:
    """The stored encoder weights."""
    return scan_weights(settings())


def upscalers() -> list[UpscalerFile]:
    """The stored DSR networks."""
    return scan_upscalers(settings())


def with_network(pipeline: Pipeline, network: UpscalerFile) -> Pipeline:
    """The same pipeline with a DSR network in its upscaler's place. Raises UpscalerUnusable."""
    from core.pipeline import Pipeline as Joined

    upscaler = _network(network.sha256, str(network.path))
    return Joined(
        pipeline.config, pipeline.encoder, upscaler, pipeline.detector, pipeline.gallery.store, pipeline.attack_check
    )


@st.cache_resource(max_entries=2, show_spinner="Loading the super-resolution network")
def _network(sha256: str, path: str) -> Upscaler:
    from core.sr.upscale import load_upscaler

    return load_upscaler(path)


def other_pipeline(weights: WeightsFile, upscaler: UpscalerFile | None) -> Pipeline:
    """A pipeline of other weights with the same gallery. Raises what the loaders raise."""
    path = str(upscaler.path) if upscaler is not None else "bicubic"
    shas = (weights.sha256, upscaler.sha256 if upscaler is not None else "")
    return _other(shas, str(weights.path), path, str(settings().gallery_path))


@st.cache_resource(
    max_entries=2, show_spinner="Loading the other weights", on_release=lambda p: p.gallery.store.close()
)
def _other(sha256s: tuple[str, str], weights: str, upscaler: str, gallery_path: str) -> Pipeline:
    from core.pipeline import PipelineConfig, build_pipeline

    gallery = gallery_path if may_be_there(gallery_path) else None
    return build_pipeline(PipelineConfig(weights=weights, upscaler=upscaler, gallery_path=gallery, check_attacks=False))


def _stop_unless(on_progress: Progress | None) -> Callable[[], bool] | None:
    """Work is done only where progress is shown; otherwise the first missing item stops it."""
    return None if on_progress is not None else lambda: True


def _of(pictures: Sequence[Picture]) -> tuple[int, int]:
    """A cache key for these pictures in this order."""
    return len(pictures), hash(tuple((picture.sha256, picture.identity) for picture in pictures))


@st.cache_resource(show_spinner=False)
def _references() -> dict[object, Reference]:
    return {}


@st.cache_resource(show_spinner=False)
def _surveys() -> dict[object, pd.DataFrame]:
    return {}
