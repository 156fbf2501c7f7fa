"""What the Data sets page reads: tables and pictures, cached by the files they come from."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.dataset.layout import HR, INFO_NAME, MANIFEST_NAME, VLR
from core.dataset.manifest import COLUMNS, Dataset, DatasetInfo, read_dataset
from core.dataset.rejects import read_rejects, thumbnail
from core.errors import CoreError
from core.images import encode_image, read_image, resize
from core.settings import CROP_PX
from dashboard.shell.readiness import image_address

MEASURES = ("probe_px", "sharpness", "brightness", "yaw_deg", "pitch_deg")
"""Columns that ingest measured: too many values to choose one."""

MOST_VALUES = 60

DRAWN = "Drawn faces, nobody's photograph"

MODE_WORDS = {
    "unsplit": "not split yet",
    "as-found": "split by somebody else",
    "closed-set": "closed-set: same people, other images",
    "identity-disjoint": "identity-disjoint: different people",
}


def opened(root: Path) -> Dataset:
    """The data set at `root`; its table is read again when its files change. Don't change what is given. Raises
    DatasetInvalid, StorageFailed."""
    return _opened(str(root), *_stamp(root / MANIFEST_NAME), *_stamp(root / INFO_NAME))


@st.cache_resource(max_entries=3, show_spinner="Reading the data set's table")
def _opened(root: str, *stamps: int) -> Dataset:
    return read_dataset(Path(root))


def rejected(root: Path) -> pd.DataFrame:
    """The rejected photographs of the data set at `root` (see core.dataset.rejects). Raises DatasetInvalid."""
    return read_rejects(root)


def pair_table(dataset: Dataset) -> pd.DataFrame:
    """One row an HR image: pair, identity, split, `hr` (its path), `vlr_<px>` (paths, "" where there is none), and the
    manifest's further columns."""
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
    """The sizes in px of its VLR images, small to large."""
    return sorted(int(size) for size in dataset.frame.loc[dataset.frame["kind"] == VLR, "size_px"].unique())


def choices(table: pd.DataFrame, columns: list[str] | None = None) -> dict[str, list[str]]:
    """Columns one may filter by (session, camera and so on), each with its values; not those of one or many values."""
    known = {*COLUMNS, *MEASURES, "hr"}
    names = columns or [name for name in table.columns if name not in known and not str(name).startswith("vlr_")]
    found: dict[str, list[str]] = {}
    for name in names:
        values = sorted({str(value) for value in table[name].unique()} - {""})
        if 2 <= len(values) <= MOST_VALUES:
            found[name] = values
    return found


def picture(path: Path, side_px: int | None = None) -> str | None:
    """An image file as an address for <img>, brought to `side_px` by bicubic where given; None where it can't be read.

    Small ones stay exact (PNG); larger ones are WebP.
    """
    modified, size = _stamp(path)
    return _picture(str(path), modified, size, side_px) if size else None


@st.cache_data(max_entries=1_500, show_spinner=False)
def _picture(path: str, modified: int, size: int, side_px: int | None) -> str | None:
    try:
        rgb = read_image(Path(path))
        if side_px is not None:
            rgb = resize(rgb, side_px)
        elif max(rgb.shape[:2]) > 2 * CROP_PX:
            factor = 2 * CROP_PX / max(rgb.shape[:2])
            rgb = resize(rgb, (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor))))
    except CoreError:
        return None
    return image_address(encode_image(rgb, "png") if rgb.shape[0] <= 64 else encode_image(rgb, quality=86))


@st.cache_data(max_entries=300, show_spinner=False)
def rejected_picture(file: str) -> str | None:
    """A rejected photograph, small; None where it is no picture, or isn't there any more."""
    rgb = thumbnail(file)
    return None if rgb is None else image_address(encode_image(rgb, quality=82))


def facts(info: DatasetInfo) -> str:
    """A line on how a data set came to be: "made by build with seed 3"."""
    seed = "" if info.seed is None else f" with seed {info.seed}"
    return f"made by {info.made_by or 'somebody'}{seed}"


def changed_ns(path: Path) -> int:
    """When a file was changed, in ns; 0 where there is none."""
    return _stamp(path)[0]


def _stamp(path: Path) -> tuple[int, int]:
    """When a file was changed (ns) and its size; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
