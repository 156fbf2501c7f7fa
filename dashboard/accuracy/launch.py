"""The form that starts an evaluation: data, weights, upscalers, sizes and protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.dataset.library import Listed
from core.errors import SettingsInvalid
from core.evaluation import run_config
from core.evaluation.evaluation_spec import BOTH_DEGRADATIONS
from core.evaluation.pairs import folds_of
from core.evaluation.pictures import group_columns
from core.jobs.launch import launch
from core.jobs.run_dir import Run
from core.models.encoders import WeightsFile
from core.settings import UNCALIBRATED_THRESHOLD
from dashboard.accuracy.data import KIND
from dashboard.accuracy.fields import (
    choose_dataset,
    choose_sizes,
    choose_upscalers,
    choose_weights,
    evaluated_weights,
    evaluation_datasets,
    photographs_and_pairs,
)
from dashboard.accuracy.labels import BENCHMARKS, DEGRADATIONS, MODE_HELP, MODES, TASKS, data_name
from dashboard.runs.form import typed_path
from dashboard.runs.list import show_run
from dashboard.shell.datasets import open_dataset
from dashboard.shell.error_display import feedback
from dashboard.shell.navigation import link
from dashboard.shell.resources import settings
from dashboard.ui.components import choose_one, empty_state

_TEXTS = {
    "dataset": "Verification, identification, open-set identification, person by person and by resolution.",
    "pairs": "Verification on the pairs of a file in LFW's format, and on every pair of its photographs.",
    "benchmark": "On your own copy of a benchmark, with its published layout and protocol.",
}


@dataclass(frozen=True)
class Further:
    """What is measured beside the chosen weights and upscalers: peers' files as typed, with flip TTA, and the direct
    feed."""

    peers: tuple[str, ...] = ()
    use_tta: bool = False
    direct_feed: bool = True


def launch_panel(*, first: bool) -> None:
    """The form, or what is missing for it and the way there. `first`: nothing has been measured yet."""
    weights = evaluated_weights()
    if weights is None:
        return
    if first:
        empty_state(
            "monitoring",
            "Nothing measured yet",
            "Choose faces with known names and press Measure. Errors by size, by threshold and by person will be shown "
            "here.",
        )
    with st.container(border=True, key="accuracy_launch"):
        _form(weights)


def _form(used: WeightsFile) -> None:
    sources = {source: TASKS[source] for source in _TEXTS}
    source = choose_one("Measure on", sources, "accuracy_source", show_label=False)
    st.caption(_TEXTS[source])
    given = _SOURCE_FIELDS[source]()
    if given is None:
        return
    left, right = st.columns(2, gap="medium")
    with left:
        weights = choose_weights(used, "accuracy_measure", several=True)
    with right:
        upscalers = choose_upscalers("accuracy_measure", several=True)
    plan: dict[str, Any] = {}
    if source != "benchmark":
        plan["sizes"] = choose_sizes("accuracy_measure")
    plan |= _protocol(source, given)
    further = _everything_else(source, given, plan)
    clicked = st.button("Measure", type="primary", icon=":material/play_arrow:", key="accuracy_start")
    link("help", "What is measured, and how to read the figures", icon=":material/help:", topic="accuracy")
    if clicked:
        with feedback() as attempt:
            run = start(source, given, plan, weights, upscalers, further)
        if attempt.ok:
            show_run(run)


def start(
    source: str,
    given: Mapping[str, Any],
    plan: Mapping[str, Any],
    weights: Sequence[str],
    upscalers: Sequence[str],
    further: Further = Further(),
) -> Run:
    """Check the settings and launch the run; paths are as typed. Raises SettingsInvalid, and as `typed_path`,
    `every_system` and `run_config` do."""
    from core.evaluation.direct_feed import with_direct_feed
    from core.evaluation.systems import every_system

    if not (weights or further.peers) or not upscalers:
        raise SettingsInvalid("There is nothing to measure.", "Choose weights and an upscaler.")
    peers = [str(typed_path(peer, "recogniser's file").resolve()) for peer in further.peers]
    systems = every_system(settings(), list(weights), list(upscalers), peers, use_tta=further.use_tta)
    systems = with_direct_feed(systems, settings()) if further.direct_feed else systems
    if source == "dataset":
        options = {name: value for name, value in given.items() if name != "root"}
        if photographs := options.pop("photographs", ""):
            options["photographs"] = typed_path(photographs)
        config = run_config.dataset_config(Path(given["root"]), systems, plan, **options)
    elif source == "pairs":
        config = run_config.pairs_config(
            typed_path(given["images"]),
            typed_path(given["pairs"], "pairs file"),
            systems,
            plan,
            folds=folds_of(str(given.get("folds") or "")),
        )
    else:
        root = typed_path(given["root"], "folder of your copy")
        config = run_config.benchmark_config(str(given["name"]), root, systems, plan)
    return launch(settings(), KIND, config, slug=f"{source}-{data_name(config)}")


def _dataset_fields() -> dict[str, Any] | None:
    sets: list[Listed] = evaluation_datasets()
    if not sets:
        return None
    chosen = choose_dataset(sets, "accuracy_measure")
    if chosen is None:
        return None
    listed, split = chosen
    return {"root": listed.root, "split": split}


def _pairs_fields() -> dict[str, Any]:
    left, right = st.columns([3, 1], gap="medium")
    images, pairs = photographs_and_pairs(
        left, photographs_key="accuracy_images_folder", pairs_key="accuracy_pairs_file"
    )
    folds = right.text_input("Folds", key="accuracy_folds", placeholder="all, or 1-7")
    return {"images": images, "pairs": pairs, "folds": folds}


def _benchmark_fields() -> dict[str, Any]:
    left, right = st.columns([1, 3], gap="medium")
    name = left.selectbox("Benchmark", list(BENCHMARKS), format_func=BENCHMARKS.__getitem__, key="accuracy_benchmark")
    root = right.text_input("Folder of your copy", key="accuracy_benchmark_folder", placeholder="/home/you/tinyface")
    return {"name": name, "root": root}


_SOURCE_FIELDS = {"dataset": _dataset_fields, "pairs": _pairs_fields, "benchmark": _benchmark_fields}


def _protocol(source: str, given: dict[str, Any]) -> dict[str, Any]:
    """Fields for modes and degradations, and for a data set's photographs if it is measured end to end."""
    if source == "benchmark":
        return {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        modes = st.pills(
            "Mode",
            list(MODES),
            selection_mode="multi",
            default=list(MODES) if source == "pairs" else ["aligned"],
            format_func=MODES.__getitem__,
            key=f"accuracy_modes_{source}",
            help=MODE_HELP,
        )
        degradations = st.pills(
            "Degradation",
            list(DEGRADATIONS) if source == "dataset" else list(DEGRADATIONS)[:2],
            selection_mode="multi",
            default=list(BOTH_DEGRADATIONS),
            format_func=DEGRADATIONS.__getitem__,
            key=f"accuracy_degradations_{source}",
            help="How probes are reduced. Camera: blur, noise, gamma and compression, sampled for each image.",
        )
    if source == "dataset" and "end to end" in modes:
        folder = st.text_input(
            "Folder with the data set's source photographs",
            key="accuracy_photographs",
            placeholder="/home/you/lfw/images",
        )
        given["photographs"] = folder.strip()
    return {"modes": list(modes), "degradations": list(degradations)}


def _everything_else(source: str, given: dict[str, Any], plan: dict[str, Any]) -> Further:
    """Fields for all other settings, written into `given` and `plan`, or returned."""
    with st.expander("Everything else", icon=":material/tune:", key="accuracy_more"):
        use_tta = st.toggle(
            "Flip: embed each face and its mirror image",
            key="accuracy_tta",
            help="Slightly more accurate, in twice the time. Recognition in this application doesn't use it.",
        )
        direct_feed = st.toggle(
            "Direct feed beside it",
            value=True,
            key="accuracy_direct_feed",
            help="Also measure each encoder fed by bicubic enlargement alone, and so the official weights that it was "
            "trained from: what super-resolution or a specialist brings.",
        )
        if source == "dataset":
            columns = st.columns(2, gap="medium")
            given["min_images"] = int(
                columns[0].number_input("Minimum images per person", 1, 1000, 1, key="accuracy_min_images")
            )
            plan["by"] = _groups(given["root"])
            plan["threshold"] = float(
                columns[1].number_input(
                    "Threshold for accepted people",
                    -1.0,
                    1.0,
                    UNCALIBRATED_THRESHOLD,
                    0.01,
                    key="accuracy_at",
                    help="The chart of people shows the share of each person's own scores that reach it.",
                )
            )
        columns = st.columns(2, gap="medium")
        plan["bootstrap"] = int(
            columns[0].number_input(
                "Resamples for the intervals", 0, 100_000, 1000, 100, key="accuracy_bootstrap", help="0: no intervals."
            )
        )
        plan["seed"] = int(columns[1].number_input("Seed", 0, 2**31 - 1, 0, key="accuracy_seed"))
        peer = st.text_input(
            "Another recogniser to compare (ONNX file, 112 px input)",
            key="accuracy_peer",
            placeholder="/home/you/model.onnx",
        )
    peers = (peer,) if peer.strip() else ()
    return Further(peers, use_tta=bool(use_tta), direct_feed=bool(direct_feed))


def _groups(root: Path) -> list[str]:
    """The columns of the data set's table by which figures are broken down; no field is shown if it has none."""
    columns = group_columns(open_dataset(root))
    if not columns:
        return []
    return st.multiselect(
        "Break figures down by",
        columns,
        key=f"accuracy_by_{root.name}",
        select_all=False,
        placeholder="For example, sex",
        help="A column of the data set's table. Each group has an interval over people; groups of fewer than "
        "20 people are marked as too small.",
    )
