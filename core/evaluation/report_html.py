"""The HTML report of an evaluation: figures, charts and protocol in one file that needs no network.

The page is the Jinja2 template `report.html.jinja`, which escapes every text. It holds Plotly's JavaScript (about 5 MB)
once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count, islice
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from core.evaluation import people_alike, plots
from core.evaluation.result import TITLES, Evaluation, resolution_table, training_overlap
from core.evaluation.table_format import compact

_ROWS = 60
_GROUP_CHARTS = 24
_BY = ("system", "mode", "degradation", "probe", "pairing")
_BY_SIZE = (
    ("eer", "EER against HR"),
    ("eer_alike", "EER against HR, people alike"),
    ("tar", "TAR at FAR 0.1 %"),
    ("tar_alike", "TAR at FAR 0.1 %, people alike"),
    ("rank1", "Rank-1"),
)
"""The columns of `resolution_table` that are drawn by probe size, with their titles."""
_HIDDEN = frozenset({"curves", "histograms", "cmc", "probes", "sr_quality"})
"""Tables that are shown as charts only."""

_NOTES = {
    "verification": "Rates in percent, 95 % intervals over people in brackets (Wilson's, with resampled people as "
    "trials); a dash where there are too few impostor pairs. Not acquired: the share of images without a usable "
    "face. An accuracy's ± is its standard error over folds. " + people_alike.NOTE,
    "benchmark": "As in published figures, every probe counts: one without a usable face is an error.",
    "identification": "Each image is searched among all people, without its own photograph.",
    "open_set": "FPIR: strangers who get a name. DIR: enrolled people who get their own. A threshold belongs to its "
    "gallery size.",
    "per_identity": "Worst first; intervals are Wilson's over the person's probes.",
    "groups": "Each probe is searched among all people. Intervals come from resampling people; don't compare groups "
    "that are marked as few. A difference may come from the photographs as well as from the people on them.",
    "similarity": plots.GROUP_NOTE,
    "published": "Others aligned faces in their own way: figures by different aligners can't be compared.",
    "sweep": "A threshold chosen here and reported on the same data gives optimistic figures: calibrate on "
    "other people.",
    "sr_summary": "Against the HR crop; super-resolution invents detail that a higher figure doesn't prove true.",
}


def report_html(evaluation: Evaluation) -> str:
    """Return the whole report as one HTML document."""
    numbers = count()
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    return environment.get_template("report.html.jinja").render(
        title=evaluation.title,
        text=evaluation.text,
        warnings=training_overlap(evaluation.protocol),
        facts=_facts(evaluation.protocol),
        sections=[section for name, title in TITLES.items() if (section := _section(name, title, evaluation, numbers))],
        protocol=json.dumps(evaluation.protocol, indent=2, default=str, ensure_ascii=False),
        plotly=Markup(get_plotlyjs()),  # nosec B704  # the library's own code
    )


def _section(name: str, title: str, evaluation: Evaluation, numbers: Iterator[int]) -> dict[str, Any] | None:
    table = evaluation.table(name)
    charts = [
        {"title": heading, "html": _chart_html(figure, next(numbers))} for heading, figure in _charts(name, evaluation)
    ]
    if table.empty or (name in _HIDDEN and not charts):
        return None
    note = plots.reject_note(table) if name == "reject" else _NOTES.get(name)
    section: dict[str, Any] = {"title": title, "note": note, "charts": charts}
    if name not in _HIDDEN:
        section["table"] = _table_html(name, table)
        if len(table) > _ROWS:
            section["more"] = f"The first {_ROWS} of {len(table):,} rows; all are in tables/{name}.csv."
    return section


def _facts(protocol: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts: list[tuple[str, Any]] = [
        ("Data", protocol.get("data")),
        ("People", protocol.get("people")),
        ("Pictures", protocol.get("pictures")),
        ("Data SHA-256", protocol.get("data_sha256")),
        ("Aligner", protocol.get("aligner")),
        ("Measured at", protocol.get("made_at")),
    ]
    for system in protocol.get("systems", []):
        kind = system.get("encoder", system.get("name", ""))
        weights = f"{kind}, weights SHA-256 {system.get('weights_sha256', '')}"
        facts.append((str(system.get("label", "Weights")), weights))
    versions = protocol.get("versions", {})
    facts.append(("Versions", ", ".join(f"{name} {number}" for name, number in versions.items())))
    return [
        (name, f"{value:,}" if isinstance(value, int) else str(value))
        for name, value in facts
        if value not in (None, "")
    ]


def _charts(name: str, evaluation: Evaluation) -> Iterator[tuple[str, go.Figure]]:
    """(title, chart) for a table."""
    table = evaluation.table(name)
    if table.empty:
        return
    if name == "verification":
        resolution = resolution_table(evaluation) if "system" in table else pd.DataFrame()
        if len(resolution) and resolution["size_px"].nunique() > 1:
            against_hr = resolution[resolution["pairing"] != "VLR-VLR"]
            for measure, title in _BY_SIZE:
                if measure in against_hr and against_hr[measure].notna().any():
                    yield f"{title} by probe size", plots.resolution_chart(against_hr, measure, _BY[:3])
    elif name == "curves":
        yield "ROC", plots.roc_chart(table, _BY)
        yield "DET", plots.det_chart(table, _BY)
    elif name == "histograms":
        for values, some in list(table.groupby(list(_BY), sort=False))[:8]:
            heading = ", ".join(str(value) for value in values if str(value))
            yield heading, plots.histogram_chart(some, evaluation.protocol.get("plan", {}).get("threshold"))
    elif name == "cmc":
        yield "CMC", plots.cmc_chart(table, _BY[:4])
    elif name == "per_identity":
        enough = table[~table["few"].astype(bool)]
        for values, some in list((enough if len(enough) else table).groupby(list(_BY[:4]), sort=False))[-1:]:
            heading = ", ".join(str(value) for value in values if str(value))
            yield f"Worst people: {heading}", plots.per_identity_chart(some)
    else:
        yield from _whole_charts(name, table)


def _whole_charts(name: str, table: pd.DataFrame) -> Iterator[tuple[str, go.Figure]]:
    """(title, chart) for a table whose charts are made by one function."""
    if name == "similarity":
        yield from islice(plots.group_charts(table), _GROUP_CHARTS)
    elif name == "reject":
        yield from plots.reject_charts(table, _BY)
    elif name == "sr_quality":
        for measure, title in (("psnr_db", "PSNR"), ("ssim", "SSIM"), ("similarity", "Identity similarity")):
            yield title, plots.distribution_chart(table, measure)


def _chart_html(figure: go.Figure, number: int) -> Markup:
    """A chart without the library, which the page holds once. Plotly escapes the data inside its script."""
    text = to_html(
        figure, include_plotlyjs=False, full_html=False, div_id=f"chart{number}", config={"responsive": True}
    )
    return Markup(text)  # nosec B704


def _table_html(name: str, table: pd.DataFrame) -> Markup:
    shown = compact(name, table.head(_ROWS))
    text_columns = [
        f"text-{number}"
        for number, column in enumerate(shown.columns, start=1)
        if not shown[column].str.fullmatch(r"[-\d.,% ±\[\]]*").all()
    ]
    return Markup(shown.to_html(index=False, escape=True, border=0, classes=text_columns))  # nosec B704  # escaped
