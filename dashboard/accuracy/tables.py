"""All tables of an evaluation, its protocol, and the downloads."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.csv_export import csv_bytes
from core.errors import StorageFailed
from core.evaluation import people_alike, plots
from core.evaluation.result import TITLES, Evaluation
from core.evaluation.table_format import compact, is_rate
from core.jobs.run_dir import Run
from dashboard.accuracy.data import EvaluationEntry
from dashboard.shell.downloads import offer_download
from dashboard.ui.markdown import markup, nonbreaking, plain

ROWS = 500
_SHOWN_ELSEWHERE = frozenset({"curves", "histograms", "cmc", "probes", "sr_quality"})
"""Long tables that are shown as charts or in other parts."""

_NOTES = {
    "open_set": "FPIR: share of strangers who are named. DIR: share of enrolled people who are named correctly. A "
    "threshold is valid for one gallery size.",
    "similarity": plots.GROUP_NOTE,
    "sweep": "A threshold chosen here and reported on the same data is optimistic. Calibrate it on other people.",
    "sr_summary": "Compared with the HR crop. Super-resolution invents detail; a higher figure doesn't prove it true.",
    "verification": "A dash means too few impostor pairs. The ± of an accuracy is its standard error over folds. "
    + people_alike.NOTE,
    "benchmark": "Every probe counts, as in published figures; one without a usable face is an error.",
}


def tables_part(entry: EvaluationEntry, evaluation: Evaluation) -> None:
    """Each table in an expander, with its charts; one alone is open."""
    tables = {name: evaluation.table(name) for name in TITLES if name not in _SHOWN_ELSEWHERE}
    tables = {name: table for name, table in tables.items() if not table.empty}
    unit = "Rates in percent, 95 % intervals in brackets. The CSV files contain fractions."
    if not any(is_rate(str(column)) for table in tables.values() for column in table.columns):
        unit = "95 % intervals in brackets."
    st.caption(nonbreaking(unit))
    for name, table in tables.items():
        with st.expander(f"{TITLES[name]} ({len(table):,})", key=f"accuracy_table_{name}", expanded=len(tables) == 1):
            note = plots.reject_note(table) if name == "reject" else _NOTES.get(name)
            if note:
                st.caption(note)
            _charts(name, evaluation)
            shown = compact(name, table.head(ROWS))
            st.dataframe(shown, hide_index=True, height=min(420, 38 + 35 * max(1, len(shown))))
            if len(table) > ROWS:
                st.caption(f"The first {ROWS} of {len(table):,} rows; all are in the CSV.")
            table_download(table, f"{entry.run.name}-{name}", key=f"accuracy_csv_{name}")


def _charts(name: str, evaluation: Evaluation) -> None:
    if name == "reject":
        by = ("system", "mode", "degradation", "probe", "pairing")
        table = evaluation.table(name)
        for number, (title, figure) in enumerate(plots.reject_charts(table[table["pairing"] == "VLR-HR"], by)):
            st.markdown(f"**{title}**")
            chart(figure, f"accuracy_reject_{number}", alt=title)
    if name == "similarity":
        table = evaluation.table(name)
        smallest = table[table["size_px"] == table["size_px"].min()]
        for number, (title, figure) in enumerate(plots.group_charts(smallest)):
            st.markdown(f"**{plain(title)}**")
            chart(figure, f"accuracy_similarity_{number}", alt=title)
    quality = evaluation.table("sr_quality")
    if name == "sr_summary" and not quality.empty:
        for measure, title in (("psnr_db", "PSNR"), ("ssim", "SSIM"), ("similarity", "identity similarity")):
            chart(plots.distribution_chart(quality, measure), f"accuracy_sr_{measure}", alt=f"{title} by size")


def protocol_part(entry: EvaluationEntry, evaluation: Evaluation) -> None:
    """The facts that are needed to reproduce the figures."""
    protocol = evaluation.protocol
    text = str(protocol.get("protocol", "")).rstrip(".").replace(">=", "≥")
    st.markdown(plain(f"{text[:1].upper()}{text[1:]}."))
    facts = {
        "Data": protocol.get("data"),
        "Split": protocol.get("split"),
        "People": protocol.get("people"),
        "Images": protocol.get("pictures"),
        "SHA-256 of the data": protocol.get("data_sha256"),
        "Aligner": protocol.get("aligner"),
        "Measured at": protocol.get("made_at"),
        "Run": entry.run.id,
    }
    for system in protocol.get("systems", []):
        facts[f"Weights of {system.get('label')}, SHA-256"] = system.get("weights_sha256")
        facts[f"Upscaler of {system.get('label')}"] = system.get("upscaler_id")
    facts["Versions"] = ", ".join(f"{name} {number}" for name, number in (protocol.get("versions") or {}).items())
    st.html(facts_html({name: value for name, value in facts.items() if value}))
    with st.expander("Full protocol (JSON)", icon=":material/data_object:"):
        st.code(json.dumps(protocol, indent=2, default=str, ensure_ascii=False), language="json", height=320)
    if entry.config.get("command"):
        st.caption("From the command line:")
        st.code(str(entry.config["command"]), language=None, wrap_lines=True)


def facts_html(facts: Mapping[str, object]) -> str:
    """Facts as a list of names and values that wraps on a narrow screen; everything is escaped."""
    cells = "".join(
        f"<dt>{markup(name)}</dt><dd>{markup(f'{value:,}' if isinstance(value, int) else value)}</dd>"
        for name, value in facts.items()
    )
    return f"<dl class='ef-list'>{cells}</dl>"


_FILES = ("report.html", "report.json", "operating_points.json", "config.json")


def chart(figure: go.Figure, key: str, *, alt: str, **options: Any) -> Any:
    """A chart with a button that saves it as PNG; `key` is unique on the page and part of the file's name."""
    config = {
        "displaylogo": False,
        "displayModeBar": True,  # where nothing hovers, too
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "filename": slug(f"{key} {alt}"), "scale": 2},
    }
    return st.plotly_chart(figure, key=key, alt=alt, config=config, **options)


def table_download(table: pd.DataFrame, name: str, *, key: str, label: str = "CSV") -> None:
    """A button that saves `table` as CSV; cells that a spreadsheet would run as formulas are quoted."""
    offer_download(
        label,
        partial(csv_bytes, table),
        f"{slug(name)}.csv",
        "text/csv",
        key=key,
        type="tertiary",
        what="evaluation table",
    )


def report_downloads(run: Run) -> None:
    """Buttons for the report as one HTML file and for all files as an archive."""
    with st.container(horizontal=True, vertical_alignment="center"):
        offer_download(
            "Report (HTML)",
            partial(_read, run.path / "report.html"),
            f"{run.name}.html",
            "text/html",
            icon=":material/description:",
            key="accuracy_html",
            what=f"report of {run.id}",
            help="One file with every chart and table. It opens in any browser, also offline.",
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
    """The report and the tables of a run as a ZIP archive. Raises StorageFailed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in [run.path / name for name in _FILES] + sorted((run.path / "tables").glob("*.csv")):
            if path.is_file():
                packed.writestr(path.relative_to(run.path).as_posix(), _read(path))
    return buffer.getvalue()


def slug(text: str) -> str:
    """`text` as a file name of lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "table"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageFailed(f"{path.name} can't be read: {error.strerror}.", "Run the evaluation again.") from error
