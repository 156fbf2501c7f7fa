"""The end of a training: averages of the trained encoder with the weights that it started from, as the run reports
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from core.training.run_events import figures_of, number_of
from dashboard.training.labels import ERROR_RATES, FIGURES, figure_text

_COLUMNS = (*ERROR_RATES, "val.similarity")


@dataclass(frozen=True)
class Averaged:
    """The shares of the fine-tuned weights that were measured, and `share`, which the run keeps (1: the fine-tuned
    weights themselves). Figures are named as the columns of `History.epochs`; none where embeddings had collapsed."""

    share: float
    by_share: Mapping[float, Mapping[str, float]]

    @property
    def kept(self) -> Mapping[str, float]:
        """The figures of the weights in the run's file."""
        return self.by_share[self.share]

    @property
    def percent(self) -> str:
        return _percent(self.share)


def read_averaged(report: Mapping[str, Any], trained: Mapping[str, float]) -> Averaged | None:
    """The averages of a run's report, beside the figures of its best epoch; None where nothing was averaged."""
    said = report.get("averages")
    measured = said.items() if isinstance(said, Mapping) else ()
    by_share = {share: figures_of(figures) for text, figures in measured if (share := _share_of(text)) is not None}
    if not by_share:
        return None
    share = number_of(report.get("averaged_with_start"))
    kept = 1.0 if share is None else share
    by_share[1.0] = dict(trained)
    by_share[kept] = by_share.get(kept) or figures_of(report.get("figures"))
    return Averaged(kept, by_share)


def averages_table(averaged: Averaged, before: Mapping[str, float]) -> pd.DataFrame:
    """One row per share, that of the starting weights (`before`) first; what the run keeps is bold."""
    by_share = {0.0: before, **averaged.by_share}
    measured = [column for column in _COLUMNS if any(column in figures for figures in by_share.values())]
    table = []
    for share in sorted(by_share):
        kept = share == averaged.share
        name = f"{_percent(share)}{': kept' if kept else ': the start' if share == 0 else ''}"
        texts = (figure_text(column, by_share[share].get(column)) for column in measured)
        cells = [name, *(text.replace(" ", "\u00a0") for text in texts)]
        table.append([f"**{cell}**" if kept else cell for cell in cells])
    return pd.DataFrame(table, columns=["fine-tuned", *(FIGURES[column][0] for column in measured)])


def show_averages(averaged: Averaged, before: Mapping[str, float]) -> None:
    """Show what averaging with the starting weights gave."""
    st.markdown("**Averages with the starting weights**")
    st.table(averages_table(averaged, before), border="horizontal", hide_index=True)
    st.caption(
        "By the share of the fine-tuned weights, measured on validation. Bold: the weights that the run keeps. "
        "Averages forget less of what the start knew of other faces."
    )


def _percent(share: float) -> str:
    return f"{share * 100:.4g} %"


def _share_of(text: Any) -> float | None:
    try:
        share = float(text)
    except (TypeError, ValueError):
        return None
    return share if 0 < share < 1 else None
