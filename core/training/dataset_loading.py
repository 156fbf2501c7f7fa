"""The data set of a run: a data set folder or two image folders, checked before training."""

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
"""Findings that `force` doesn't override: such rows can't be read or learnt from."""


def load_training_data(config: TrainingConfig, *, hooks: Hooks = NO_HOOKS) -> Dataset:
    """Open a run's data set. Image folders are scanned: every file is read once.

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
    frame, invalid = measure(found.root, found.frame, hooks=hooks)
    if len(invalid):
        row = invalid.iloc[0]
        raise UnfitData(
            f"{len(invalid)} images are unusable, first {row['path']}: {row['problem']}",
            "Remove them, or build a data set from the folders: edgeface-studio dataset build.",
        )
    info = DatasetInfo(name=found.root.name, mode="as-found", made_by="scan", source=str(found.root))
    return Dataset(found.root, info, frame, sha256_of(manifest_bytes(frame)))


def check_training_data(dataset: Dataset, *, full: bool, hooks: Hooks = NO_HOOKS) -> tuple[Finding, ...]:
    """Check a data set; returns findings, worst first. `full` checks every image, else only the manifest."""
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


def require_trainable(dataset: Dataset, findings: tuple[Finding, ...], *, force: bool) -> None:
    """Raise UnfitData for the first error that `force` doesn't override."""
    train = dataset.frame[(dataset.frame["split"] == "train") & (dataset.frame["kind"] == HR)]
    if train["identity"].nunique() < 2:
        raise UnfitData(f"{dataset.info.name} has fewer than two people in train.", "Add people, or build it again.")
    for finding in findings:
        if finding.severity == "error" and (not force or finding.code in IMPOSSIBLE):
            hint = "" if finding.code in IMPOSSIBLE else " To train in spite of it: --force."
            raise UnfitData(finding.text, f"See all findings: edgeface-studio dataset check {dataset.info.name}.{hint}")
