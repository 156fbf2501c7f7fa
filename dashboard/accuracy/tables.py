"""Every table of an evaluation as it can be read, and its protocol."""

from __future__ import annotations

import io
import json
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
from core.evaluation import plots
from core.evaluation.result import TITLES, Evaluation
from core.evaluation.table_format import compact
from core.jobs.run_dir import Run
from dashboard.accuracy.data import EvaluationEntry
from dashboard.shell.downloads import offer_download
from dashboard.ui.markdown import plain

ROWS = 500
_DRAWN = frozenset({"curves", "histograms", "cmc", "probes", "sr_quality"})
"""Long tables that are shown as charts, or in other parts."""

_NOTES = {
    "open_set": "FPIR: strangers who get a name. DIR: enrolled people who get their own. A threshold belongs to its "
    "gallery's size.",
    "reject": "Images go by how well their embedding agrees with that of their mirror image, worst first; without flip "
    "those of a sample of people.",
    "sweep": "Choosing a threshold here and reporting on the same data flatters: calibrate on other people.",
    "sr_summary": "Against the HR crop. Super-resolution invents detail that a higher figure doesn't prove true.",
    "verification": "A dash where the impostor pairs are too few to tell. An accuracy's ± is its standard error over "
    "folds.",
    "benchmark": "Every probe counts, as in published figures: one without a usable face is an error.",
}


def tables_part(entry: EvaluationEntry, evaluation: Evaluation) -> None:
    """Each table in a fold, rates in percent with 95 % intervals, and what is drawn from it."""
    st.caption("Rates in percent, 95 % intervals in brackets. The CSV files hold fractions.")
    for name, title in TITLES.items():
        table = evaluation.table(name)
        if table.empty or name in _DRAWN:
            continue
        with st.expander(f"{title} ({len(table):,})", key=f"accuracy_table_{name}"):
            if name in _NOTES:
                st.caption(_NOTES[name])
            _drawn(name, evaluation)
            shown = compact(name, table.head(ROWS))
            st.dataframe(shown, hide_index=True, height=min(420, 38 + 35 * max(1, len(shown))))
            if len(table) > ROWS:
                st.caption(f"The first {ROWS} of {len(table):,} rows; all are in the CSV.")
            table_download(table, f"{entry.run.name}-{name}", key=f"accuracy_csv_{name}")


def _drawn(name: str, evaluation: Evaluation) -> None:
    if name == "reject":
        by = ("system", "mode", "degradation", "probe", "pairing")
        table = evaluation.table(name)
        chart(plots.reject_chart(table[table["pairing"] == "VLR-HR"], by), "accuracy_reject", alt="Errors by rejection")
    quality = evaluation.table("sr_quality")
    if name == "sr_summary" and not quality.empty:
        for measure, said in (("psnr_db", "PSNR"), ("ssim", "SSIM"), ("similarity", "identity similarity")):
            chart(plots.distribution_chart(quality, measure), f"accuracy_sr_{measure}", alt=f"{said} by size")


def protocol_part(entry: EvaluationEntry, evaluation: Evaluation) -> None:
    """What a reader needs to make the figures again."""
    said = evaluation.protocol
    st.markdown(plain(said.get("protocol", "")))
    facts = {
        "Data": said.get("data"),
        "Split": said.get("split"),
        "People": said.get("people"),
        "Pictures": said.get("pictures"),
        "Data, SHA-256": said.get("data_sha256"),
        "Made": said.get("made_at"),
        "Run": entry.run.id,
    }
    for system in said.get("systems", []):
        facts[f"{system.get('label')}: weights, SHA-256"] = system.get("weights_sha256")
        facts[f"{system.get('label')}: upscaler"] = system.get("upscaler_id")
    facts["Versions"] = ", ".join(f"{name} {number}" for name, number in (said.get("versions") or {}).items())
    rows = [(name, f"{value:,}" if isinstance(value, int) else str(value)) for name, value in facts.items() if value]
    st.dataframe(pd.DataFrame(rows, columns=["what", "value"]), hide_index=True)
    with st.expander("Everything, as JSON", icon=":material/data_object:"):
        st.code(json.dumps(said, indent=2, default=str, ensure_ascii=False), language="json", height=320)
    if entry.config.get("command"):
        st.caption("The same from the command line:")
        st.code(str(entry.config["command"]), language=None, wrap_lines=True)


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
    offer_download(
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
        offer_download(
            "Report (HTML)",
            partial(_read, run.path / "report.html"),
            f"{run.name}.html",
            "text/html",
            icon=":material/description:",
            key="accuracy_html",
            what=f"report of {run.id}",
            help="One file with every chart and table; it opens without this program and without a network.",
        )
        offer_download(
            "All tables (ZIP)",
            partial(archive, run),
            f"{run.name}.zip",
            "application/zip",
            icon=":material/folder_zip:",
            key="accuracy_zip",
            what=f"tables of {run.id}",
        )


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
