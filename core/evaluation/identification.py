"""Identification among enrolled identities: closed set by ranks, open set with strangers by FPIR and FNIR.

An identity's score is the highest cosine over its means, one mean a kind of template; here kinds are the sides that
are enrolled (HR, or VLR of one size). A probe's own photograph never counts among its identity's templates. All figures
follow from one table with a row for each probe: its score against its own identity, the highest against any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.scores import Ints, Vectors
from core.evaluation.verification import Floats

RANKS = (1, 5, 10)
_BLOCK = 512


@dataclass(frozen=True)
class Templates:
    """Photographs to enrol, of one kind: unit rows (N, D), each one's person (N,) from 0, photograph (N,), and
    weight (N,) in its person's mean (None: all alike)."""

    vectors: Vectors
    people: Ints
    photos: Ints
    weights: Floats | None = None


@dataclass(frozen=True)
class Outcomes:
    """The outcome of every probe (N,), identified by `person` and `photo`.

    `genuine`: score of its own identity, NaN for a stranger. `impostor`: the highest score of any other identity,
    that of `impostor_person` (-1: no other identity is enrolled). `rank`: 1 + how many others score at least as high,
    0 for a stranger: a tie counts against the probe.
    """

    person: Ints
    photo: Ints
    genuine: Floats
    impostor: Floats
    impostor_person: Ints
    rank: Ints

    @property
    def mated(self) -> NDArray[np.bool_]:
        return self.rank > 0

    @property
    def top(self) -> Floats:
        """The highest score of any identity."""
        return np.fmax(self.genuine, self.impostor)

    def only(self, keep: NDArray[np.bool_]) -> Outcomes:
        return Outcomes(
            self.person[keep],
            self.photo[keep],
            self.genuine[keep],
            self.impostor[keep],
            self.impostor_person[keep],
            self.rank[keep],
        )


def identify(probes: Templates, enrolled: Sequence[Templates]) -> Outcomes:
    """Search every probe among the identities of `enrolled` (one entry a kind of template).

    A probe whose person isn't enrolled, or only by the probe's own photograph, is a stranger. Raises ValueError when
    nobody is enrolled.
    """
    identities = np.unique(np.concatenate([kind.people for kind in enrolled])) if enrolled else np.zeros(0, np.int64)
    if not len(identities):
        raise ValueError("nobody is enrolled")
    kinds = [_Kind(kind, identities) for kind in enrolled]
    own = np.searchsorted(identities, probes.people)
    known = (own < len(identities)) & (identities[np.minimum(own, len(identities) - 1)] == probes.people)
    own = np.where(known, own, -1)
    parts = [
        _search(probes, slice(start, start + _BLOCK), own, kinds, identities)
        for start in range(0, len(probes.people), _BLOCK)
    ]
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)] if parts else [np.zeros(0)] * 4
    return Outcomes(
        person=probes.people,
        photo=probes.photos,
        genuine=joined[0].astype(np.float64),
        impostor=joined[1].astype(np.float64),
        impostor_person=joined[2].astype(np.int64),
        rank=joined[3].astype(np.int64),
    )


class _Kind:
    """The means of one kind, and what it takes to leave one photograph out of them."""

    def __init__(self, kind: Templates, identities: Ints) -> None:
        rows = np.searchsorted(identities, kind.people)
        self.sums = np.zeros((len(identities), kind.vectors.shape[1]), dtype=np.float64)
        self.weights = np.ones(len(rows)) if kind.weights is None else kind.weights
        np.add.at(self.sums, rows, kind.vectors * self.weights[:, None])
        self.counts = np.bincount(rows, minlength=len(identities))
        lengths = np.linalg.norm(self.sums, axis=1, keepdims=True)
        self.means = np.where(lengths > 1e-6, self.sums / np.maximum(lengths, 1e-12), 0).astype(np.float32)
        self.photo_row = {int(photo): row for row, photo in enumerate(kind.photos)}
        self.vectors = kind.vectors

    def scores(self, vectors: Vectors) -> NDArray[np.float32]:
        scores = np.clip(vectors @ self.means.T, -1, 1)
        scores[:, self.counts == 0] = -np.inf
        return np.asarray(scores, dtype=np.float32)

    def own_score(self, vector: Vectors, identity: int, photo: int) -> float:
        """Against one identity, its template of this photograph left out; -inf when none is left."""
        row = self.photo_row.get(photo)
        count = self.counts[identity] - (row is not None)
        if count <= 0:
            return -np.inf
        total = self.sums[identity] - (self.weights[row] * self.vectors[row] if row is not None else 0)
        length = float(np.linalg.norm(total))
        return float(np.clip(vector @ total / length, -1, 1)) if length > 1e-6 else 0.0


def _search(
    probes: Templates, block: slice, own: Ints, kinds: Sequence[_Kind], identities: Ints
) -> tuple[Floats, Floats, Ints, Ints]:
    vectors, mine = probes.vectors[block], own[block]
    scores = np.maximum.reduce([kind.scores(vectors) for kind in kinds])
    rows = np.nonzero(mine >= 0)[0]
    scores[rows, mine[rows]] = -np.inf
    genuine = np.full(len(vectors), np.nan)
    for row in rows:
        photo = int(probes.photos[block][row])
        best = max(kind.own_score(vectors[row], int(mine[row]), photo) for kind in kinds)
        genuine[row] = np.nan if np.isneginf(best) else best
    top = np.argmax(scores, axis=1)
    impostor = scores[np.arange(len(vectors)), top].astype(np.float64)
    nobody = np.isneginf(impostor)
    with np.errstate(invalid="ignore"):
        higher = (scores >= genuine[:, None].astype(np.float32)).sum(axis=1)
    rank = np.where(np.isnan(genuine), 0, 1 + higher)
    return genuine, np.where(nobody, np.nan, impostor), np.where(nobody, -1, identities[top]), rank


def rank_rates(outcomes: Outcomes, ranks: Sequence[int] = RANKS, *, missed: int = 0) -> dict[int, float]:
    """The share of mated probes whose own identity is among the first k. `missed` mated probes more never are: those
    with a failure to acquire. NaN without mated probes."""
    ranked = outcomes.rank[outcomes.mated]
    total = len(ranked) + missed
    return {k: float((ranked <= k).sum() / total) if total else float("nan") for k in ranks}


def cmc(outcomes: Outcomes, most: int = 50) -> pd.DataFrame:
    """Cumulative match characteristic: columns rank (1 to `most`), rate, a fraction that only rises, and
    probes, of how many it is one."""
    rates = rank_rates(outcomes, range(1, most + 1))
    probes = int(outcomes.mated.sum())
    return pd.DataFrame({"rank": list(rates), "rate": list(rates.values()), "probes": probes})


def identified(outcomes: Outcomes, threshold: float) -> NDArray[np.bool_]:
    """Probes (N,) that were given their own name: ranked first, with a score >= threshold. DIR = 1 - FNIR counts
    these among the mated; the notes' accuracy is the same count."""
    with np.errstate(invalid="ignore"):
        result: NDArray[np.bool_] = (outcomes.rank == 1) & (outcomes.genuine >= threshold)
        return result


def fnir(outcomes: Outcomes, threshold: float, *, missed: int = 0) -> float:
    """False-negative identification rate: mated probes that weren't given their name (NIST IR 8271's, rank 1)."""
    total = int(outcomes.mated.sum()) + missed
    return 1 - float(identified(outcomes, threshold).sum()) / total if total else float("nan")


def fpir(outcomes: Outcomes, threshold: float, *, missed: int = 0) -> float:
    """False-positive identification rate: strangers that were given a name, top score >= threshold. A stranger who
    wasn't acquired got none."""
    strangers = outcomes.top[~outcomes.mated]
    total = len(strangers) + missed
    return float((strangers >= threshold).sum() / total) if total else float("nan")


def threshold_at(scores: Floats, rate: float) -> float:
    """The lowest threshold that at most the share `rate` of `scores` (N,) reaches. Raises ValueError when empty."""
    if not len(scores):
        raise ValueError("a threshold needs scores")
    descending = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    allowed = int(np.floor(rate * len(descending) + 1e-9))
    if allowed >= len(descending):
        return float(descending[-1])
    return float(np.nextafter(descending[allowed], np.inf))
