"""One HTML file that says everything: figures, charts, protocol. It needs nothing but a browser, and no network.

Plotly's JavaScript (some 5 MB) stands in it once. Every text that comes from data is escaped.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from core.evaluation import plots
from core.evaluation.result import TITLES, flattery
from core.evaluation.table_format import compact

if TYPE_CHECKING:
    from core.evaluation.result import Evaluation

_ROWS = 60
_BY = ("system", "mode", "degradation", "probe", "pairing")
_HIDDEN = frozenset({"curves", "histograms", "cmc", "probes", "sr_quality"})
"""Tables that are drawn, not written out."""

_STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2526; background: #fff; margin: 0 auto; padding: 24px 20px 64px;
  max-width: 1180px }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 19px; margin: 40px 0 8px }
h3 { font-size: 15px; margin: 20px 0 4px }
p.lead { font-size: 17px; margin: 4px 0 20px } p.note { color: #566062; margin: 4px 0 12px }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: 4px 10px; border-bottom: 1px solid #e3e8e8; text-align: right; white-space: nowrap }
th { color: #566062; font-weight: 600; position: sticky; top: 0; background: #fff }
td:first-child, th:first-child, td.text, th.text { text-align: left }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 12px 24px }
.charts > div { min-width: 0 } code, pre { font-size: 12px; overflow-wrap: anywhere; white-space: pre-wrap }
@media print { .charts { display: block } }
"""

_NOTES = {
    "verification": "Rates in percent, 95 % intervals over people in brackets (Wilson's, with resampled people as "
    "trials); a dash where the impostor pairs are too few to tell. Beside every rate: the share of images without a "
    "usable face. An accuracy's ± is its standard error over folds.",
    "benchmark": "As in published figures every probe counts: one without a usable face is an error.",
    "identification": "Each image searched among all people; its own photograph isn't among its person's templates.",
    "open_set": "FPIR: strangers who get a name. DIR: enrolled people who get their own. A threshold belongs to its "
    "gallery size.",
    "per_identity": "Worst first; intervals are Wilson's over the person's probes.",
    "groups": "Each probe searched among everybody. Intervals come from resampling people; compare no group that is "
    "marked as few. A difference may come from the photographs as well as from the people on them.",
    "reject": "Images go by how well their embedding agrees with that of their mirror image, worst first.",
    "sweep": "Choosing a threshold here and reporting on the same data flatters: calibrate on other people.",
    "sr_summary": "Against the HR crop; super-resolution invents detail that a higher figure doesn't prove true.",
}


def report_html(evaluation: Evaluation) -> str:
    """The whole report as one document."""
    parts = [f"<h1>{_text(evaluation.title)}</h1>", f'<p class="lead">{_text(evaluation.text)}</p>', _facts(evaluation)]
    parts[2:2] = [f'<p class="note">{_text(warning)}</p>' for warning in flattery(evaluation.protocol)]
    scripts: list[str] = []
    for name in TITLES:
        table = evaluation.table(name)
        charts = list(_charts(name, evaluation))
        if table.empty or (name in _HIDDEN and not charts):
            continue
        parts.append(f"<h2>{_text(TITLES[name])}</h2>")
        if note := _NOTES.get(name):
            parts.append(f'<p class="note">{_text(note)}</p>')
        if charts:
            parts.append(_chart_html(charts, scripts))
        if name not in _HIDDEN:
            parts.append(_table_html(name, table))
    protocol = json.dumps(evaluation.protocol, indent=2, default=str, ensure_ascii=False)
    parts.append(f"<h2>Protocol</h2><pre>{_text(protocol)}</pre>")
    body = "\n".join(parts)
    drawing = "\n".join(scripts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(evaluation.title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script></head>\n"
        f"<body>\n{body}\n<script>\n{drawing}\n</script></body></html>\n"
    )


def _facts(evaluation: Evaluation) -> str:
    said = evaluation.protocol
    facts: list[tuple[str, Any]] = [
        ("Data", said.get("data")),
        ("People", said.get("people")),
        ("Pictures", said.get("pictures")),
        ("Data SHA-256", said.get("data_sha256")),
        ("Made", said.get("made_at")),
    ]
    for system in said.get("systems", []):
        kind = system.get("encoder", system.get("name", ""))
        facts.append(
            (str(system.get("label", "Weights")), f"{kind}, weights SHA-256 {system.get('weights_sha256', '')}")
        )
    versions = said.get("versions", {})
    facts.append(("Versions", ", ".join(f"{name} {number}" for name, number in versions.items())))
    rows = "".join(
        f'<tr><td>{_text(name)}</td><td class="text"><code>{_text(f"{value:,}" if isinstance(value, int) else value)}'
        "</code></td></tr>"
        for name, value in facts
        if value not in (None, "")
    )
    return f'<div class="scroll"><table>{rows}</table></div>'


def _charts(name: str, evaluation: Evaluation) -> Iterator[tuple[str, go.Figure]]:
    """(title, chart) for a table."""
    table = evaluation.table(name)
    if table.empty:
        return
    if name == "verification":
        from core.evaluation.resolution import resolution_table

        resolution = resolution_table(evaluation) if "system" in table else pd.DataFrame()
        if len(resolution) and resolution["size_px"].nunique() > 1:
            against_hr = resolution[resolution["pairing"] != "VLR-VLR"]
            for measure, title in (("eer", "EER against HR"), ("tar", "TAR at FAR 0.1 %"), ("rank1", "Rank-1")):
                if measure in against_hr and against_hr[measure].notna().any():
                    yield f"{title} by probe size", plots.resolution_chart(against_hr, measure, _BY[:3])
    elif name == "curves":
        yield "ROC", plots.roc_chart(table, _BY)
        yield "DET", plots.det_chart(table, _BY)
    elif name == "histograms":
        for values, some in list(table.groupby(list(_BY), sort=False))[:8]:
            said = ", ".join(str(value) for value in values if str(value))
            yield said, plots.histogram_chart(some, evaluation.protocol.get("plan", {}).get("threshold"))
    elif name == "cmc":
        yield "CMC", plots.cmc_chart(table, _BY[:4])
    elif name == "per_identity":
        told = table[~table["few"].astype(bool)]
        for values, some in list((told if len(told) else table).groupby(list(_BY[:4]), sort=False))[-1:]:
            said = ", ".join(str(value) for value in values if str(value))
            yield f"Worst people: {said}", plots.per_identity_chart(some)
    elif name == "reject":
        yield "Error against reject", plots.reject_chart(table, _BY)
    elif name == "sr_quality":
        for measure, title in (("psnr_db", "PSNR"), ("ssim", "SSIM"), ("similarity", "Identity similarity")):
            yield title, plots.distribution_chart(table, measure)


def _chart_html(charts: list[tuple[str, go.Figure]], scripts: list[str]) -> str:
    cells = []
    for title, figure in charts:
        key = f"chart{len(scripts)}"
        data = figure.to_json().replace("</", "<\\/")
        scripts.append(f"{{const f = {data}; Plotly.newPlot('{key}', f.data, f.layout, {{responsive: true}});}}")
        cells.append(f'<div><h3>{_text(title)}</h3><div id="{key}"></div></div>')
    return f'<div class="charts">{"".join(cells)}</div>'


def _table_html(name: str, table: pd.DataFrame) -> str:
    shown = compact(name, table.head(_ROWS))
    text = [column for column in shown.columns if shown[column].map(lambda cell: isinstance(cell, str)).all()]
    numeric = {column for column in text if shown[column].str.fullmatch(r"[-\d.,% ±\[\]]*").all()}
    classes = {column: ' class="text"' if column in text and column not in numeric else "" for column in shown.columns}
    head = "".join(f"<th{classes[column]}>{_text(column)}</th>" for column in shown.columns)
    rows = "".join(
        "<tr>"
        + "".join(f"<td{classes[c]}>{_text(cell)}</td>" for c, cell in zip(shown.columns, row, strict=True))
        + "</tr>"
        for row in shown.itertuples(index=False, name=None)
    )
    more = f'<p class="note">The first {_ROWS} of {len(table):,} rows; all are in tables/{name}.csv.</p>'
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{more if len(table) > _ROWS else ''}"
    )


def _text(value: object) -> str:
    return html.escape(str(value))
