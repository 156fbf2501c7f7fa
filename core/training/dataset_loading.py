"""The data set of a run: a folder of ours, or the notes' two folders; looked over before anyone trains on it."""

from __future__ import annotations

from pathlib import Path

from core.dataset.check import check
from core.dataset.check_splits import (
    check_amounts,
    check_comparable,
    check_identities,
    check_look_alikes,
    check_pairing,
)
from core.dataset.file_stats import measure
from core.dataset.findings import Finding, verdict
from core.dataset.layout import HR
from core.dataset.manifest import Dataset, DatasetInfo, manifest_bytes, read_dataset
from core.dataset.scan import scan_splits
from core.images import sha256_of
from core.jobs.context import NO_HOOKS, Hooks
from core.training.config import TrainingConfig
from core.training.errors import UnfitData

IMPOSSIBLE = frozenset({"few_people", "vlr_without_hr", "pair_torn", "unreadable"})
"""Findings that no `force` gets past: there is nothing to learn from such rows, or nothing to read."""


def open_source(config: TrainingConfig, *, hooks: Hooks = NO_HOOKS) -> Dataset:
    """The data set that a run asked for. Folders are measured: every file is read once.

    Raises DatasetInvalid, SourceInvalid, UnfitData (not split, unreadable images), JobStopped, StorageFailed.
    """
    if config.dataset is not None:
        dataset = read_dataset(Path(config.dataset))
    else:
        train, val = Path(config.train_dir or ""), None if config.val_dir is None else Path(config.val_dir)
        dataset = _from_folders(train, val, hooks)
    splits = set(dataset.frame["split"])
    if "train" not in splits:
        raise UnfitData(
            f"{dataset.info.name} has no train split.",
            "Build one: edgeface-studio dataset build SOURCE --mode closed-set.",
        )
    return dataset


def _from_folders(train: Path, val: Path | None, hooks: Hooks) -> Dataset:
    found = scan_splits(train, val)
    frame, amiss = measure(found.root, found.frame, hooks=hooks)
    if len(amiss):
        row = amiss.iloc[0]
        raise UnfitData(
            f"{len(amiss)} images can't be trained on, first {row['path']}: {row['problem']}",
            "Take them out, or build a data set from the folders: edgeface-studio dataset build.",
        )
    info = DatasetInfo(name=found.root.name, mode="as-found", made_by="scan", source=str(found.root))
    return Dataset(found.root, info, frame, sha256_of(manifest_bytes(frame)))


def look_over(dataset: Dataset, *, full: bool, hooks: Hooks = NO_HOOKS) -> tuple[Finding, ...]:
    """What is amiss, worst first: the table's own checks, or with `full` those of every image too."""
    if full:
        return check(dataset, hooks=hooks).findings
    frame, mode = dataset.frame.reset_index(drop=True), dataset.info.mode
    findings = [
        *check_identities(frame, mode),
        *check_pairing(frame),
        *check_look_alikes(frame),
        *check_amounts(frame, mode),
        *check_comparable(frame, mode),
    ]
    return verdict(findings, len(frame)).findings


def refuse(dataset: Dataset, findings: tuple[Finding, ...], *, force: bool) -> None:
    """Raises UnfitData for the first error that `force` doesn't get past."""
    train = dataset.frame[(dataset.frame["split"] == "train") & (dataset.frame["kind"] == HR)]
    if train["identity"].nunique() < 2:
        raise UnfitData(f"{dataset.info.name} has fewer than two people in train.", "Add people, or build it again.")
    for finding in findings:
        if finding.severity == "error" and (not force or finding.code in IMPOSSIBLE):
            hint = "" if finding.code in IMPOSSIBLE else " To train all the same: --force."
            raise UnfitData(finding.text, f"See all of it: edgeface-studio dataset check {dataset.info.name}.{hint}")
