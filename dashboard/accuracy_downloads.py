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

from core.csv_safe import csv_text
from core.errors import StorageFailed
from core.jobs.run_dir import Run

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
    st.download_button(
        label, partial(_csv, table), file_name=f"{slug(name)}.csv", mime="text/csv", icon=":material/download:",
        on_click="ignore", key=key, type="tertiary",
    )  # fmt: skip


def report_downloads(run: Run) -> None:
    """The report as one HTML file, and everything in one archive."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Report (HTML)", partial(_read, run.path / "report.html"), file_name=f"{run.name}.html", mime="text/html",
            icon=":material/description:", on_click="ignore", key="accuracy_html",
            help="One file with every chart and table; it opens without this program and without a network.",
        )  # fmt: skip
        st.download_button(
            "All tables (ZIP)", partial(archive, run), file_name=f"{run.name}.zip", mime="application/zip",
            icon=":material/folder_zip:", on_click="ignore", key="accuracy_zip",
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


def _csv(table: pd.DataFrame) -> bytes:
    return csv_text(table).encode("utf-8")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageFailed(f"{path.name} can't be read: {error.strerror}.", "Evaluate again.") from error
