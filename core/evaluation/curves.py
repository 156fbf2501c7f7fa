"""Curves small enough to draw and to keep: ROC and DET, histograms of scores, the notes' sweep over thresholds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.identification import Outcomes, fnir, fpir, identified
from core.evaluation.verification import Roc

BINS = 400
"""Bins of the histograms over [-1, 1]: 0.005 wide, the step of a threshold slider."""

SWEEP = tuple(round(float(value), 2) for value in np.arange(0.0, 0.81, 0.05))
"""The thresholds of the sweep; the default 0.35 is one of them."""


def roc_points(curve: Roc, most: int = 300) -> pd.DataFrame:
    """At most about `most` points of a ROC, denser at low FAR: columns far, tar, threshold; FAR and TAR only rise."""
    lowest = curve.far[curve.far > 0].min(initial=1.0)
    wanted = np.r_[0.0, np.geomspace(lowest, 1.0, most)]
    rows = np.unique(np.searchsorted(curve.far, wanted, side="right") - 1)
    finite = np.where(np.isfinite(curve.thresholds), curve.thresholds, 1.0)
    return pd.DataFrame({"far": curve.far[rows], "tar": curve.tar[rows], "threshold": finite[rows]})


def score_histogram(genuine: NDArray[np.floating], impostor: NDArray[np.floating]) -> pd.DataFrame:
    """Counts of both kinds in BINS bins: columns low, high, genuine, impostor. A bin holds low <= score < high; the
    last one holds 1 too. With a threshold at some `low` FAR and FRR follow exactly by summing."""
    edges = np.linspace(-1, 1, BINS + 1)
    counts = [np.histogram(np.clip(kind, -1, 1), bins=edges)[0] for kind in (genuine, impostor)]
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "genuine": counts[0], "impostor": counts[1]})


def rates_at(histogram: pd.DataFrame, threshold: float) -> tuple[float, float]:
    """(FAR, FRR) at the bin's edge nearest to `threshold`, from `score_histogram`. NaN without scores of a kind."""
    accepted = histogram["low"].to_numpy() >= threshold - 1 / BINS
    genuine, impostor = histogram["genuine"].to_numpy(), histogram["impostor"].to_numpy()
    far = impostor[accepted].sum() / impostor.sum() if impostor.sum() else np.nan
    frr = genuine[~accepted].sum() / genuine.sum() if genuine.sum() else np.nan
    return float(far), float(frr)


def sweep(
    genuine: NDArray[np.floating],
    impostor: NDArray[np.floating],
    outcomes: Outcomes,
    strangers: Outcomes | None = None,
    *,
    thresholds: tuple[float, ...] = SWEEP,
) -> pd.DataFrame:
    """Rates at fixed thresholds: far and frr one to one; accuracy (the notes': of all mated probes those ranked first
    with a score >= threshold), wrong (given another's name), rejected (given none); with `strangers` (an open-set
    trial) fpir and fnir. Beside them how many they are shares of: genuine and impostor pairs, probes (mated), strangers
    (searches of strangers)."""
    descending_g, descending_i = np.sort(genuine), np.sort(impostor)
    mated = outcomes.only(outcomes.mated)
    counts = {"genuine": len(genuine), "impostor": len(impostor), "probes": len(mated.rank)}
    if strangers is not None:
        counts["strangers"] = int((~strangers.mated).sum())
    rows = []
    for threshold in thresholds:
        right = identified(mated, threshold)
        named = mated.top >= threshold
        row = {
            "threshold": threshold,
            "far": 1 - np.searchsorted(descending_i, threshold, side="left") / len(descending_i)
            if len(impostor)
            else np.nan,
            "frr": np.searchsorted(descending_g, threshold, side="left") / len(descending_g)
            if len(genuine)
            else np.nan,
            "accuracy": float(right.mean()) if len(right) else np.nan,
            "wrong": float((named & ~right).mean()) if len(right) else np.nan,
            "rejected": float((~named).mean()) if len(right) else np.nan,
        }
        if strangers is not None:
            row |= {"fpir": fpir(strangers, threshold), "fnir": fnir(strangers, threshold)}
        rows.append({**row, **counts})
    return pd.DataFrame(rows)
