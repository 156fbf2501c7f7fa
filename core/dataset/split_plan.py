"""The plan of a build: which options are refused, and which pair goes to which split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.dataset import file_placement, split
from core.dataset.errors import BuildRefused
from core.dataset.layout import VLR
from core.dataset.manifest import Dataset, is_dataset, read_dataset
from core.dataset.run_config import BUILD_MODES, BuildOptions
from core.dataset.scan import Scan
from core.dataset.unfinished import clear_unfinished


@dataclass(frozen=True)
class Plan:
    """A data set to write: its folder, its mode, its pairs with their splits, and the data set that an update adds
    to."""

    target: Path
    mode: str
    items: pd.DataFrame
    earlier: Dataset | None


def modes_of(options: BuildOptions) -> list[str]:
    """The mode of every data set that is built: "both" is two."""
    return list(BUILD_MODES[:2]) if options.mode == "both" else [options.mode]


def refuse_options(source: Scan, out: Path, options: BuildOptions) -> None:
    """Raises BuildRefused for a source without VLR images, and for an `out` that exists or overlaps the source."""
    inside, root = out.resolve(), source.root.resolve()
    if source.layout != "csv" and (inside == root or root in inside.parents or inside in root.parents):
        raise BuildRefused(
            f"{out} is in the source or contains it, and the source isn't changed.", "Choose another folder."
        )
    if not (source.frame["kind"] == VLR).any():
        raise BuildRefused(
            f"{source.root} holds {source.layout} and no VLR images.",
            "Make HR crops and their VLR images first: edgeface-studio dataset ingest.",
        )
    if not options.update:
        file_placement.refuse_existing(out)


def earlier_build(target: Path, options: BuildOptions) -> Dataset | None:
    """The data set that an update adds to; None where there is none yet. Raises BuildRefused for a folder of other
    files, and for a data set of another mode."""
    if not options.update or not target.exists():
        return None
    if not is_dataset(target):
        file_placement.refuse_existing(target)
        return None
    dataset = read_dataset(target)
    expected = target.name if options.mode == "both" else options.mode
    if dataset.info.mode != expected:
        raise BuildRefused(
            f"{target} was built as {dataset.info.mode}, not {expected}.", "Build into another folder, or in its mode."
        )
    clear_unfinished(dataset)
    return dataset


def split_items(items: pd.DataFrame, options: BuildOptions, earlier: list[Dataset | None]) -> list[pd.DataFrame]:
    """The pairs of each data set with a column split; pairs of `earlier` keep theirs. Raises BuildRefused."""
    sides = [dict(zip(d.frame["pair"], d.frame["split"], strict=True)) if d is not None else None for d in earlier]
    if options.mode == "closed-set":
        return [split.closed_set(items, options, earlier=sides[0])]
    if options.mode == "identity-disjoint":
        return [split.identity_disjoint(items, options, earlier=sides[0])]
    return list(split.both(items, options, earlier_closed=sides[0], earlier_disjoint=sides[1]))
