"""Rates of benchmarks that search a gallery: closed-set ranks, and TPIR at an FPIR. Every probe counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.evaluation.embedding import Embedded
from core.evaluation.evaluation_spec import Plan
from core.evaluation.identification import Outcomes, Templates, identify, threshold_at
from core.evaluation.intervals import resampled_interval, share_interval
from core.evaluation.metrics import REJECTED
from core.evaluation.open_set_interval import dir_draws
from core.evaluation.pictures import Picture, codes_of
from core.gallery.match import weights_of

FPIRS = (0.3, 0.2, 0.1, 0.01)
TPIR_RANK = 20
MOST_RESAMPLES = 200
"""More resamples of an open set with 150,000 strangers don't fit into memory."""


@dataclass(frozen=True)
class Part:
    """Pictures with their vectors: a gallery, probes, or strangers."""

    pictures: Sequence[Picture]
    embedded: Embedded


def closed_set(
    parts: dict[str, Part], plan: Plan, *, ranks: Sequence[int], nearest_picture: bool
) -> list[dict[str, Any]]:
    """Closed-set rates of every set of probes: the share whose person is found at each of `ranks`, by the nearest
    picture or by means."""
    return [
        row
        for label in parts
        if label not in ("gallery", "distractors", "strangers")
        for row in _ranks(label, parts, ranks, plan, nearest_picture=nearest_picture)
    ]


def _ranks(
    label: str, parts: dict[str, Part], ranks: Sequence[int], plan: Plan, *, nearest_picture: bool
) -> list[dict[str, Any]]:
    """Closed-set rates over all probes of a part; those that weren't acquired count as missed."""
    probes = parts[label]
    hits_of = _hits(probes, parts, ranks, nearest_picture=nearest_picture)
    return [
        {"part": label, "measure": f"rank-{rank}", **_shares(hits_of[rank], probes, plan), **_acquired(probes, plan)}
        for rank in ranks
    ]


def _shares(hits: np.ndarray, probes: Part, plan: Plan) -> dict[str, float | None]:
    """The hits (N,) of the N acquired probes as a share of all probes, with its interval, and of the acquired ones."""
    every = np.zeros(len(probes.pictures), bool)
    every[probes.embedded.acquired] = hits
    people, _ = codes_of(probes.pictures)
    return {
        "value": float(every.mean()) if len(every) else None,
        **_bounds("value", every, people, plan),
        "acquired_only": float(hits.mean()) if len(hits) else None,
        **_bounds("acquired_only", hits, people[probes.embedded.acquired], plan),
    }


def _bounds(name: str, hits: np.ndarray, people: np.ndarray, plan: Plan) -> dict[str, float | None]:
    low, high = share_interval(hits, people, resamples=plan.bootstrap, seed=plan.seed) or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _acquired(probes: Part, plan: Plan) -> dict[str, float | None]:
    missed, (people, _) = ~probes.embedded.acquired, codes_of(probes.pictures)
    return {
        "probes": len(probes.pictures),
        "failure_to_acquire": float(missed.mean()),
        **_bounds("failure_to_acquire", missed, people, plan),
    }


def _hits(
    probes: Part, parts: dict[str, Part], ranks: Sequence[int], *, nearest_picture: bool
) -> dict[int, np.ndarray]:
    """The hits at each rank among acquired probes. With `nearest_picture` a hit at rank k is one of the person's
    pictures among the k nearest pictures; else the person among the k nearest people, by means."""
    gallery = [parts["gallery"], parts["distractors"]]
    names = {name: code for code, name in enumerate(dict.fromkeys(p.identity for g in gallery for p in g.pictures))}
    vectors = np.concatenate([part.embedded.vectors[part.embedded.acquired] for part in gallery])
    people = np.array(
        [names[p.identity] for g in gallery for p, there in zip(g.pictures, g.embedded.acquired, strict=True) if there],
        dtype=np.int64,
    )
    there = probes.embedded.acquired
    own = np.array([names.get(picture.identity, -1) for picture in probes.pictures], dtype=np.int64)[there]
    queries = probes.embedded.vectors[there]
    if not len(queries) or not len(vectors):
        return {rank: np.zeros(len(queries), bool) for rank in ranks}
    if not nearest_picture:
        measured = [part.embedded.measure("recognisability")[part.embedded.acquired] for part in gallery]
        means = Templates(vectors, people, np.arange(len(people)), weights_of(np.concatenate(measured)))
        outcomes = identify(Templates(queries, own, -1 - np.arange(len(own))), [means])
        return {rank: outcomes.mated & (outcomes.rank <= rank) for rank in ranks}
    hits = {rank: np.zeros(len(queries), bool) for rank in ranks}
    for start in range(0, len(queries), 256):
        scores = queries[start : start + 256] @ vectors.T
        mine = own[start : start + 256]
        best_own = np.where(people[None] == mine[:, None], scores, -np.inf).max(axis=1)
        nearer = ((scores >= best_own[:, None]) & (people[None] != mine[:, None])).sum(axis=1)
        for rank in ranks:
            hits[rank][start : start + 256] = np.isfinite(best_own) & (nearer < rank)
    return hits


def open_set(parts: dict[str, Part], plan: Plan) -> list[dict[str, Any]]:
    """Open-set rates: TPIR at each FPIR of FPIRS, with the threshold that the strangers give."""
    gallery = parts["gallery"]
    names = {name: code for code, name in enumerate(dict.fromkeys(p.identity for p in gallery.pictures))}
    enrolled = gallery.embedded.acquired
    codes = np.array([names[picture.identity] for picture in gallery.pictures], dtype=np.int64)
    templates = gallery.embedded.templates(codes, np.flatnonzero(enrolled))
    mated, strangers = (_searched(parts[label], names, templates) for label in ("mated probes", "strangers"))
    probes = parts["mated probes"]
    unseen = len(parts["strangers"].pictures) - len(strangers.top)
    tops = np.concatenate([strangers.top, np.full(unseen, REJECTED)])  # a stranger who isn't acquired gets no name
    rows: list[dict[str, Any]] = []
    for target in FPIRS:
        row: dict[str, Any] = {"part": "mated probes", "measure": f"TPIR{TPIR_RANK} at FPIR {target * 100:g} %"}
        row |= dict.fromkeys(f"{name}{end}" for name in ("value", "acquired_only") for end in ("", "_low", "_high"))
        row["threshold"] = None
        if len(tops) * target >= 1:
            threshold = threshold_at(tops, target)
            hits = mated.mated & (mated.rank <= TPIR_RANK) & (np.nan_to_num(mated.genuine, nan=REJECTED) >= threshold)
            bounds = _bounds_at(target, hits, probes, mated, tops, plan)
            row |= {**_shares(hits, probes, plan), **bounds, "threshold": threshold}
        rows.append({**row, **_acquired(probes, plan)})
    return rows


def _bounds_at(
    target: float, hits: np.ndarray, probes: Part, mated: Outcomes, tops: np.ndarray, plan: Plan
) -> dict[str, float | None]:
    """The intervals of TPIR at an FPIR, which include the threshold's error. Every stranger's picture is a person's."""
    if not plan.bootstrap:
        return {}
    people, names = codes_of(probes.pictures)
    there = probes.embedded.acquired
    every, genuine, rank = np.zeros(len(people), bool), np.full(len(people), REJECTED), np.zeros(len(people), np.int64)
    every[there], genuine[there], rank[there] = hits, np.nan_to_num(mated.genuine, nan=REJECTED), mated.rank
    everybody = Outcomes(people, np.arange(len(people)), genuine, genuine, people, rank)
    bounds: dict[str, float | None] = {}
    for name, some in (("value", np.ones(len(people), bool)), ("acquired_only", there)):
        if some.any():
            drawn = dir_draws(
                everybody.only(some),
                tops,
                len(names) + np.arange(len(tops)),
                target,
                resamples=min(plan.bootstrap, MOST_RESAMPLES),
                seed=plan.seed,
                rank=TPIR_RANK,
            )
            low, high = resampled_interval(float(every[some].mean()), drawn, len(np.unique(people[some])))
            bounds |= {f"{name}_low": low, f"{name}_high": high}
    return bounds


def _searched(part: Part, names: dict[str, int], templates: Templates) -> Outcomes:
    there = part.embedded.acquired
    codes = np.array([names.get(picture.identity, -1) for picture in part.pictures], dtype=np.int64)[there]
    return identify(Templates(part.embedded.vectors[there], codes, -1 - np.arange(len(codes))), [templates])
