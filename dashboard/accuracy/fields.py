"""The fields that measuring and calibrating share: data set and split, weights, upscalers, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.dataset.library import Listed, datasets_root, list_datasets
from core.models import encoders, upscalers
from core.models.encoders import WeightsFile
from core.sr.upscale import BICUBIC
from core.system.text import count
from dashboard.accuracy.labels import SIZES, size_name
from dashboard.shell.error_display import show_error
from dashboard.shell.navigation import go
from dashboard.shell.readiness import weights_in_use
from dashboard.shell.resources import settings
from dashboard.ui.components import empty_state
from dashboard.ui.markdown import plain, shorten

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

SPLITS = ("test", "val", "train")
EVERYTHING = "everything"


def weights_or_way() -> WeightsFile | None:
    """The weights in use; without any says how to get them."""
    weights, problem = weights_in_use()
    if weights is None:
        text = f"{plain(problem.what) if problem else ''} Accuracy is measured of weights, and Home gets them."
        with empty_state("download", "First, EdgeFace needs its weights", text):
            if st.button(
                "Get the weights on Home", type="primary", icon=":material/arrow_forward:", key="accuracy_home"
            ):
                go("home")
    return weights


def datasets_or_way() -> list[Listed]:
    """The data sets that are here; without any says how to make one."""
    sets = list_datasets(datasets_root(settings()))
    if not sets:
        text = "Accuracy is measured on faces with known names, best of people who took no part in training."
        with empty_state("dataset", "No data set yet", text):
            if st.button("Make a data set", type="primary", icon=":material/arrow_forward:", key="accuracy_to_dataset"):
                go("dataset")
    return sets


def choose_dataset(sets: Sequence[Listed], key: str) -> tuple[Listed, str | None] | None:
    """A data set and the split to take (None: everything); None where the chosen one can't be read."""
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
        help="Take a split that took no part in training: everything else flatters.",
    )
    return listed, None if chosen == EVERYTHING else str(chosen)


def choose_weights(used: WeightsFile, key: str, *, several: bool) -> list[str]:
    """Paths of the weights to measure; those in use are first, and the default."""
    files = [used, *(file for file in encoders.scan(settings()) if file.sha256 != used.sha256)]
    names = {str(file.path): f"{file.name}{' (in use)' if file == used else ''}" for file in files}
    if several:
        return st.multiselect(
            "Weights",
            list(names),
            default=[str(used.path)],
            format_func=names.__getitem__,
            key=f"{key}_weights",
            placeholder="Choose one or more",
            select_all=False,
        )
    return [str(st.selectbox("Weights", list(names), format_func=names.__getitem__, key=f"{key}_weights"))]


def choose_upscalers(key: str, *, several: bool) -> list[str]:
    """Paths, or "bicubic"; the one in use is first, and the default. Raises UpscalerUnusable."""
    active = upscalers.active_upscaler(settings())
    used = str(active.path or BICUBIC)
    names = {used: f"{active.name} (in use)"}
    stored = {str(file.path): file.name for file in upscalers.scan(settings())}
    names |= {value: name for value, name in {BICUBIC: BICUBIC, **stored}.items() if value not in names}
    if several:
        return st.multiselect(
            "Upscalers",
            list(names),
            default=[used],
            format_func=names.__getitem__,
            key=f"{key}_upscalers",
            placeholder="Choose one or more",
            select_all=False,
            help="What enlarges the small faces.",
        )
    return [str(st.selectbox("Upscaler", list(names), format_func=names.__getitem__, key=f"{key}_upscalers"))]


def choose_sizes(key: str, options: Sequence[int | None] = SIZES) -> list[Any]:
    """Probe sizes, None for HR; HR and the three VLR sizes are the default."""
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
    return f"{shorten(listed.name, 40)} ({people}{', drawn' if listed.info.synthetic else ''})"


def _split_label(side: str, splits: dict[str, Any]) -> str:
    if side == EVERYTHING:
        return "Everybody"
    found = splits.get(side, {})
    return f"{side}: {count(int(found.get('hr', 0)), 'image')}"


def photographs_and_pairs(place: DeltaGenerator, *, photographs_key: str, pairs_key: str) -> tuple[str, str]:
    """The folder of photographs and the pairs file, as they were typed."""
    photographs = place.text_input(
        "Folder of photographs",
        key=photographs_key,
        placeholder="lfw/images",
        help="A folder that holds one for each person: Name/Name_0001.jpg.",
    )
    return photographs, place.text_input("Pairs file", key=pairs_key, placeholder="lfw/pairs.txt")
