"""What is to be built: the options, what stands against them, and which pair goes to which side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.dataset import file_placement, split
from core.dataset.errors import BuildRefused
from core.dataset.layout import VLR
from core.dataset.manifest import Dataset, is_dataset, read_dataset
from core.dataset.scan import Scan
from core.dataset.unfinished import clear_unfinished

BUILD_MODES = ("closed-set", "identity-disjoint", "both")


@dataclass(frozen=True)
class BuildOptions:
    """How to split. `only` keeps rows whose columns have these values ({"camera": "051"}: frontal only)."""

    mode: str = "closed-set"
    seed: int = 0
    val_share: float = split.VAL_SHARE
    min_images: int = split.MIN_IMAGES
    shares: Mapping[str, float] | None = None
    by_session: bool = True
    link: str = "auto"
    update: bool = False
    only: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Plan:
    """One data set to be: its folder, its mode, its pairs with their sides, and what is there of it already."""

    target: Path
    mode: str
    items: pd.DataFrame
    earlier: Dataset | None


def modes_of(options: BuildOptions) -> list[str]:
    """The mode of every data set that is built: "both" is two."""
    return list(BUILD_MODES[:2]) if options.mode == "both" else [options.mode]


def refuse_options(source: Scan, out: Path, options: BuildOptions) -> None:
    """Raises BuildRefused for options that make no sense, a source without VLR images, and an `out` in its way."""
    if options.mode not in BUILD_MODES:
        raise BuildRefused(f"There is no mode '{options.mode}'.", f"Choose one of {', '.join(BUILD_MODES)}.")
    if options.link not in file_placement.LINK_MODES:
        raise BuildRefused(
            f"There is no link mode '{options.link}'.", f"Choose {', '.join(file_placement.LINK_MODES)}."
        )
    if options.seed < 0:
        raise BuildRefused(f"The seed is {options.seed}.", "Choose 0 or a larger whole number.")
    inside, root = out.resolve(), source.root.resolve()
    if source.layout != "csv" and (inside == root or root in inside.parents or inside in root.parents):
        raise BuildRefused(
            f"{out} lies in the source or around it, and the source isn't touched.", "Choose another folder."
        )
    if not (source.frame["kind"] == VLR).any():
        raise BuildRefused(
            f"{source.root} holds {source.layout} and no VLR images.",
            "Make HR crops and their VLR images first: edgeface-studio dataset ingest.",
        )
    if not options.update:
        file_placement.refuse_existing(out)


def earlier_build(target: Path, options: BuildOptions) -> Dataset | None:
    """What an update adds to; None where there is nothing yet. Raises BuildRefused for somebody else's folder, and for
    a data set of another mode."""
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
    """For each data set its pairs with a column split; pairs of `earlier` keep their side. Raises BuildRefused."""
    sides = [dict(zip(d.frame["pair"], d.frame["split"], strict=True)) if d is not None else None for d in earlier]
    closed = {"val_share": options.val_share, "min_images": options.min_images, "by_session": options.by_session}
    if options.mode == "closed-set":
        return [split.closed_set(items, seed=options.seed, earlier=sides[0], **closed)]  # type: ignore[arg-type]
    if options.mode == "identity-disjoint":
        return [split.identity_disjoint(items, shares=options.shares, seed=options.seed, earlier=sides[0])]
    return list(
        split.both(
            items,
            shares=options.shares,
            seed=options.seed,
            earlier_closed=sides[0],
            earlier_disjoint=sides[1],
            **closed,  # type: ignore[arg-type]
        )
    )
