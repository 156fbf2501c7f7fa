"""The data set that an evaluation is asked for: one of this program, or a folder in any layout that `scan` knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.dataset.check import dataset_of
from core.dataset.manifest import COLUMNS, Dataset, is_dataset, read_dataset
from core.dataset.scan import scan
from core.errors import SettingsInvalid


def dataset_at(root: Path) -> Dataset:
    """The data set in a folder; its `key` is "" where it has no manifest (the notes' test folder with hr_images and
    vlr_images among them). Raises SourceInvalid, DatasetInvalid, StorageFailed."""
    if is_dataset(root):
        return read_dataset(root)
    # A split's own folder (.../test) holds hr_images itself: the layout is its parent's.
    holds_kinds = (root / "hr_images").is_dir()
    dataset = dataset_of(scan(root.parent if holds_kinds else root))
    if not holds_kinds:
        return dataset
    frame = dataset.frame
    return replace(dataset, frame=frame[frame["path"].str.startswith(f"{root.name}/")].reset_index(drop=True))


def group_columns(dataset: Dataset) -> list[str]:
    """The columns that groups can be told by: those that its table has beyond what every data set has."""
    return [str(column) for column in dataset.frame.columns if column not in COLUMNS]


def require_columns(dataset: Dataset, by: Sequence[str]) -> None:
    """Raises SettingsInvalid when groups are to be told by a column that isn't there."""
    further = group_columns(dataset)
    if missing := [column for column in by if column not in further]:
        raise SettingsInvalid(
            f"{dataset.info.name} has no column '{missing[0]}' to tell groups by.",
            f"Its further columns: {', '.join(further) or 'none'}. A data set made from a CSV keeps those of the CSV.",
        )
