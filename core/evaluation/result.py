"""The result of an evaluation: its protocol and named tables, read back from its files without torch.

```
report.json        kind, title, text, protocol, and the small tables' rows
tables/NAME.csv    every table
report.html        everything with charts, for a reader without this program
```
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import CoreError, StorageFailed
from core.jobs.json_values import json_value
from core.jobs.run_dir import Run
from core.system.validated import Record, validated

FORMAT = 1
TITLES: dict[str, str] = {
    "verification": "Verification: is it the same person?",
    "curves": "ROC",
    "histograms": "Scores of genuine and impostor pairs",
    "identification": "Identification among all people of the data",
    "cmc": "Cumulative match characteristic",
    "open_set": "Open set: strangers among the probes, by gallery size",
    "sweep": "Sweep over thresholds",
    "per_identity": "Person by person",
    "groups": "By group",
    "similarity": "Small faces against their own full-size faces, by group",
    "confused": "Confused pairs",
    "too_few": "People with too few images",
    "took_part": "People who took part in training or choosing the weights",
    "probes": "Every probe",
    "reject": "Errors when the worst images are rejected",
    "sr_quality": "Super-resolved images against HR",
    "sr_summary": "Super-resolution: PSNR, SSIM, identity similarity",
    "head": "Head accuracy over shared identities",
    "thresholds": "Thresholds calibrated",
    "calibration": "What the thresholds give on other people",
    "benchmark": "Benchmark",
    "published": "Published figures of others",
    "gained_lost": "Who gained, who lost",
    "change": "Before and after",
    "matched": "Full-size templates alone, and with resolution-matched ones added",
    "pooling": "One frame, and several pooled",
}
"""Every table, with its title."""

IN_JSON = frozenset(
    {
        "verification",
        "identification",
        "open_set",
        "sweep",
        "sr_summary",
        "head",
        "reject",
        "thresholds",
        "calibration",
        "benchmark",
        "published",
        "change",
        "matched",
        "pooling",
        "groups",
        "similarity",
    }
)
_TEXT = frozenset(
    {
        "system",
        "mode",
        "degradation",
        "probe",
        "pairing",
        "protocol",
        "identity",
        "image",
        "impostor_identity",
        "highest_impostor_identity",
        "impostor_image",
        "worst_image",
        "taken_for",
        "why",
        "verdict",
        "upscaler",
        "part",
        "measure",
        "by",
        "source",
        "benchmark",
        "sha256",
        "templates",
        "pooling",
        "group",
    }
)
"""Columns of text, also where every cell is empty."""
_VIEW_COLUMNS = ["system", "mode", "degradation", "probe", "size_px"]
_ALIKE = ("_alike", "_alike_low", "_alike_high")
_NAME = re.compile(r"[a-z0-9_]{1,40}")


class ReportUnreadable(CoreError):
    """A run has no evaluation, or a newer version wrote it."""

    help_topic = "evaluation"


class ReportFile(Record):
    """What is read of a report.json; rows come from the CSV files."""

    format: int
    kind: str
    title: str = ""
    text: str = ""
    protocol: dict[str, Any]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """`kind` is the task ("dataset", "pairs", "benchmark", "calibrate", "compare", "matched", "pooling"), `text` the
    result in a sentence. `tables` by name (TITLES); rates in them are fractions. `protocol` holds JSON values."""

    kind: str
    title: str
    text: str
    protocol: dict[str, Any]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def table(self, name: str) -> pd.DataFrame:
        """Return a table by name, empty if this evaluation has none of that name."""
        return self.tables.get(name, pd.DataFrame())

    def report(self) -> dict[str, Any]:
        """The values of report.json."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "title": self.title,
            "text": self.text,
            "protocol": json_value(self.protocol),
            "tables": list(self.tables),
            "figures": {
                name: json_value(table.astype(object).where(table.notna(), None).to_dict("records"))
                for name, table in self.tables.items()
                if name in IN_JSON
            },
        }


def resolution_table(evaluation: Evaluation) -> pd.DataFrame:
    """A row for each system, mode, degradation, size and pairing, largest probes last: eer, tar (at FAR 0.1 %) and
    rank1 with their intervals (_low, _high), and failure_to_acquire; eer_alike and tar_alike (people alike) where they
    were measured. HR counts as 112 px."""
    verified = evaluation.table("verification")
    if verified.empty:
        return pd.DataFrame(columns=[*_VIEW_COLUMNS, "pairing", "eer", "tar", "rank1", "failure_to_acquire"])
    rows = verified[verified["protocol"] == "all pairs"] if "protocol" in verified else verified
    ends = ("", "_low", "_high", *_ALIKE)
    rows = rows.rename(columns={f"tar_at_far_0.001{end}": f"tar{end}" for end in ends})
    wanted = [*_VIEW_COLUMNS, "pairing", *(f"{name}{end}" for name in ("eer", "tar") for end in ends)]
    table = rows[[column for column in (*wanted, "failure_to_acquire") if column in rows]]
    ranked = evaluation.table("identification")
    if not ranked.empty:
        table = table.merge(ranked[[*_VIEW_COLUMNS, "rank1", "rank1_low", "rank1_high"]], on=_VIEW_COLUMNS, how="left")
    return table.sort_values(["system", "mode", "degradation", "pairing", "size_px"], kind="stable").reset_index(
        drop=True
    )


def training_overlap(protocol: Mapping[str, Any]) -> list[str]:
    """Return a warning for each system that was measured on people of its training data."""
    return [
        f"{number:,} of {protocol.get('people', 0):,} people took part in training or choosing {label}: its figures "
        "are optimistic. Measure on people who took no part."
        for label, number in (protocol.get("people_known") or {}).items()
    ]


def read_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation that `write_evaluation` or an `evaluate` run wrote.

    Raises ReportUnreadable, StorageFailed.
    """
    step = "Evaluate again."
    try:
        report = json.loads((folder / "report.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ReportUnreadable(f"There is no report in {folder}.", "Wait until the run is done.") from error
    except OSError as error:
        raise StorageFailed(f"{folder} can't be read: {error.strerror}.", "Check its permissions.") from error
    except (ValueError, RecursionError) as error:
        raise ReportUnreadable(f"The report in {folder} is damaged.", step) from error
    found = validated(ReportFile, report, lambda fault: _not_an_evaluation(folder, fault))
    if found.format > FORMAT:
        raise ReportUnreadable(f"The report in {folder} was written by a newer version.", "Update EdgeFace Studio.")
    names = [name for name in found.tables if _NAME.fullmatch(name)]
    return Evaluation(
        kind=found.kind,
        title=found.title,
        text=found.text,
        protocol=found.protocol,
        tables={name: read_table(folder, name) for name in names},
    )


def _not_an_evaluation(folder: Path, fault: str) -> ReportUnreadable:
    return ReportUnreadable(f"The report in {folder} is no evaluation: {fault}", "Choose a run of the kind evaluate.")


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """One table of an evaluation, empty columns kept as NaN, text as text. Raises ReportUnreadable."""
    path = folder / "tables" / f"{name}.csv"
    try:
        frame = pd.read_csv(
            path,
            keep_default_na=False,
            na_values=[""],
            dtype_backend="numpy_nullable",
            dtype=dict.fromkeys(_TEXT, "string"),
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except (OSError, ValueError) as error:
        raise ReportUnreadable(f"{path} is missing or damaged.", "Evaluate again.") from error
    return _plain_types(frame)


def read_run(run: Run) -> Evaluation:
    """Return the evaluation of a run. Raises ReportUnreadable, StorageFailed."""
    return read_evaluation(run.path)


def _plain_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as float64 or int64, booleans as bool, text as str with "" where it is empty."""
    for column in frame.columns:
        values = frame[column]
        if pd.api.types.is_bool_dtype(values.dtype) and not values.isna().any():
            frame[column] = values.astype(bool)
        elif pd.api.types.is_integer_dtype(values.dtype) and not values.isna().any():
            frame[column] = values.astype("int64")
        elif pd.api.types.is_numeric_dtype(values.dtype):
            frame[column] = values.astype("float64")
        elif values.isna().all() and column not in _TEXT:
            frame[column] = pd.Series([float("nan")] * len(frame), index=frame.index)
        else:
            frame[column] = values.astype(object).where(values.notna(), "").map(_unquoted)
    return frame


def _unquoted(value: object) -> object:
    """Remove the apostrophe that keeps a spreadsheet from running a cell."""
    text = str(value)
    return text[1:] if text[:1] == "'" and text[1:2] in "=+-@\t\r\n" and len(text) > 1 else text
