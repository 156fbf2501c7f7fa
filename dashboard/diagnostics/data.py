"""The data of the Diagnostics page: a data set shared by all sections, its embeddings, runs, and the gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.dataset.layout import SPLITS
from core.dataset.library import Listed, datasets_root, list_datasets
from core.dataset.manifest import Dataset
from core.diagnostics.cloud import Cloud, cloud_of_gallery, outcomes
from core.diagnostics.gallery_health import examine
from core.diagnostics.gallery_troubles import GalleryHealth
from core.diagnostics.job import KIND
from core.diagnostics.source import Opened, Source, diagnose_config, sizes_offered
from core.errors import CoreError
from core.evaluation.evaluation_spec import SystemSpec
from core.gallery.errors import IdentityNotFound
from core.gallery.records import Space
from core.gallery.store import Gallery, Revision
from core.jobs.launch import launch
from core.jobs.reader import Snapshot
from core.jobs.run_dir import Run, list_runs, runs_root
from core.models.active import space_to_examine
from core.models.encoders import WeightsFile
from core.models.upscalers import active_upscaler
from core.system.text import count
from dashboard.runs.card import RunCard, show_run_card
from dashboard.shell.datasets import open_dataset
from dashboard.shell.error_display import feedback, show_error
from dashboard.shell.navigation import go, step_button
from dashboard.shell.readiness import weights_in_use
from dashboard.shell.resources import gallery, settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain, shorten
from dashboard.ui.pictures import image_address

STEPS = {
    "embed": "Embedding",
    "map": "Computing the map",
    "load": "Loading the weights",
    "HR": "Faces at full size",
    **{f"{px} px": f"Faces of {px} px" for px in range(8, 113)},
}


class NotEmbedded(Exception):
    """`left` pictures of a source haven't been embedded yet."""

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left


def weights_or_empty() -> WeightsFile | None:
    """The weights in use, or None with an empty state that names the next step."""
    weights, problem = weights_in_use()
    if weights is None:
        with empty_state("memory", "No weights are in use", plain(problem.what) if problem else ""):
            step_button("home", "Get the weights on Home")
    return weights


def choose_dataset(row: DeltaGenerator) -> Dataset | None:
    """The data set shared by all sections, selected in `row`, or None with an empty state."""
    sets = [each for each in list_datasets(datasets_root(settings())) if each.problem is None]
    if not sets:
        text = "A data set contains every face large and small. Create the demo, or import your own photographs."
        with empty_state("dataset", "No data set yet", text):
            step_button("dataset", "Create a data set", key="diagnostics_to_dataset")
        return None
    by_name = {each.name: each for each in sets}
    last = st.session_state.get("diagnostics_last_set")
    if st.session_state.get("diagnostics_set") not in by_name:
        st.session_state["diagnostics_set"] = last if last in by_name else next(iter(by_name))
    name = row.selectbox(
        "Data set", list(by_name), key="diagnostics_set", width=260, format_func=lambda each: _label(by_name[each])
    )
    st.session_state["diagnostics_last_set"] = name  # for the next visit to the page
    return open_dataset(by_name[name].root)


def choose_split(dataset: Dataset) -> str | None:
    """One of its splits, or None for all."""
    splits = [split for split in SPLITS if (dataset.frame["split"] == split).any()]
    if len(splits) < 2:
        return None
    return st.segmented_control("Split", splits, key="diagnostics_split", help="All splits if none is selected.")


def _choose_sizes(dataset: Dataset) -> tuple[int, ...]:
    """The small sizes to include besides full size."""
    offered = sizes_offered(dataset)
    chosen = st.pills(
        "Include small faces of",
        offered,
        selection_mode="multi",
        key="diagnostics_sizes",
        format_func=lambda px: f"{px} px",
    )
    return tuple(sorted((int(px) for px in chosen), reverse=True))


def source_for(dataset: Dataset, split: str | None, sizes: Sequence[int], weights: WeightsFile) -> Source:
    """The data set as embedded by the weights and upscaler in use. Raises UpscalerUnusable, SettingsInvalid."""
    upscaler = active_upscaler(settings())
    spec = SystemSpec(weights=str(weights.path), upscaler=str(upscaler.path or upscaler.name))
    return Source(str(dataset.root), split, tuple(sizes), spec)


@st.cache_resource(max_entries=4, show_spinner="Listing the pictures")
def _source(source: Source, key: str, weights_sha256: str, _dataset: Dataset) -> Opened:
    return Opened(source, settings(), _dataset)


@st.cache_resource(max_entries=3, show_spinner="Reading the embeddings")
def _cloud(source: Source, key: str, weights_sha256: str, upscaler_sha256: str, _opened: Opened) -> Cloud:
    left = _opened.missing()
    if left:
        raise NotEmbedded(left)
    return _opened.cloud()


def outcomes_of(cloud: Cloud) -> pd.DataFrame:
    """The outcome of searching each point among the others, one row each (see `core.diagnostics.cloud.outcomes`)."""
    return _outcomes(cloud.key, cloud)


@st.cache_data(max_entries=4, show_spinner="Searching each face among the others")
def _outcomes(key: str, _cloud: Cloud) -> pd.DataFrame:
    return outcomes(_cloud)


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of a data set's faces by the weights in use. `config` identifies them in a run's configuration."""

    cloud: Cloud
    protocol: str
    weights: WeightsFile
    config: dict[str, Any]


def choose_embeddings(row: DeltaGenerator) -> Embeddings | None:
    """Show the choice of data set, split and sizes in `row`, and return the embeddings; None with the next step shown
    where something is missing."""
    weights = weights_or_empty()
    dataset = choose_dataset(row) if weights is not None else None
    if weights is None or dataset is None:
        return None
    with row:
        split = choose_split(dataset)
        sizes = _choose_sizes(dataset)
    source = source_for(dataset, split, sizes, weights)
    opened = _source(source, dataset.key, weights.sha256, dataset)
    try:
        cloud = _cloud(source, dataset.key, weights.sha256, active_upscaler(settings()).sha256, opened)
    except NotEmbedded as missing:
        _offer(source, missing.left, weights)
        return None
    config = diagnose_config("map", source, weights_sha256=weights.sha256, manifest=dataset.key)
    return Embeddings(cloud, opened.protocol, weights, config)


def _offer(source: Source, left: int, weights: WeightsFile) -> None:
    config = diagnose_config("embed", source, weights_sha256=weights.sha256)
    if run_panel(config, "Embedding faces", unit="images"):
        return
    with st.container(border=True, key="diagnostics_embed_offer"):
        st.markdown(f"#### :material/grid_view: {count(left, 'image')} to embed first")
        if not allowed(Permission.RUN):
            not_yours("Embedding them")
            return
        st.markdown(
            f"Each face is embedded by {plain(weights.name)}. Embeddings are stored, so this is done only once. It "
            "continues if you close this page."
        )
        if st.button("Embed the faces", type="primary", icon=":material/play_arrow:", key="diagnostics_embed"):
            begin(config)


def begin(config: Mapping[str, Any]) -> None:
    """Start a run of this page and rerun the page; an error is shown."""
    slug = "gallery" if config.get("gallery") else Path(str(config.get("dataset") or "faces")).name
    with feedback() as attempt:
        launch(settings(), KIND, dict(config), slug=f"{config['task']}-{slug}")
    if attempt.ok:
        st.rerun()


def run_panel(config: Mapping[str, Any], title: str, *, unit: str = "faces", done_too: bool = False) -> bool:
    """Show the latest run with this config unless it is done; True where it is shown."""
    run = latest_run(config)
    if run is None:
        return False
    try:
        status = run.state().status
    except CoreError as error:
        show_error(error)
        return False
    if status == "done" and not done_too:
        return False
    show_run_card(run, RunCard(title, unit=unit, steps=STEPS, on_end=_say_end, removal="Its embeddings are kept."))
    return True


def latest_run(config: Mapping[str, Any]) -> Run | None:
    """The newest run of this page's kind whose configuration includes all of `config`, or None."""
    for run in list_runs(runs_root(settings()), KIND):
        with suppress(CoreError):  # removed in the meantime, or damaged
            found = run.config
            if all(found.get(name) == value for name, value in config.items()):
                return run
    return None


def _say_end(snapshot: Snapshot) -> None:
    if snapshot.state.status == "done":
        st.session_state["diagnostics_said"] = str((snapshot.run.report or {}).get("text", ""))


def _label(listed: Listed) -> str:
    synthetic = ", synthetic" if listed.info is not None and listed.info.synthetic else ""
    return f"{shorten(listed.name, 40)}{synthetic}"


def nobody_enrolled(icon: str, text: str) -> None:
    """Show an empty state for an empty gallery; `text` says what will be shown."""
    with empty_state(icon, "Nobody is enrolled yet", text):
        if allowed(Permission.ENROL) and st.button(
            "Enrol a person", type="primary", icon=":material/person_add:", key=f"diagnostics_enrol_{icon}"
        ):
            go("enroll")


def health_space() -> Space | None:
    """The space to examine, see `core.models.active.space_to_examine`; None where the gallery is empty."""
    return space_to_examine(settings(), gallery())


def gallery_cloud(space: Space) -> Cloud:
    """The templates of the space. Raises SettingsInvalid where there are none."""
    store = gallery()
    return _gallery_cloud(str(store.path), store.revision, repr(space), store, space)


@st.cache_resource(max_entries=2, show_spinner="Reading the gallery's templates")
def _gallery_cloud(path: str, version: Revision, space_name: str, _store: Gallery, _space: Space) -> Cloud:
    return cloud_of_gallery(_store, _space)


def health_of(space: Space, threshold: float) -> GalleryHealth:
    """The findings about the gallery. Raises GalleryError."""
    store = gallery()
    return _health(str(store.path), store.revision, repr(space), threshold, store, space)


@st.cache_resource(max_entries=2, show_spinner="Comparing all people with one another")
def _health(
    path: str, version: Revision, space_name: str, threshold: float, _store: Gallery, _space: Space
) -> GalleryHealth:
    return examine(_store, _space, threshold=threshold)


def crop_address(person: int, template: int) -> str | None:
    """A stored crop as an address for <img>; None where there is none."""
    store = gallery()
    return _crops(str(store.path), store.revision, person, store).get(template)


@st.cache_data(max_entries=300, show_spinner=False)
def _crops(path: str, version: Revision, person: int, _store: Gallery) -> dict[int, str]:
    try:
        return {each.id: image_address(each.crop) for each in _store.templates(person) if each.crop}
    except IdentityNotFound:
        return {}
