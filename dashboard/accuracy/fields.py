"""Form fields that measuring and calibrating share: data set and split, weights, upscalers, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.dataset.library import Listed
from core.models.encoders import WeightsFile
from core.system.text import count
from dashboard.accuracy.labels import SIZES, size_name
from dashboard.runs.form import datasets_or_empty_state, upscaler_labels, weights_labels, weights_or_empty_state
from dashboard.shell.error_display import show_error
from dashboard.ui.markdown import shorten

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

SPLITS = ("test", "val", "train")
EVERYTHING = "everything"


def evaluation_datasets() -> list[Listed]:
    """The data sets on this machine; without any, the way to make one."""
    reason = "Accuracy is measured on faces with known names, ideally of people who aren't in the training data."
    return datasets_or_empty_state("accuracy", reason)


def evaluated_weights() -> WeightsFile | None:
    """The weights in use; without any, the way to get them."""
    return weights_or_empty_state("accuracy", "Accuracy is measured for weights.")


def choose_dataset(sets: Sequence[Listed], key: str) -> tuple[Listed, str | None] | None:
    """A data set and its split (None: all of it); None if the chosen data set can't be read."""
    by_name = {each.name: each for each in sets}
    left, right = st.columns([3, 2], gap="medium")
    name = left.selectbox("Data set", list(by_name), key=f"{key}_dataset", format_func=lambda n: _label(by_name[n]))
    listed = by_name[str(name)]
    if listed.info is None:
        if listed.problem is not None:
            show_error(listed.problem)
        return None
    splits = listed.info.counts.get("splits", {})
    there = [side for side in SPLITS if int(splits.get(side, {}).get("hr", 0))]
    if not there:
        return listed, None
    chosen = right.selectbox(
        "People",
        [*there, EVERYTHING],
        key=f"{key}_split_{listed.name}",
        format_func=lambda side: _split_label(side, splits),
        help="Choose a split that wasn't used in training; otherwise the figures are optimistic.",
    )
    return listed, None if chosen == EVERYTHING else str(chosen)


def choose_weights(used: WeightsFile, key: str, *, several: bool) -> list[str]:
    """Paths of the weights to measure; the default is those in use."""
    return _choose("Weights", weights_labels(used), f"{key}_weights", several=several)


def choose_upscalers(key: str, *, several: bool) -> list[str]:
    """Paths, or "bicubic"; the default is the one in use. Raises UpscalerUnusable."""
    return _choose("Upscalers" if several else "Upscaler", upscaler_labels(), f"{key}_upscalers", several=several)


def _choose(title: str, labels: dict[str, str], key: str, *, several: bool) -> list[str]:
    if not several:
        return [str(st.selectbox(title, list(labels), format_func=labels.__getitem__, key=key))]
    return st.multiselect(
        title,
        list(labels),
        default=list(labels)[:1],
        format_func=labels.__getitem__,
        key=key,
        placeholder="Choose one or more",
        select_all=False,
    )


def choose_sizes(key: str, options: Sequence[int | None] = SIZES) -> list[Any]:
    """Probe sizes, None for HR; the default is HR and the three VLR sizes."""
    chosen = st.pills(
        "Probe sizes",
        options,
        selection_mode="multi",
        default=[s for s in options if s in (None, 32, 24, 16)],
        format_func=size_name,
        key=f"{key}_sizes",
    )
    return [size for size in options if size in chosen]


def _label(listed: Listed) -> str:
    if listed.info is None:
        return f"{shorten(listed.name, 40)} (can't be read)"
    people = count(int(listed.info.counts.get("identities", 0)), "person", "people")
    return f"{shorten(listed.name, 40)} ({people}{', synthetic' if listed.info.synthetic else ''})"


def _split_label(side: str, splits: dict[str, Any]) -> str:
    if side == EVERYTHING:
        return "Everyone"
    found = splits.get(side, {})
    return f"{side}: {count(int(found.get('hr', 0)), 'image')}"


def photographs_and_pairs(place: DeltaGenerator, *, photographs_key: str, pairs_key: str) -> tuple[str, str]:
    """The folder of photographs and the pairs file, as typed."""
    photographs = place.text_input(
        "Folder of photographs",
        key=photographs_key,
        placeholder="/home/you/lfw/images",
        help="One folder per person: Name/Name_0001.jpg.",
    )
    return photographs, place.text_input("Pairs file", key=pairs_key, placeholder="/home/you/lfw/pairs.txt")
