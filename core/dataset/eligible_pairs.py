"""Selection of the pairs to split: complete pairs, measured, with the images of earlier builds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from core.dataset.columns import among
from core.dataset.duplicates import groups, near_pairs
from core.dataset.errors import BuildRefused
from core.dataset.file_stats import measure
from core.dataset.layout import HR, VLR
from core.dataset.manifest import Dataset, make_frame
from core.dataset.naming import refuse_look_alikes
from core.dataset.scan import Scan
from core.jobs.context import NO_HOOKS, Hooks


def usable_rows(source: Scan, only: Mapping[str, str] | None, hooks: Hooks) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows to split, measured, in complete pairs, and descriptions of what was left out. Raises BuildRefused for
    unreadable images and incomplete pairs."""
    frame, left_out = source.frame, []
    for column, value in (only or {}).items():
        if column not in frame.columns:
            raise BuildRefused(f"There is no column '{column}'.", f"Choose one of {', '.join(frame.columns)}.")
        kept = frame[frame[column] == value]
        left_out.append(f"{count_pairs(frame) - count_pairs(kept):,} images whose {column} isn't {value}")
        frame = kept
    tested = frame[frame["split"] == "test"]
    if len(tested):
        left_out.append(f"{count_pairs(tested):,} images of the source's test split, which stays unseen")
        frame = frame[frame["split"] != "test"]
    if frame.empty:
        raise BuildRefused("No image is left to build from.", "Relax the filter, or choose another source.")
    hr, vlr = frame[frame["kind"] == HR], frame[frame["kind"] == VLR]
    _refuse_lonely(vlr[~among(vlr["pair"], set(hr["pair"]))], "VLR image", "HR image")
    _refuse_lonely(hr[~among(hr["pair"], set(vlr["pair"]))], "HR image", "VLR image")
    frame, amiss = measure(source.root, frame, hooks=hooks)
    broken = amiss[amiss["width"] == 0]
    if len(broken):
        raise BuildRefused(
            f"{len(broken):,} images can't be read, first {broken.iloc[0]['path']}: {broken.iloc[0]['problem']}",
            "Repair them or take them out, with their pairs.",
        )
    return frame, tuple(left_out)


def _refuse_lonely(rows: pd.DataFrame, what: str, lacks: str) -> None:
    if len(rows):
        raise BuildRefused(
            f"{len(rows):,} {what}{'s have' if len(rows) > 1 else ' has'} no {lacks}, first {rows.iloc[0]['path']}.",
            "Complete the pair or take it out; a pair has one name in hr_images and vlr_images.",
        )


def count_pairs(frame: pd.DataFrame) -> int:
    """Number of pairs with an HR image."""
    return int(frame.loc[frame["kind"] == HR, "pair"].nunique())


def with_earlier(source: Scan, frame: pd.DataFrame, earlier: list[Dataset]) -> pd.DataFrame:
    """The source's rows and, before them, those of earlier builds that the source lacks now; column `file` is the
    image's path. A pair whose HR image is in an earlier build, by its bytes, is that build's pair, whatever its name is
    now."""
    rows = frame.assign(file=[str(source.root / path) for path in frame["path"].tolist()])
    known: dict[str, str] = {}
    parts: list[pd.DataFrame] = []
    for dataset in earlier:
        old = dataset.frame.assign(file=[str(dataset.file(path)) for path in dataset.frame["path"].tolist()])
        parts.append(old[~among(old["pair"], set(known.values()))])
        known.update({sha: pair for sha, pair in _hr_pairs(old).items() if sha not in known})
    if parts:
        taken = {pair for sha, pair in _hr_pairs(rows).items() if sha in known}
        rows = rows[~among(rows["pair"], taken)].copy()
        clash = among(rows["pair"], set(known.values()))
        rows["pair"] = [f"{pair}~{sha[:8]}" if again else pair for pair, sha, again in _clashing(rows, clash)]
        rows = pd.concat([*parts, rows], ignore_index=True)
    files = rows["file"].tolist()
    full = make_frame(rows.drop(columns="file"))
    refuse_look_alikes(full["identity"])
    return full.assign(file=files)


def _clashing(rows: pd.DataFrame, clash: pd.Series) -> list[tuple[str, str, bool]]:
    """(pair, its HR image's hash, whether the name is taken by an earlier pair)."""
    sha_of = {pair: sha for sha, pair in _hr_pairs(rows).items()}
    return [(pair, sha_of[pair], bool(taken)) for pair, taken in zip(rows["pair"], clash, strict=True)]


def _hr_pairs(frame: pd.DataFrame) -> dict[str, str]:
    hr = frame[frame["kind"] == HR]
    return dict(zip(hr["sha256"], hr["pair"], strict=True))


def items_of(root: Path, frame: pd.DataFrame, hooks: Hooks = NO_HOOKS) -> pd.DataFrame:
    """One row for each pair with the columns that the split uses; pairs of the same picture share a group. Raises
    JobStopped."""
    hr = frame[frame["kind"] == HR].drop_duplicates("pair").reset_index(drop=True)
    by_file = hr.assign(path=hr["file"])
    group_of = groups(hr.index.tolist(), near_pairs(root, by_file, hooks=hooks))
    hr["group"] = [group_of[index] for index in hr.index]
    columns = ["pair", "identity", "sha256", "group", *(["session"] if "session" in hr and hr["session"].any() else [])]
    return hr[columns]
