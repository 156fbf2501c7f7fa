"""The report on a file of weights: keys, health, origin and measured accuracy."""

from __future__ import annotations

import streamlit as st

from core.diagnostics.weights_report import Keys, ModelReport, report_on
from core.encoder.health import MAX_MEAN_ABS_COSINE, MIN_STD
from core.models.encoders import WeightsFile
from core.models.upscalers import UpscalerFile
from core.system.text import count
from dashboard.shell.resources import settings
from dashboard.ui.figure_cells import rates_html
from dashboard.ui.markdown import markup, plain

_KEYS_SHOWN = 40


def report_card(file: WeightsFile | UpscalerFile) -> None:
    """Show the report on a file, computed once per content."""
    report = _report(file.sha256, str(file.path or ""), file)
    if report.ok:
        st.success(_good(report), icon=":material/verified:")
    else:
        st.error(f"**{plain(report.problem)}**\n\n{plain(report.next_step)}", icon=":material/dangerous:")
    st.html(_cells(report))
    if report.keys is not None:
        _keys(report.keys)
    if report.measured is not None:
        st.html(rates_html(report.measured))
        st.caption(f"Equal error rate, lower is better. {plain(report.measured.protocol)}.")
    with st.expander("Model card", icon=":material/badge:"):
        st.html("".join(f"<div class='ef-quiet'>{markup(a)}: {markup(b)}</div>" for a, b in _origin(report) if b))


@st.cache_resource(
    max_entries=16, show_spinner="Reading all keys and testing the weights on faces (once, a few seconds)"
)
def _report(sha256: str, path: str, _file: WeightsFile | UpscalerFile) -> ModelReport:
    return report_on(_file, settings())


def _good(report: ModelReport) -> str:
    if report.kind == "upscaler":
        if report.path is None:
            return "Bicubic interpolation: nothing to load, no invented detail."
        return "The file loads completely and comes closer to real faces than repeated pixels."
    return "The file loads completely and tells different people apart."


def _cells(report: ModelReport) -> str:
    cells: list[tuple[str, str]] = []
    if report.keys is not None:
        cells.append(("Matching keys", f"{report.keys.fit} of {report.keys.expected}"))
    if report.parameters:
        cells.append(("Parameters", f"{report.parameters:,}"))
    if report.health is not None:
        health = report.health
        cells.append((f"Cosine between people (≤\u00a0{MAX_MEAN_ABS_COSINE:.2f})", f"{health.mean_abs_cosine:.3f}"))
        cells.append((f"Spread per dimension (≥\u00a0{MIN_STD})", f"{health.std:.4f}"))
    if report.size_bytes:
        cells.append(("File", f"{report.size_bytes / 1e6:.1f} MB"))
    html = "".join(
        f"<div><span class='ef-quiet'>{markup(a)}</span><div class='ef-name'>{markup(b)}</div></div>" for a, b in cells
    )
    if not html:
        return ""
    return f"<div class='ef-status' style='grid-template-columns:repeat(auto-fit,minmax(10rem,1fr))'>{html}</div>"


def _keys(keys: Keys) -> None:
    st.markdown(plain(keys.line))
    for found, title in (
        (keys.missing, "missing"),
        (keys.unexpected, "unexpected"),
        (keys.misshapen, "of another shape"),
    ):
        if found:
            with st.expander(f"{count(len(found), 'key')} {title}", icon=":material/key_off:"):
                more = len(found) - _KEYS_SHOWN
                rest = f"\n... and {more} more" if more > 0 else ""
                st.code("\n".join(found[:_KEYS_SHOWN]) + rest, language=None)


def _origin(report: ModelReport) -> list[tuple[str, str]]:
    card = report.card
    encoder = report.kind == "encoder"
    parent = f"SHA-256 {card.parent_sha256}" if card.parent_sha256 else ""
    if report.parent:
        parent = f"{report.parent}, {parent}"
    if encoder and not parent and report.origin == "starter":
        parent = "none (random initialisation)"
    sizes = ""
    if "min_px" in card.config:
        sizes = f"{card.config.get('min_px')} to {card.config.get('max_px')} px"
    return [
        ("Kind", f"{report.kind}, {report.origin}"),
        ("Stored as", report.form),
        ("SHA-256", report.sha256 if report.path is not None else ""),
        ("Path", str(report.path or "")),
        ("Parent", parent),
        ("In the space of", f"SHA-256 {card.space_of}" if card.space_of else ""),
        ("Trained by", card.trained_by),
        ("Trained with the upscaler", card.trained_with_upscaler),
        ("Trained for", sizes),
        ("Data", f"SHA-256 {card.data_sha256}" if card.data_sha256 else ""),
        ("Made", card.made_at),
        ("Other tensors, ignored", str(report.companions) if report.companions else ""),
        ("People the head was trained on", f"{report.identities:,}" if report.identities else ""),
        ("Unknown classes, not executed", ", ".join(report.inert_classes)),
    ]
