"""The data of the Data sets page: tables and pictures, cached by the files they come from."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.dataset.layout import HR, VLR
from core.dataset.manifest import COLUMNS, Dataset, DatasetInfo
from core.dataset.rejects import read_rejects, thumbnail
from core.images import encode_image
from dashboard.ui.pictures import image_address

MEASURES = ("probe_px", "recognisability", "sharpness", "brightness", "yaw_deg", "pitch_deg", "correction_px")
"""Columns measured on import, with too many values to filter by."""

MOST_VALUES = 60

MODE_WORDS = {
    "unsplit": "not split",
    "as-found": "split by its source",
    "closed-set": "closed-set: same people, other images",
    "identity-disjoint": "identity-disjoint: different people",
}


def rejected(root: Path) -> pd.DataFrame:
    """The rejected photographs of the data set at `root` (see core.dataset.rejects). Raises DatasetInvalid."""
    return read_rejects(root)


def pair_table(dataset: Dataset) -> pd.DataFrame:
    """One row per HR image: pair, identity, split, `hr` (its path), `vlr_<px>` (paths, "" where there is none), and the
    further columns of the manifest."""
    return _pair_table(dataset.key, dataset)


@st.cache_resource(max_entries=3, show_spinner=False)
def _pair_table(key: str, _dataset: Dataset) -> pd.DataFrame:
    frame = _dataset.frame
    further = [column for column in frame.columns if column not in COLUMNS]
    hr = frame[frame["kind"] == HR].drop_duplicates("pair")
    table = hr[["pair", "identity", "split", *further]].reset_index(drop=True)
    table["hr"] = hr["path"].tolist()
    for size in vlr_sizes(_dataset):
        small = frame[(frame["kind"] == VLR) & (frame["size_px"] == size)].drop_duplicates("pair")
        table[f"vlr_{size}"] = table["pair"].map(dict(zip(small["pair"], small["path"], strict=True))).fillna("")
    return table


def vlr_sizes(dataset: Dataset) -> list[int]:
    """The sizes of its VLR images in px, in ascending order."""
    return sorted(int(size) for size in dataset.frame.loc[dataset.frame["kind"] == VLR, "size_px"].unique())


def choices(table: pd.DataFrame, columns: list[str] | None = None) -> dict[str, list[str]]:
    """Columns to filter by (such as session and camera) with their values; none with a single value or too many."""
    known = {*COLUMNS, *MEASURES, "hr"}
    names = columns or [name for name in table.columns if name not in known and not str(name).startswith("vlr_")]
    found: dict[str, list[str]] = {}
    for name in names:
        values = sorted({str(value) for value in table[name].unique()} - {""})
        if 2 <= len(values) <= MOST_VALUES:
            found[name] = values
    return found


@st.cache_data(max_entries=300, show_spinner=False)
def rejected_picture(file: str) -> str | None:
    """A thumbnail of a rejected photograph; None where it is missing or isn't an image."""
    rgb = thumbnail(file)
    return None if rgb is None else image_address(encode_image(rgb, quality=82))


def facts(info: DatasetInfo) -> str:
    """How a data set was made: "made by build with seed 3"."""
    seed = "" if info.seed is None else f" with seed {info.seed}"
    return f"made by {info.made_by or 'an unknown program'}{seed}"
