"""Evaluate several systems on a pairs file, with curves and histograms."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from core.evaluation import curves
from core.evaluation.embedding import Embedded, embed
from core.evaluation.evaluation_spec import Plan
from core.evaluation.headline import listed_headline
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.listed_pairs import (
    PairsSource,
    PairTask,
    listed_protocol,
    listed_scores,
    measure_listed,
    pairings,
    read_listed,
)
from core.evaluation.protocol import labelled, protocol_of, view_columns
from core.evaluation.result import Evaluation
from core.evaluation.systems import System
from core.evaluation.verification import roc
from core.evaluation.verification_rows import Pairing, Row, row_values
from core.evaluation.views import View


def evaluate_listed(
    source: PairsSource, systems: Sequence[System], plan: Plan, *, hooks: RunHooks = NO_HOOKS
) -> Evaluation:
    """Verify the pairs of `source` with every system, in every view of `plan`.

    Raises PairsInvalid, what `embed` raises, and JobStopped.
    """
    listed = read_listed(source)
    facts = listed_protocol(listed)
    task = listed.task(plan.bootstrap, plan.seed)
    frames, points, bins = [], [], []
    for system in systems:
        embedded = embed(system, listed.pictures, plan.views(), hooks, step=f"embed {system.label}", seed=plan.seed)
        hooks.check_stop()
        rows = measure_listed(task, embedded, hooks, hr_too=None in plan.sizes, all_pairs=source.all_pairs)
        frames.append(_table(rows, [view for view, *_ in _compared(embedded, plan)], system, facts["folds"]))
        for view, pairing, probe, other in _compared(embedded, plan):
            curve, histogram = _drawn(task, probe, other, pairing)
            points.append(labelled(curve, {**view_columns(system, view), "pairing": pairing}))
            bins.append(labelled(histogram, {**view_columns(system, view), "pairing": pairing}))
    tables = {
        "verification": pd.concat(frames, ignore_index=True),
        "curves": pd.concat(points, ignore_index=True),
        "histograms": pd.concat(bins, ignore_index=True),
    }
    title = f"Verification on {source.pairs_file.name} of {facts['data']}"
    protocol = {**protocol_of(systems, listed.pictures, plan), **facts}
    return Evaluation("pairs", title, listed_headline(tables["verification"]), protocol, tables)


def _compared(embedded: dict[View, Embedded], plan: Plan) -> list[tuple[View, Pairing, Embedded, Embedded]]:
    return [
        (view, pairing, probe, embedded[View(view.mode)] if pairing == "VLR-HR" else probe)
        for view, probe in embedded.items()
        for pairing in pairings(view.size_px, hr_too=None in plan.sizes)
    ]


def _table(rows: Sequence[Row], views: Sequence[View], system: System, folds: Sequence[int]) -> pd.DataFrame:
    """The rows with the columns of their views; rows come by protocol, then by view."""
    numbers = " ".join(map(str, folds))
    frame = pd.DataFrame([row_values(row, numbers) for row in rows]).drop(columns=["mode", "probe"])
    columns = pd.DataFrame([view_columns(system, view) for view in views] * (len(rows) // len(views)))
    return pd.concat([columns, frame], axis=1)


def _drawn(task: PairTask, probe: Embedded, other: Embedded, pairing: Pairing) -> tuple[pd.DataFrame, pd.DataFrame]:
    scores, there, first, second, _ = listed_scores(task, probe, other, pairing)
    scores, same = scores[there], (first == second)[there]
    return curves.roc_points(roc(scores, same)), curves.score_histogram(scores[same], scores[~same])
