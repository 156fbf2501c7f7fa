"""What the Diagnostics page looks at: a data set chosen once for all sections, its embeddings, and runs for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.dataset.layout import SPLITS
from core.dataset.library import Listed, datasets_root, list_datasets
from core.dataset.manifest import Dataset
from core.diagnostics.cloud import Cloud, outcomes
from core.diagnostics.job import KIND
from core.diagnostics.source import Opened, Source, sizes_offered
from core.errors import CoreError
from core.evaluation.systems import SystemSpec
from core.jobs.launch import launch
from core.jobs.reader import Snapshot
from core.jobs.run_dir import Run, list_runs, runs_root
from core.models.encoders import WeightsFile
from core.models.upscalers import active_upscaler
from core.system.text import count
from dashboard.runs.card import Shown, run_status
from dashboard.shell.datasets import open_dataset
from dashboard.shell.error_display import feedback, show_error
from dashboard.shell.navigation import go
from dashboard.shell.readiness import weights_in_use
from dashboard.shell.resources import settings
from dashboard.shell.session import Permission, allowed
from dashboard.shell.sign_in import not_yours
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain, shorten

STEPS = {
    "embed": "Embedding",
    "map": "Laying out the map",
    "load": "Loading the weights",
    "HR": "Faces at full size",
    **{f"{px} px": f"Faces of {px} px" for px in range(8, 113)},
}


class NotEmbedded(Exception):
    """Some pictures of a source have no kept embedding yet: `left` of them."""

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left


def weights_or_empty() -> WeightsFile | None:
    """The weights in use; where there are none, say so with the next step."""
    weights, problem = weights_in_use()
    if weights is None:
        with empty_state("memory", "No weights are in use", plain(problem.what) if problem else ""):
            if st.button("Get the weights on Home", type="primary", icon=":material/arrow_forward:"):
                go("home")
    return weights


def choose_dataset(row: DeltaGenerator, *, primary: bool = True) -> Dataset | None:
    """The data set that all sections share, chosen in `row`; an empty state where there is none. `primary`: whether the
    empty state's button is the page's main action."""
    sets = [each for each in list_datasets(datasets_root(settings())) if each.problem is None]
    if not sets:
        text = "A data set holds each face large and small. Make the demo, or take in photographs of your own."
        with empty_state("dataset", "No data set yet", text):
            if st.button(
                "Make a data set",
                type="primary" if primary else "secondary",
                icon=":material/arrow_forward:",
                key="diagnostics_to_dataset",
            ):
                go("dataset")
        return None
    by_name = {each.name: each for each in sets}
    last = st.session_state.get("diagnostics_last_set")
    if st.session_state.get("diagnostics_set") not in by_name:
        st.session_state["diagnostics_set"] = last if last in by_name else next(iter(by_name))
    name = row.selectbox(
        "Data set", list(by_name), key="diagnostics_set", width=260, format_func=lambda each: _label(by_name[each])
    )
    st.session_state["diagnostics_last_set"] = name  # for who comes back to the page
    return open_dataset(by_name[name].root)


def choose_split(dataset: Dataset) -> str | None:
    """One of its splits, None for all of them."""
    splits = [split for split in SPLITS if (dataset.frame["split"] == split).any()]
    if len(splits) < 2:
        return None
    return st.segmented_control("Split", splits, key="diagnostics_split", help="None chosen: all of them.")


def choose_sizes(dataset: Dataset) -> tuple[int, ...]:
    """Small sizes beside full size."""
    offered = sizes_offered(dataset)
    chosen = st.pills(
        "Small faces beside full size",
        offered,
        selection_mode="multi",
        key="diagnostics_sizes",
        format_func=lambda px: f"{px} px",
    )
    return tuple(sorted((int(px) for px in chosen), reverse=True))


def source_for(dataset: Dataset, split: str | None, sizes: Sequence[int], weights: WeightsFile) -> Source:
    """That data set as the weights and the upscaler in use see it. Raises UpscalerUnusable, SettingsInvalid."""
    upscaler = active_upscaler(settings())
    spec = SystemSpec(weights=str(weights.path), upscaler=str(upscaler.path or upscaler.name))
    return Source(str(dataset.root), split, tuple(sizes), spec)


def source_opened(source: Source, dataset: Dataset, weights: WeightsFile) -> Opened:
    """The source with its pictures listed. Raises SettingsInvalid and what `open_system` raises."""
    return _source(source, dataset.key, weights.sha256, dataset)


def cloud_of(source: Source, dataset: Dataset, weights: WeightsFile) -> Cloud:
    """Its embeddings, all of them kept before. Raises NotEmbedded, and what `Opened` raises."""
    upscaler = active_upscaler(settings()).sha256
    return _cloud(source, dataset.key, weights.sha256, upscaler, source_opened(source, dataset, weights))


@st.cache_resource(max_entries=4, show_spinner="Listing the pictures")
def _source(source: Source, key: str, weights_sha256: str, _dataset: Dataset) -> Opened:
    return Opened(source, settings(), _dataset)


@st.cache_resource(max_entries=3, show_spinner="Reading the kept embeddings")
def _cloud(source: Source, key: str, weights_sha256: str, upscaler_sha256: str, _opened: Opened) -> Cloud:
    left = _opened.missing()
    if left:
        raise NotEmbedded(left)
    return _opened.cloud()


def outcomes_of(cloud: Cloud) -> pd.DataFrame:
    """What came of searching each point among the others, a row each (see `core.diagnostics.cloud.outcomes`)."""
    return _outcomes(cloud.key, cloud)


@st.cache_data(max_entries=4, show_spinner="Searching each face among the others")
def _outcomes(key: str, _cloud: Cloud) -> pd.DataFrame:
    return outcomes(_cloud)


def embedded_or_offer(dataset: Dataset, sizes: Sequence[int], weights: WeightsFile, split: str | None) -> Cloud | None:
    """The source's embeddings; where some are missing, the offer to make them, or the run that does."""
    source = source_for(dataset, split, sizes, weights)
    try:
        return cloud_of(source, dataset, weights)
    except NotEmbedded as missing:
        _offer(source, missing.left, weights)
        return None


def _offer(source: Source, left: int, weights: WeightsFile) -> None:
    config = source.config(task="embed", weights_sha256=weights.sha256)
    if run_panel(config, "Embedding faces", unit="images"):
        return
    with st.container(border=True, key="diagnostics_embed_offer"):
        st.markdown(f"#### :material/grid_view: {count(left, 'image')} to embed first")
        if not allowed(Permission.RUN):
            not_yours("Embedding them")
            return
        st.markdown(
            f"Each face becomes 512 numbers by {plain(weights.name)}. They are kept, so this is done once; it goes on "
            "when this page is closed."
        )
        if st.button("Embed them", type="primary", icon=":material/play_arrow:", key="diagnostics_embed"):
            begin(config)


def begin(config: Mapping[str, Any]) -> None:
    """Start a run of this page and draw the page anew; what goes wrong is said."""
    slug = "gallery" if config.get("gallery") else Path(str(config.get("dataset") or "faces")).name
    with feedback() as attempt:
        launch(settings(), KIND, dict(config), slug=f"{config['task']}-{slug}")
    if attempt.ok:
        st.rerun()


def run_panel(config: Mapping[str, Any], title: str, *, unit: str = "faces", done_too: bool = False) -> bool:
    """Show the latest run with this config while it is at work, or ended without being done; True when it is shown."""
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
    run_status(run, Shown(title, unit=unit, steps=STEPS, on_end=_say_end, removal="What it embedded is kept."))
    return True


def latest_run(config: Mapping[str, Any]) -> Run | None:
    """The newest run of this page's kind whose config holds all of `config`; None where there is none."""
    for run in list_runs(runs_root(settings()), KIND):
        with suppress(CoreError):  # removed since it was listed, or damaged
            found = run.config
            if all(found.get(name) == value for name, value in config.items()):
                return run
    return None


def _say_end(snapshot: Snapshot) -> None:
    if snapshot.state.status == "done":
        st.session_state["diagnostics_said"] = str((snapshot.run.report or {}).get("text", ""))


def _label(listed: Listed) -> str:
    drawn = ", drawn" if listed.info is not None and listed.info.synthetic else ""
    return f"{shorten(listed.name, 40)}{drawn}"
