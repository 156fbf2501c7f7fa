"""Whose faces choose a threshold and whose try it: the people of a data set, halved, or folds of a pairs file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.evaluation.pairs import folds_of
from dashboard.accuracy.fields import choose_dataset, datasets_or_way, photographs_and_pairs
from dashboard.accuracy.labels import MODE_HELP, MODES

_SOURCES = {"dataset": "A data set", "pairs": "Folds of a pairs file"}


def choose_people() -> dict[str, Any] | None:
    """`root` and `split` of a data set, or `images`, `pairs`, `calibrate_folds`, `report_folds` as they were typed, and
    `mode`; None where there is no data set, or it can't be read."""
    source = st.segmented_control(
        "People from",
        list(_SOURCES),
        default="dataset",
        required=True,
        format_func=_SOURCES.__getitem__,
        key="accuracy_people_from",
    )
    if source == "pairs":
        return _folds()
    sets = datasets_or_way()
    chosen = choose_dataset(sets, "accuracy_calibrate") if sets else None
    return None if chosen is None else {"root": chosen[0].root, "split": chosen[1]}


def both_folds(people: Mapping[str, Any]) -> tuple[Path, Path, tuple[list[int], list[int]]]:
    """Images, pairs file and both folds of what was typed. Raises SettingsInvalid for what is no list of folds."""
    chosen, tried = (folds_of(str(people[name])) or [] for name in ("calibrate_folds", "report_folds"))
    return Path(people["images"]).expanduser(), Path(people["pairs"]).expanduser(), (chosen, tried)


def _folds() -> dict[str, Any]:
    left, right = st.columns([3, 1], gap="medium")
    images, pairs = photographs_and_pairs(
        left, photographs_key="accuracy_calibrate_images", pairs_key="accuracy_calibrate_pairs"
    )
    chosen = right.text_input("Folds to choose by", "1-4", key="accuracy_choose_folds")
    tried = right.text_input("Folds to try on", "5-7", key="accuracy_try_folds")
    mode = st.segmented_control(
        "Mode",
        list(MODES),
        default="aligned",
        required=True,
        format_func=MODES.__getitem__,
        key="accuracy_calibrate_mode",
        help=MODE_HELP,
    )
    return {
        "images": images,
        "pairs": pairs,
        "calibrate_folds": chosen,
        "report_folds": tried,
        "mode": mode,
    }
