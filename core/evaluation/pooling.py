"""Gain from several frames: error of embeddings pooled over 1, 5 and 15 pictures of a person, at each size.

Each person with enough pictures gives one to the gallery, at full size, and the others serve as frames. An LFW
person's pictures are of different days, so they differ more than frames of one video do: expect less gain there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.errors import SettingsInvalid
from core.evaluation.bootstrap import draw_people
from core.evaluation.embedding import Embedded, embed
from core.evaluation.evaluation_spec import Plan
from core.evaluation.hooks import NO_HOOKS, RunHooks
from core.evaluation.intervals import Interval, change_interval, resampled_interval
from core.evaluation.open_set import weights_of
from core.evaluation.pictures import Picture, codes_of
from core.evaluation.protocol import protocol_of
from core.evaluation.result import Evaluation
from core.evaluation.scores import Ints
from core.evaluation.systems import System
from core.evaluation.verification import Floats, equal_error_rate, roc
from core.evaluation.views import View
from core.recognition.pooling import pooled

FRAMES = (1, 5, 15)
DRAWS = 20
MOST_RESAMPLES = 300
WEIGHTED, PLAIN = "by quality", "plain mean"


def evaluate_pooling(
    system: System,
    pictures: Sequence[Picture],
    plan: Plan,
    *,
    data: Mapping[str, Any],
    frames: Sequence[int] = FRAMES,
    draws: int = DRAWS,
    hooks: RunHooks = NO_HOOKS,
) -> Evaluation:
    """EER among the people with more pictures than the largest of `frames`, and rank-1 among all people, for each size
    and mode of `plan`, in `draws` draws of who is enrolled by which picture.

    The change is against one frame of the same draws, its interval by resampling people. Raises SettingsInvalid when
    fewer than two people have enough pictures, and what `embed` raises.
    """
    counts = sorted({1, *(int(count) for count in frames)})
    if counts[0] < 1 or draws < 1:
        raise SettingsInvalid("Frames and draws are counted from 1.", "Choose 1 or more.")
    people, names = codes_of(pictures)
    gallery_view = View("aligned")
    views = list(dict.fromkeys([gallery_view, *plan.views()]))
    embedded = embed(
        system,
        pictures,
        views,
        hooks,
        step=f"embed {system.label}",
        seed=plan.seed,
    )
    rows: list[dict[str, Any]] = []
    for done, view in enumerate(plan.views()):
        hooks.progress("pool", done, len(plan.views()))
        rows += _rows(view, embedded[gallery_view], embedded[view], people, counts, draws, plan)
    hooks.progress("pool", len(plan.views()), len(plan.views()))
    table = pd.DataFrame(rows)
    table.insert(0, "system", system.label)
    return Evaluation(
        "pooling",
        f"Frames pooled on {data.get('data', 'pictures')}",
        _headline(table),
        {
            **protocol_of([system], pictures, plan),
            **data,
            "people": len(names),
            "pictures": len(pictures),
            "draws": draws,
            "protocol": "one full-size picture a person enrolled, others pooled; different days",
        },
        {"pooling": table},
    )


def _rows(
    view: View, gallery: Embedded, probe: Embedded, people: Ints, counts: Sequence[int], draws: int, plan: Plan
) -> list[dict[str, Any]]:
    random = np.random.default_rng(plan.seed)
    usable = gallery.acquired & probe.acquired
    by_person = [np.flatnonzero((people == code) & usable) for code in range(int(people.max()) + 1)]
    enough = [code for code, rows in enumerate(by_person) if len(rows) > counts[-1]]
    if len(enough) < 2:
        raise SettingsInvalid(
            f"{len(enough)} people have more than {counts[-1]} usable pictures at {view.probe}; at least 2 are needed.",
            "Pool fewer frames, or choose another data set or split.",
        )
    others = [rows[0] for code, rows in enumerate(by_person) if len(rows) and code not in set(enough)]
    weights = weights_of(probe)
    scores: dict[tuple[int, str], list[Floats]] = {}
    ranks: dict[tuple[int, str], list[Floats]] = {}
    for _ in range(draws):
        shuffled = [random.permutation(by_person[code]) for code in enough]
        enrolled = gallery.vectors[[rows[0] for rows in shuffled]]  # (P, D)
        strangers = gallery.vectors[others] if others else np.zeros((0, enrolled.shape[1]), np.float32)
        for count in counts:
            for how in (WEIGHTED, PLAIN) if count > 1 else (WEIGHTED,):
                vectors = np.stack(
                    [
                        pooled(
                            probe.vectors[rows[1 : 1 + count]],
                            weights[rows[1 : 1 + count]].tolist() if how == WEIGHTED else [1.0] * count,
                        )
                        for rows in shuffled
                    ]
                )
                mine = (vectors @ enrolled.T).astype(np.float64)  # (P, P): row p is p's probe, column q is q's picture
                best_other = np.max(strangers @ vectors.T, axis=0) if len(strangers) else np.full(len(enough), -1.0)
                own = np.diag(mine)
                beaten = mine.copy()
                np.fill_diagonal(beaten, -np.inf)
                ranks.setdefault((count, how), []).append(own > np.maximum(beaten.max(axis=1), best_other))
                scores.setdefault((count, how), []).append(mine)
    return _told(view, scores, ranks, len(enough), len(others), plan)


def _told(
    view: View,
    scores: Mapping[tuple[int, str], list[Floats]],
    ranks: Mapping[tuple[int, str], list[Floats]],
    people: int,
    others: int,
    plan: Plan,
) -> list[dict[str, Any]]:
    resamples = min(plan.bootstrap, MOST_RESAMPLES)
    drawn = draw_people(people, resamples, plan.seed).astype(np.float64) if resamples else np.zeros((people, 0))
    errors = {case: _errors(np.stack(mine), drawn) for case, mine in scores.items()}
    single, single_drawn = errors[(1, WEIGHTED)]
    rows = []
    for case, (eer, eer_drawn) in errors.items():
        hit = np.stack(ranks[case]).mean(axis=0)  # (P,): share of the draws
        rank1_drawn = (hit @ drawn) / drawn.sum(axis=0) if resamples else np.zeros(0)
        row: dict[str, Any] = {
            "mode": view.mode,
            "probe": view.probe,
            "size_px": 112 if view.size_px is None else view.size_px,
            "frames": case[0],
            "pooling": case[1] if case[0] > 1 else "one frame",
            "people": people,
            "gallery": people + others,
            "probes": people * len(scores[case]),
            "eer": eer,
            **_bounds("eer", resampled_interval(eer, eer_drawn, people) if resamples else None),
            "rank1": float(hit.mean()),
            **_bounds("rank1", resampled_interval(float(hit.mean()), rank1_drawn, people) if resamples else None),
        }
        if case[0] > 1:
            change = eer - single
            interval = change_interval(change, eer_drawn - single_drawn, people) if resamples else None
            row |= {"eer_change": change, **_bounds("eer_change", interval)}
        rows.append(row)
    return rows


def _errors(mine: Floats, drawn: Floats) -> tuple[float, Floats]:
    """EER over all draws of scores (draws, P, P), and of each resample of the probes' people (P, R)."""
    people = mine.shape[1]
    same = np.broadcast_to(np.eye(people, dtype=bool), mine.shape).ravel()
    flat = mine.ravel()
    whole = equal_error_rate(roc(flat, same))
    each = [
        equal_error_rate(roc(flat, same, np.broadcast_to(counts[None, :, None], mine.shape).ravel()))
        for counts in drawn.T
    ]
    return whole, np.array(each)


def _bounds(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _headline(table: pd.DataFrame) -> str:
    said = [
        f"{row['probe']}{'' if row['mode'] == 'aligned' else ' end to end'}, {row['frames']} frames "
        f"{row['eer'] * 100:.2f} % ({row['eer_change'] * 100:+.2f})"
        for row in table[(table["frames"] > 1) & (table["pooling"] == WEIGHTED)].to_dict("records")
    ]
    people = table["people"].max()
    return f"EER of pooled frames of {people:,} people, and its change against one frame: {'; '.join(said)}."
