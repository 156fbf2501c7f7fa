"""Cache of check verdicts: one file for each manifest and folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from core.access.actor import require
from core.access.roles import Permission
from core.access.trail import write_trail
from core.dataset.findings import Finding, Severity, Verdict
from core.dataset.manifest import Dataset
from core.errors import StorageFailed
from core.images import sha256_of
from core.jobs.json_values import to_json
from core.settings import Settings
from core.system.atomic_file import write_atomically

FORMAT = 2
"""Increased when the check or its texts change: earlier verdicts are discarded then."""

MOST_ROWS = 200
"""Rows stored of each finding."""


@dataclass(frozen=True)
class StoredVerdict:
    """A stored verdict of the time `at`. At most MOST_ROWS rows of each finding are stored; `totals` are the counts."""

    verdict: Verdict
    at: datetime
    totals: tuple[int, ...]


def store_verdict(settings: Settings, dataset: Dataset, verdict: Verdict) -> None:
    """Store `verdict` for this manifest in this folder; the one of an earlier manifest is removed. Raises
    StorageFailed."""
    require(Permission.DATA)
    findings = [
        {
            "code": finding.code,
            "severity": finding.severity,
            "text": finding.text,
            "total": len(finding.rows),
            "rows": [{str(key): value for key, value in row.items()} for row in _some(finding.rows).to_dict("records")],
        }
        for finding in verdict.findings
    ]
    kept = {"format": FORMAT, "at": datetime.now(UTC), "images": verdict.images, "findings": findings}
    path = _path(settings, dataset.root, dataset.key)
    write_atomically(path, to_json(kept))
    _forget(settings, dataset.root, but=path)
    write_trail(settings, "data set checked", dataset.root.name)


def stored_verdict(settings: Settings, dataset: Dataset) -> StoredVerdict | None:
    """The stored verdict of this manifest; None where there is none, or it is unreadable."""
    try:
        record = json.loads(_path(settings, dataset.root, dataset.key).read_bytes())
        return _parse(record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def remove_verdicts(settings: Settings, root: Path) -> None:
    """Remove all stored verdicts of the data set at `root`. Raises StorageFailed."""
    _forget(settings, root, but=None)


def _some(rows: pd.DataFrame) -> pd.DataFrame:
    """At most MOST_ROWS rows: first one of each person and split, so that both sides of a leak are shown."""
    if len(rows) <= MOST_ROWS:
        return rows
    again = rows.duplicated(["identity", "split"])
    return pd.concat([rows[~again], rows[again]]).head(MOST_ROWS)


def _parse(record: dict[str, Any]) -> StoredVerdict | None:
    if record["format"] != FORMAT:
        return None
    findings: list[Finding] = []
    for said in record["findings"]:
        if said["severity"] not in get_args(Severity):
            return None
        rows = pd.DataFrame(said["rows"])
        findings.append(Finding(str(said["code"]), said["severity"], str(said["text"]), rows))
    totals = tuple(int(said["total"]) for said in record["findings"])
    return StoredVerdict(Verdict(tuple(findings), int(record["images"])), datetime.fromisoformat(record["at"]), totals)


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "cache" / "verdicts"


def _path(settings: Settings, root: Path, key: str) -> Path:
    return _folder(settings) / f"{_place(root)}-{key[:32]}.json"


def _place(root: Path) -> str:
    """A hash of the data set's folder for the file name: another one with the same table may hold other pixels."""
    return sha256_of(str(root.resolve()).encode("utf-8", "surrogateescape"))[:16]


def _forget(settings: Settings, root: Path, but: Path | None) -> None:
    try:
        for path in _folder(settings).glob(f"{_place(root)}-*.json"):
            if path != but:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageFailed(
            f"{error.filename} can't be removed: {error.strerror or error}.", "Check its permissions."
        ) from error
