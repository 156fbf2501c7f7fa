"""How often the 95 % intervals hold the truth, by simulation.

`python -m pytest -m slow -s tests/unit/evaluation/test_coverage.py` prints it.

Embeddings are a person's direction and noise whose strength differs between people. The true EER, AUC and TAR are those
of 6,000 other people of the same kind; the true rank-1 is the mean over all simulated samples, since it belongs to a
gallery's size. docs/measurements.md has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from core.evaluation.intervals import Interval, share_interval
from core.evaluation.metrics import measure_all_pairs
from core.evaluation.scores import side

RUNS, RESAMPLES, DIMENSIONS = 400, 500, 64
LEAST = 0.82
"""The worst that was measured is 84.5 %, where a few people have most of the pairs."""
MEASURES = ("EER", "AUC", "TAR at FAR 1 %", "rank-1")


@dataclass(frozen=True)
class Kind:
    """Samples of `people`, each with `each` photographs, or with 2 to 20, most with few; `spread` is the noise."""

    people: int
    each: int | None
    spread: float

    def draw(self, random: np.random.Generator, people: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        count = people or self.people
        photographs = random.choice([2, 2, 2, 3, 4, 6, 10, 20], count) if self.each is None else self.each
        who = np.repeat(np.arange(count), photographs)
        noise = self.spread * np.exp(0.35 * random.normal(size=count))
        rows = random.normal(size=(count, DIMENSIONS))[who] + noise[who, None] * random.normal(
            size=(len(who), DIMENSIONS)
        )
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), who


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [Kind(20, 4, 1.2), Kind(60, 4, 1.2), Kind(60, 4, 0.7), Kind(60, None, 1.2), Kind(200, 4, 1.2)],
    ids=["20 people", "60 people", "60 people, few errors", "60 people, 2 to 20 photographs", "200 people"],
)
def test_intervals_hold_the_truth(kind: Kind) -> None:
    truth = np.mean([_figures(*kind.draw(np.random.default_rng([1, run]), 1500), 0)[0] for run in range(4)], axis=0)
    values, intervals = zip(
        *(_figures(*kind.draw(np.random.default_rng([2, run])), RESAMPLES) for run in range(RUNS)), strict=True
    )
    truth[-1] = np.mean(values, axis=0)[-1]
    bounds = np.array(intervals)  # (runs, measures, 2)
    held = ((bounds[..., 0] <= truth) & (truth <= bounds[..., 1])).mean(axis=0)
    print(f"\n{kind}")
    for name, true, share, width in zip(MEASURES, truth, held, np.ptp(bounds, axis=2).mean(axis=0), strict=True):
        print(f"  {name}: truth {true * 100:.2f} %, held {share * 100:.1f} % of {RUNS}, mean width {width * 100:.1f}")
    assert held.min() >= LEAST


@pytest.mark.slow
@pytest.mark.parametrize("error", [0.002, 0.01, 0.1])
def test_intervals_of_rare_errors_hold_the_truth(error: float) -> None:
    who = np.repeat(np.arange(60), 10)
    held, percentiles = [], []
    for run in range(4000):
        random = np.random.default_rng([3, run])
        hits = random.random(600) < random.beta(error * 5, (1 - error) * 5, 60)[who]  # people differ in their error
        low, high = _interval(hits, who, run)
        held.append(low <= error <= high)
        drawn = hits.reshape(60, 10).mean(axis=1)[random.integers(0, 60, (RESAMPLES, 60))].mean(axis=1)
        percentiles.append(np.percentile(drawn, 2.5) <= error <= np.percentile(drawn, 97.5))
    said = f"{np.mean(held) * 100:.1f} %, percentiles of the same resamples {np.mean(percentiles) * 100:.1f} %"
    print(f"\nerror {error * 100:g} %, 60 people with 10 probes: held {said}")
    assert np.mean(held) >= LEAST and np.mean(held) >= np.mean(percentiles)


def _figures(rows: np.ndarray, who: np.ndarray, resamples: int) -> tuple[list[float], list[Interval]]:
    """EER, AUC, TAR and rank-1 with their intervals."""
    one = side(rows, who)
    told = measure_all_pairs(one, one, ordered=False, resamples=resamples).plain
    scores = rows @ rows.T
    np.fill_diagonal(scores, -2)
    first = who[scores.argmax(axis=1)] == who
    tar, tar_interval = told.tar[0.01]
    assert tar is not None
    values = [told.eer, told.auc, tar, float(first.mean())]
    if not resamples:
        return values, []
    assert told.eer_interval and told.auc_interval and tar_interval
    return values, [told.eer_interval, told.auc_interval, tar_interval, _interval(first, who, 0)]


def _interval(hits: np.ndarray, who: np.ndarray, seed: int) -> Interval:
    found = share_interval(hits, who, resamples=RESAMPLES, seed=seed)
    assert found is not None
    return found
