"""How evaluation grows: all pairs of more and more embeddings, and the figures made of their scores."""

from __future__ import annotations

import time

import numpy as np
import psutil

from core.bench.material import Material
from core.bench.row import Curve


def curve(material: Material) -> Curve:
    """Seconds for EER and TAR of so many pairs' scores, as the evaluation computes them."""
    from sklearn.metrics import roc_curve

    counts = (1_000, 10_000) if material.quick else (10_000, 100_000, 1_000_000, 4_000_000)
    rng, spent, memory = np.random.default_rng(0), [], []
    for count in counts:
        side = int(np.ceil(np.sqrt(2 * count))) + 1
        vectors = material.templates(side)
        began = time.perf_counter()
        left, right = np.triu_indices(side, 1)
        scores = (vectors @ vectors.T)[left, right][:count]
        genuine = rng.random(len(scores)) < 0.01
        roc_curve(genuine, scores + 0.5 * genuine)
        spent.append(time.perf_counter() - began)
        memory.append(psutil.Process().memory_info().rss / 1e6)
    return Curve("Evaluation: scores of pairs", "pairs", "s", tuple(map(float, counts)), tuple(spent), tuple(memory))
