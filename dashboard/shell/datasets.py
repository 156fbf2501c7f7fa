"""Data sets as pages read them: the table, cached by its files, and the words for synthetic ones."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.dataset.layout import INFO_NAME, MANIFEST_NAME
from core.dataset.manifest import Dataset, read_dataset
from dashboard.ui.pictures import file_stamp

SYNTHETIC = "Synthetic faces, no real people"


def open_dataset(root: Path) -> Dataset:
    """The data set at `root`; its table is read again when its files change. Don't change what is given. Raises
    DatasetInvalid, StorageFailed."""
    return _opened(str(root), *file_stamp(root / MANIFEST_NAME), *file_stamp(root / INFO_NAME))


@st.cache_resource(max_entries=3, show_spinner="Reading the data set's table")
def _opened(root: str, *stamps: int) -> Dataset:
    return read_dataset(Path(root))
