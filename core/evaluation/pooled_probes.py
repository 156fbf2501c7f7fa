"""Several pictures of a person as one probe, pooled as a video's frames are."""

from __future__ import annotations

import numpy as np

from core.evaluation.embedding import Embedded
from core.evaluation.identification import Templates
from core.evaluation.scores import Ints
from core.evaluation.store import QUALITY
from core.evaluation.verification import Floats
from core.faces.quality import Quality
from core.recognition.pooling import pooled, weight_of


def weights_of(one: Embedded) -> Floats:
    """Every picture's weight (N,), from the measures that were kept of it."""
    found = []
    for row in one.quality:
        values = {name: None if np.isnan(value) else float(value) for name, value in zip(QUALITY, row, strict=True)}
        found.append(
            weight_of(
                Quality(
                    values.get("probe_px") or 1.0,
                    values.get("sharpness") or 0.0,
                    values.get("brightness") or 0.0,
                    values.get("contrast") or 0.0,
                    values.get("yaw_deg"),
                    values.get("pitch_deg"),
                    values.get("roll_deg"),
                    values.get("detection_score"),
                )
            )
        )
    return np.array(found, dtype=np.float64)


def pooled_probes(one: Embedded, people: Ints, positions: Ints, frames: int, seed: int) -> Templates:
    """Probes of `frames` pictures each, drawn from one person's `positions` without repetition; what is left over is
    left out. A probe's photograph is its first one. `frames` of 1: every picture on its own."""
    if frames == 1:
        return Templates(one.vectors[positions], people[positions], positions)
    rng, weights = np.random.default_rng(seed), weights_of(one)
    groups = [
        group
        for person in np.unique(people[positions])
        for own in [rng.permutation(positions[people[positions] == person])]
        for group in own[: len(own) // frames * frames].reshape(-1, frames)
    ]
    first = np.array([group[0] for group in groups], dtype=np.int64)
    vectors = [pooled(one.vectors[group], weights[group].tolist()) for group in groups]
    return Templates(np.stack(vectors) if vectors else one.vectors[:0], people[first], first)
