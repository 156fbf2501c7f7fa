"""Write an evaluation's files: report.json, tables/*.csv and report.html."""

from __future__ import annotations

import json
from pathlib import Path

from core.access.actor import require
from core.access.roles import Permission
from core.csv_export import csv_bytes
from core.evaluation.report_html import report_html
from core.evaluation.result import Evaluation
from core.system.atomic_file import write_atomically


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write every file of an evaluation into `folder`, each one atomically. Raises StorageFailed."""
    write_tables(evaluation, folder)
    report = json.dumps(evaluation.report(), indent=2, allow_nan=False)
    write_atomically(folder / "report.json", report.encode())


def write_tables(evaluation: Evaluation, folder: Path) -> None:
    """Write all files but report.json, which a run's worker writes last: a run with a report is complete.

    Raises StorageFailed.
    """
    require(Permission.RUN)
    for name, table in evaluation.tables.items():
        write_atomically(folder / "tables" / f"{name}.csv", csv_bytes(table))
    write_atomically(folder / "report.html", report_html(evaluation).encode())
