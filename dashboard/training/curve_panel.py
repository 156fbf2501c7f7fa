"""The charts of a training with their explanations, and a DSR's figures compared with bicubic."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.system.text import count
from dashboard.shell.navigation import link
from dashboard.training import charts
from dashboard.training.averages import show_averages
from dashboard.training.data import TrainingEntry, best_row
from dashboard.training.labels import accuracy_explanation, figure_text

_CONFIG = {"displayModeBar": False, "scrollZoom": False}
_MEASURES = {"psnr_db": "PSNR", "ssim": "SSIM", "similarity": "similarity", "eer": "EER"}
_DIAMONDS = " Diamonds: the best epoch averaged with the starting weights, which the run keeps."
_ALIKE = "Over all pairs of validation images, people alike: those with many images don't outweigh the others"
_ALL_PAIRS = "Over all pairs of validation images"
_DASHED = "Dashed: bicubic at the same size."
_LOWER_IS_BETTER = frozenset({"eer"})


def curves(entry: TrainingEntry) -> None:
    """Draw every chart that the run has figures for, two per row where there is room."""
    history = entry.history
    epochs, trace, plan = history.epochs(), history.trace(), history.plan
    before, bicubic = history.before, history.bicubic
    if not len(epochs) and trace.empty:
        if entry.state.live:
            st.caption("Charts appear with the first batches.")
        return
    finetune, notes = entry.run.kind == "finetune", entry.preset == "notes"
    explanation = accuracy_explanation(plan, epochs, entry.preset) if finetune else ""
    if "val.psnr_db" in epochs.columns:
        against_bicubic(entry, plan.shared_identities if plan else None)
    if entry.averaged is not None:
        show_averages(entry.averaged, before)
    accuracy = charts.accuracy_chart(epochs, plan.chance if plan else None, notes=notes)
    if explanation and accuracy is None:
        st.info(explanation, icon=":material/lightbulb:")
    shown: list[tuple[str, go.Figure | None, str]] = [
        ("Loss", charts.loss_chart(epochs, trace), ""),
        (
            "Equal error rate",
            charts.eer_chart(epochs, before, bicubic, entry.averaged),
            f"{_ALIKE if plan is not None and plan.alike else _ALL_PAIRS}; lower is better. Epoch 0: before training."
            + (_DIAMONDS if entry.averaged is not None and entry.averaged.share < 1 else ""),
        ),
        (
            "Landmark error",
            charts.landmark_chart(epochs),
            "In px of a crop of 112 px, by the size of the face; lower is better.",
        ),
        ("Accuracy", accuracy, explanation),
        ("PSNR", charts.picture_chart(epochs, "psnr_db", before, bicubic), _DASHED),
        ("SSIM", charts.picture_chart(epochs, "ssim", before, bicubic), _DASHED),
        (
            "Similarity",
            charts.similarity_chart(epochs, before, bicubic, notes=finetune and notes),
            "Between the super-resolved face and its HR image. A value near 1 for everyone is a warning sign.",
        ),
        ("Parts of the loss", charts.parts_chart(epochs), "On a logarithmic axis."),
        ("Learning rate", charts.rate_chart(epochs), ""),
        ("Images per second", charts.speed_chart(epochs, trace), ""),
    ]
    drawn = [(title, figure, text) for title, figure, text in shown if figure is not None]
    for start in range(0, len(drawn), 2):
        row = drawn[start : start + 2]
        for column, (title, figure, text) in zip(st.columns(len(row), gap="medium"), row, strict=True):
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


def against_bicubic(entry: TrainingEntry, shared: int | None) -> None:
    """Show the figures of the weights that the run keeps, by size, with those of bicubic upscaling."""
    epochs, averaged = entry.history.epochs(), entry.averaged
    row = best_row(epochs)
    if row is None:
        return
    kept = row if averaged is None else pd.Series(averaged.kept)
    rows = bicubic_rows(kept, charts.sizes(epochs), entry.history.bicubic)
    if not rows:
        return
    mean = "" if averaged is None or averaged.share == 1 else f", averaged ({averaged.percent} fine-tuned)"
    st.markdown(f"**Compared with bicubic**: {'best' if row['best'] else 'last'} epoch ({row['step']:.0f}){mean}")
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True)
    overlap = {None: "", 0: " No person in validation is in the training data."}.get(
        shared, f" Validation shares {count(shared or 0, 'person', 'people')} with training."
    )
    st.caption(f"Measured on validation. Bold: the network is better than bicubic.{overlap}")


def bicubic_rows(row: pd.Series, sizes: list[str], bicubic: Mapping[str, float]) -> list[dict[str, str]]:
    """One row per size, or one for all: each measure as "**24.10 dB** (bicubic 22.10 dB)", bold if better."""
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
