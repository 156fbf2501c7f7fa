"""How embeddings fill their space: spread of each dimension, effective rank, cosines between people.

A collapsed encoder gives everybody nearly the same embedding: similarity is then high everywhere and says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.encoder.health import MAX_MEAN_ABS_COSINE, MIN_STD, HealthReport, measure_health

MOST_PEOPLE = 2000
"""Cosines between people are taken over so many at most, spread evenly: four million pairs say enough."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Of `count` unit embeddings of `people` people. `stds` (D,) is the standard deviation of each dimension, its
    ceiling 1 / sqrt(D). `effective_rank` is in [1, D]: the number of directions that are really used. `between` are
    the health check's figures over one embedding a person."""

    count: int
    people: int
    stds: NDArray[np.float64]
    effective_rank: float
    between: HealthReport

    @property
    def ceiling(self) -> float:
        """The mean std of unit vectors that fill all directions alike."""
        return float(1 / np.sqrt(len(self.stds)))

    @property
    def line(self) -> str:
        """The figures in a sentence, with what is healthy."""
        return (
            f"Mean std {self.stds.mean():.3f} a dimension (healthy from {MIN_STD:.3f}, at most {self.ceiling:.3f}); "
            f"effective rank {self.effective_rank:.0f} of {len(self.stds)}; mean absolute cosine between different "
            f"people {self.between.mean_abs_cosine:.3f} (healthy up to {MAX_MEAN_ABS_COSINE:.2f}); "
            f"{self.count:,} embeddings of {self.people:,} people."
        )


def spread_of(vectors: NDArray[np.float32], people: NDArray[np.int64]) -> Spread:
    """Measure unit rows (N, D), N >= 2, of `people` (N,) from 0.

    Between people one embedding each counts: the first. With a single person all rows do.
    """
    _, first = np.unique(people, return_index=True)
    chosen = first if len(first) > 1 else np.arange(len(vectors))
    if len(chosen) > MOST_PEOPLE:
        chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, MOST_PEOPLE).astype(np.int64))]
    return Spread(
        count=len(vectors),
        people=len(first),
        stds=np.asarray(vectors, dtype=np.float64).std(axis=0),
        effective_rank=effective_rank(vectors),
        between=measure_health(vectors[chosen]),
    )


def effective_rank(vectors: NDArray[np.float32]) -> float:
    """exp of the entropy of the covariance's normalised eigenvalues, in [1, D] (Roy and Vetterli, 2007, eq. 3, taken of
    the covariance). 1.0 for rows that don't differ at all; NaN where a value isn't finite."""
    rows = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(rows).all():
        return float("nan")
    centred = rows - rows.mean(axis=0)
    # The smaller of the two products has the same eigenvalues but for zeros.
    product = centred.T @ centred if len(rows) >= rows.shape[1] else centred @ centred.T
    values = np.clip(np.linalg.eigvalsh(product), 0, None)
    total = float(values.sum())
    if total <= 1e-12 * max(1, len(rows)):
        return 1.0
    shares = values[values > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))
