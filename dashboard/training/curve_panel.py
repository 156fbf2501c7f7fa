"""The charts of a run as it goes, each with what it means in a sentence, and a DSR's table against bicubic."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.system.text import count
from dashboard.shell.navigation import link
from dashboard.training import charts
from dashboard.training.data import Seen, best_row
from dashboard.training.labels import accuracy_words, figure_text

_CONFIG = {"displayModeBar": False, "scrollZoom": False}
_MEASURES = {"psnr_db": "PSNR", "ssim": "SSIM", "similarity": "similarity", "eer": "EER"}
_EER_TEXT = "Over all pairs of validation images: lower is better. At 0: before training."
_LOWER_IS_BETTER = frozenset({"eer"})


def curves(seen: Seen) -> None:
    """Every chart that the run has figures for, two a row where there is room."""
    history = seen.history
    epochs, trace, plan = history.epochs(), history.trace(), history.plan
    before, bicubic = history.before, history.bicubic
    if not len(epochs) and trace.empty:
        if seen.state.live:
            st.caption("Charts appear with the first batches.")
        return
    notes = seen.preset == "notes"
    meaning = accuracy_words(plan, epochs, seen.preset) if seen.run.kind == "finetune" else ""
    if "val.psnr_db" in epochs.columns:
        against_bicubic(epochs, bicubic, plan.shared_identities if plan else None)
    shown: list[tuple[str, go.Figure | None, str]] = [
        ("Loss", charts.loss_chart(epochs, trace), ""),
        (
            "Equal error rate",
            charts.eer_chart(epochs, before, bicubic),
            _EER_TEXT,
        ),
        ("Accuracy", charts.accuracy_chart(epochs, plan.chance if plan else None, notes=notes), meaning),
        ("PSNR", charts.picture_chart(epochs, "psnr_db", before, bicubic), "Dashed: bicubic at the same size."),
        ("SSIM", charts.picture_chart(epochs, "ssim", before, bicubic), "Dashed: bicubic at the same size."),
        (
            "Similarity",
            charts.similarity_chart(epochs, before, bicubic, notes=notes and seen.run.kind == "finetune"),
            "Of the enlarged face and the sharp one. Near 1 for everybody it is an alarm, not a success.",
        ),
        ("Parts of the loss", charts.parts_chart(epochs), "On a logarithmic axis."),
        ("Learning rate", charts.rate_chart(epochs), ""),
        ("Images a second", charts.speed_chart(epochs, trace), ""),
    ]
    if meaning and not any(title == "Accuracy" and figure is not None for title, figure, _ in shown):
        st.info(meaning, icon=":material/lightbulb:")
    there = [(title, figure, text) for title, figure, text in shown if figure is not None]
    for start in range(0, len(there), 2):
        for column, (title, figure, text) in zip(st.columns(2, gap="medium"), there[start : start + 2], strict=False):
            with column:
                _chart(title, figure, text)


def _chart(title: str, figure: go.Figure, text: str) -> None:
    st.markdown(f"**{title}**")
    key = f"training_chart_{title.lower().replace(' ', '_')}"
    st.plotly_chart(figure, key=key, config=_CONFIG, alt=f"{title} by epoch")
    if text:
        st.caption(text)
    if title == "Accuracy":
        link("help", "Why validation accuracy can stay at 0 %", icon=":material/help:", topic="zero-accuracy")


def against_bicubic(epochs: pd.DataFrame, bicubic: Mapping[str, float], shared: int | None) -> None:
    """The best epoch's figures by size beside bicubic's, better ones marked."""
    row = best_row(epochs)
    rows = [] if row is None else bicubic_rows(row, charts.sizes(epochs), bicubic)
    if row is None or not rows:
        return
    st.markdown(f"**Against bicubic**, {'best' if row['best'] else 'last'} epoch ({row['step']:.0f})")
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True)
    whom = {None: "", 0: " Nobody in it was trained on."}.get(
        shared, f" It shares {count(shared or 0, 'person', 'people')} with training."
    )
    st.caption(f"Bold where the network is better, on validation.{whom}")


def bicubic_rows(row: pd.Series, sizes: list[str], bicubic: Mapping[str, float]) -> list[dict[str, str]]:
    """One row a size (or one for all): each measure as "**24.10 dB** (bicubic 22.10 dB)", bold where it is better."""
    places = [(f"{size} px", f"val.by_size.{size}.") for size in sizes if f"val.by_size.{size}.psnr_db" in row.index]
    rows: list[dict[str, str]] = []
    for name, prefix in places or [("all", "val.")]:
        cells = {"size": name}
        for measure, title in _MEASURES.items():
            ours, theirs = row.get(f"{prefix}{measure}"), bicubic.get(f"{prefix}{measure}")
            if ours is None or pd.isna(ours):
                continue
            text = figure_text(f"val.{measure}", ours)
            if theirs is not None and pd.notna(theirs):
                better = ours < theirs if measure in _LOWER_IS_BETTER else ours > theirs
                text = f"{f'**{text}**' if better else text} (bicubic {figure_text(f'val.{measure}', theirs)})"
            cells[title] = text
        if len(cells) > 1:
            rows.append(cells)
    return rows
