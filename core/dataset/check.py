"""Check of a data set before training: every fault in words, with its effect and the rows concerned."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from core.dataset.check_files import check_pairs, check_readable, read_all
from core.dataset.check_splits import (
    check_amounts,
    check_comparable,
    check_identities,
    check_look_alikes,
    check_pairing,
)
from core.dataset.duplicates import near_pairs
from core.dataset.findings import Finding, Verdict, some, verdict
from core.dataset.layout import HR
from core.dataset.manifest import Dataset, DatasetInfo
from core.dataset.scan import Scan
from core.jobs.context import NO_HOOKS, Hooks

__all__ = ["Finding", "Verdict", "check", "dataset_of"]


def check(dataset: Dataset, *, hooks: Hooks = NO_HOOKS) -> Verdict:
    """Read every image of `dataset` and return the findings. Nothing is written. Raises JobStopped."""
    frame = dataset.frame.reset_index(drop=True)
    read = read_all(dataset.root, frame, hooks)
    now = frame.assign(
        sha256=[read.measured[i].sha256 for i in frame.index], phash=[read.measured[i].phash for i in frame.index]
    )
    findings = [
        *check_identities(frame, dataset.info.mode),
        *check_duplicates(dataset.root, now, hooks),
        *check_pairing(frame),
        *check_pairs(frame, read),
        *check_readable(frame, read),
        *check_look_alikes(frame),
        *check_amounts(frame, dataset.info.mode),
        *check_comparable(frame, dataset.info.mode),
    ]
    return verdict(findings, len(frame))


def dataset_of(source: Scan) -> Dataset:
    """A scanned folder as a data set that can be checked."""
    mode = "as-found" if (source.frame["split"] != "").any() else "unsplit"
    info = DatasetInfo(name=source.root.name, mode=mode, made_by="scan")
    return Dataset(source.root, info, source.frame, "", source.crops)


def check_duplicates(root: Path, frame: pd.DataFrame, hooks: Hooks = NO_HOOKS) -> list[Finding]:
    """Find pictures in two splits, as the same bytes or encoded again, and pictures under two names."""
    hr = frame[frame["kind"] == HR]
    pairs = near_pairs(root, hr, hooks=hooks)
    if pairs.empty:
        return []
    first = hr.loc[pairs["a"]].reset_index(drop=True)
    other = hr.loc[pairs["b"]].reset_index(drop=True)
    seen = first.assign(other_path=other["path"], other_split=other["split"], other_identity=other["identity"])
    exact = pairs["exact"].to_numpy()
    across = (seen["split"] != seen["other_split"]).to_numpy()
    effect = "validation would reward what was learnt by heart. Take one of each out."
    findings: list[Finding] = []
    for code, chosen, how in (
        ("duplicate_exact", seen[across & exact], "the same file"),
        ("duplicate_near", seen[across & ~exact], "the same picture, encoded again,"),
    ):
        if len(chosen):
            text = f"{some(len(chosen), 'image')}: {how} in two splits; {effect}"
            findings.append(Finding(code, "error", text, chosen))
    named = seen[~across & (seen["identity"] != seen["other_identity"]).to_numpy()]
    if len(named):
        text = (
            f"{some(len(named), 'picture')} under two names: one of them is wrong, and training would learn both. "
            "Remove the wrong one."
        )
        findings.append(Finding("two_names", "warning", text, named))
    return findings
