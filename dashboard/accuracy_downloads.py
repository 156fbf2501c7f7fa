"""What can be taken away from an evaluation: charts as PNG, tables as CSV, the report as HTML or in an archive."""

from __future__ import annotations

import io
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.csv_export import csv_bytes
from core.errors import StorageFailed
from core.jobs.run_dir import Run
from dashboard.ui.downloads import take

_FILES = ("report.html", "report.json", "operating_points.json", "config.json")


def chart(figure: go.Figure, key: str, *, alt: str, **options: Any) -> Any:
    """A chart with a button that saves it as PNG; `key` is its own on the page and names the file."""
    config = {
        "displaylogo": False,
        "displayModeBar": True,  # where nothing hovers, too
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "filename": slug(f"{key} {alt}"), "scale": 2},
    }
    return st.plotly_chart(figure, key=key, alt=alt, config=config, **options)


def table_download(table: pd.DataFrame, name: str, *, key: str, label: str = "CSV") -> None:
    """A button that saves `table` as CSV; cells that a spreadsheet would run are quoted."""
    take(
        label,
        partial(csv_bytes, table),
        f"{slug(name)}.csv",
        "text/csv",
        key=key,
        kind="tertiary",
        what="evaluation table",
    )


def report_downloads(run: Run) -> None:
    """The report as one HTML file, and everything in one archive."""
    with st.container(horizontal=True, vertical_alignment="center"):
        take(
            "Report (HTML)", partial(_read, run.path / "report.html"), f"{run.name}.html", "text/html",
            icon=":material/description:", key="accuracy_html", what=f"report of {run.id}",
            help="One file with every chart and table; it opens without this program and without a network.",
        )  # fmt: skip
        take(
            "All tables (ZIP)", partial(archive, run), f"{run.name}.zip", "application/zip",
            icon=":material/folder_zip:", key="accuracy_zip", what=f"tables of {run.id}",
        )  # fmt: skip


def archive(run: Run) -> bytes:
    """A run's report and its tables as one ZIP archive. Raises StorageFailed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in [run.path / name for name in _FILES] + sorted((run.path / "tables").glob("*.csv")):
            if path.is_file():
                packed.writestr(path.relative_to(run.path).as_posix(), _read(path))
    return buffer.getvalue()


def slug(text: str) -> str:
    """A file's name of small letters, digits and "-"."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "table"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageFailed(f"{path.name} can't be read: {error.strerror}.", "Evaluate again.") from error
