"""A pairs file evaluated for several systems, as one evaluation with curves and histograms."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from core.evaluation import curves
from core.evaluation.embedding import Embedded, embed
from core.evaluation.evaluate import protocol_of
from core.evaluation.evaluation_spec import Plan
from core.evaluation.progress import OnEvent, ShouldStop, telling, unheard
from core.evaluation.report import (
    PairsReport,
    Task,
    listed_protocol,
    listed_scores,
    measure_listed,
    pairings,
    read_listed,
)
from core.evaluation.report_rows import Pairing
from core.evaluation.result import Evaluation
from core.evaluation.store import EmbeddingStore
from core.evaluation.systems import System
from core.evaluation.verification import roc
from core.evaluation.views import View
from core.jobs.errors import JobStopped


def evaluate_listed(
    images_root: Path,
    pairs_file: Path,
    systems: Sequence[System],
    plan: Plan,
    *,
    folds: Collection[int] | None = None,
    all_pairs: bool = True,
    aligned: bool = False,
    store: EmbeddingStore | None = None,
    on_event: OnEvent | None = None,
    should_stop: ShouldStop | None = None,
) -> Evaluation:
    """Verification on a pairs file for every system, in every view of `plan`. `aligned`: the images are crops,
    aligned before. Raises PairsInvalid, what `embed` raises,
    and JobStopped."""
    tell = on_event or unheard
    listed = read_listed(images_root, pairs_file, folds, aligned=aligned)
    task = listed.task(plan.bootstrap, plan.seed)
    frames, points, bins, reports = [], [], [], []
    for system in systems:
        embedded = embed(
            system,
            listed.pictures,
            plan.views(),
            store=store,
            seed=plan.seed,
            should_stop=should_stop,
            on_progress=telling(tell, f"embed {system.label}"),
        )
        if should_stop is not None and should_stop():
            raise JobStopped
        rows = measure_listed(
            task,
            embedded,
            None in plan.sizes,
            all_pairs=all_pairs,
            tell=lambda done, total, what: tell("progress", step=what, done=done, total=total),
        )
        report = PairsReport(listed_protocol(system, listed, task), rows)
        reports.append(report)
        frames.append(_with_views(report, embedded, plan, system, all_pairs))
        for view, pairing, probe, other in _compared(embedded, plan):
            curve, histogram = _drawn(task, probe, other, pairing)
            points.append(_labelled(curve, system, view, pairing))
            bins.append(_labelled(histogram, system, view, pairing))
    tables = {
        "verification": pd.concat(frames, ignore_index=True),
        "curves": pd.concat(points, ignore_index=True),
        "histograms": pd.concat(bins, ignore_index=True),
    }
    first = reports[0].protocol
    protocol = {
        **protocol_of(systems, listed.pictures, plan),
        "protocol": first["protocol"],
        "pictures": len(listed.pictures),
        **{name: first[name] for name in ("data", "pairs_file", "folds", "people_in_several_folds", "pairs", "people")},
    }
    title = f"Verification on {listed.pairs_file.name} of {first['data']}"
    return Evaluation("pairs", title, _text(tables["verification"]), protocol, tables)


def _compared(embedded: dict[View, Embedded], plan: Plan) -> list[tuple[View, Pairing, Embedded, Embedded]]:
    return [
        (view, pairing, probe, embedded[View(view.mode)] if pairing == "VLR-HR" else probe)
        for view, probe in embedded.items()
        for pairing in pairings(view.size_px, hr_too=None in plan.sizes)
    ]


def _with_views(
    report: PairsReport, embedded: dict[View, Embedded], plan: Plan, system: System, all_pairs: bool
) -> pd.DataFrame:
    """The report's frame with the columns that tell views apart; its rows come by protocol, then by view."""
    frame = report.frame()
    views = [view for view, *_ in _compared(embedded, plan)] * (2 if all_pairs else 1)
    frame = frame.drop(columns=["mode", "probe"])
    frame.insert(0, "system", system.label)
    frame.insert(1, "mode", [view.mode for view in views])
    frame.insert(2, "degradation", ["" if view.size_px is None else view.degradation for view in views])
    frame.insert(3, "probe", [view.probe for view in views])
    frame.insert(4, "size_px", [112 if view.size_px is None else view.size_px for view in views])
    return frame


def _drawn(task: Task, probe: Embedded, other: Embedded, pairing: Pairing) -> tuple[pd.DataFrame, pd.DataFrame]:
    scores, there, first, second, _ = listed_scores(task, probe, other, pairing)
    scores, same = scores[there], (first == second)[there]
    return curves.roc_points(roc(scores, same)), curves.score_histogram(scores[same], scores[~same])


def _labelled(table: pd.DataFrame, system: System, view: View, pairing: Pairing) -> pd.DataFrame:
    said: dict[str, Any] = {
        "system": system.label,
        "mode": view.mode,
        "degradation": "" if view.size_px is None else view.degradation,
        "probe": view.probe,
        "size_px": 112 if view.size_px is None else view.size_px,
        "pairing": pairing,
    }
    for position, (name, value) in enumerate(said.items()):
        table.insert(position, name, value)
    return table


def _text(rows: pd.DataFrame) -> str:
    first = rows[(rows["system"] == rows["system"].iloc[0]) & (rows["protocol"] == "pairs file")]
    said = [
        f"{row['probe']} {row['pairing']} {row['eer'] * 100:.2f} %"
        for row in first.to_dict("records")
        if row["mode"] == first["mode"].iloc[0]
    ]
    pairs = f"up to {first['genuine'].max():,} genuine and {first['impostor'].max():,} impostor"
    return f"EER of listed pairs ({pairs}), {first['mode'].iloc[0]}, {first['system'].iloc[0]}: {', '.join(said)}."
