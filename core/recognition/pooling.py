"""One embedding from many frames of a face: the quality-weighted mean, of norm 1.

A single frame of 16 px holds little information; frames that differ in light, pose and pixel grid hold more together
(quality-weighted aggregation: Yang et al., Neural Aggregation Network, CVPR 2017, whose weights are learnt with the
encoder; here a frame's weight is its recognisability).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.faces.quality import Quality
from core.gallery.match import LEAST_WEIGHT, mean_of

FRAMES = 15
WINDOW_S = 10.0
"""Only the latest frames count: at most so many, none older than this. The time matters only where frames are processed
less often than once or twice a second."""

APART = 0.1
"""A frame whose cosine to the pooled embedding is below this shows another person, if the next one does too: pictures
of one person from one camera differ less, also at 16 px."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """`vector` (dim,) float32 of norm 1 from `frames` frames; `probe_px` is their weighted mean size."""

    vector: NDArray[np.float32]
    frames: int
    probe_px: float


def weight_of(quality: Quality) -> float:
    """Weight of a frame, in (0, 1]: its recognisability. Where nothing measured that: higher for a large, sharp,
    frontal face with a high detection score."""
    if quality.recognisability is not None:
        return max(LEAST_WEIGHT, quality.recognisability)
    size = min(1.0, quality.probe_px / 48)
    sharp = min(1.0, quality.sharpness)
    frontal = float(np.cos(np.radians(min(abs(quality.yaw_deg or 0.0), 80.0))))
    sure = 1.0 if quality.detection_score is None else quality.detection_score
    return max(LEAST_WEIGHT, size * sharp * frontal * sure)


def pooled(
    vectors: Sequence[NDArray[np.float32]] | NDArray[np.float32], weights: Sequence[float]
) -> NDArray[np.float32]:
    """The weighted mean direction of unit vectors (N, dim), of norm 1, float32 (dim,): sum(w v) / |sum(w v)|.

    Of vectors that cancel each other out the heaviest. Raises SettingsInvalid for none, and for weights that aren't
    positive or don't fit in number.
    """
    stacked = np.asarray(vectors, dtype=np.float64)
    by = np.asarray(weights, dtype=np.float64)
    if stacked.ndim != 2 or not len(stacked) or by.shape != (len(stacked),) or not (by > 0).all():
        raise SettingsInvalid(
            f"Pooling needs vectors (N, dim) and N positive weights, got {stacked.shape} and {by.shape}.",
            "Pass one positive weight for each vector.",
        )
    return mean_of(stacked, by)


@dataclass(frozen=True, eq=False)
class _Evidence:
    vector: NDArray[np.float32]
    weight: float
    probe_px: float
    at: float


class Pool:
    """The pooled embedding of one tracked face."""

    def __init__(self, frames: int = FRAMES, window_s: float = WINDOW_S) -> None:
        self._kept: deque[_Evidence] = deque(maxlen=frames)
        self._window_s = window_s
        self._doubt: _Evidence | None = None

    def add(self, vector: NDArray[np.float32], quality: Quality, at: float) -> Pooled:
        """Add one frame's unit vector (dim,) and return the pooled embedding. Two in a row that contradict it replace
        it: the track has moved to another person."""
        while self._kept and at - self._kept[0].at > self._window_s:
            self._kept.popleft()
        new = _Evidence(np.asarray(vector, dtype=np.float32), weight_of(quality), quality.probe_px, at)
        if self._kept and float(self.pooled().vector @ new.vector) < APART:
            if self._doubt is None:
                self._doubt = new
                return self.pooled()
            self._kept.clear()
            self._kept.append(self._doubt)
        self._doubt = None
        self._kept.append(new)
        return self.pooled()

    def pooled(self) -> Pooled:
        """The pooled embedding. Raises SettingsInvalid before the first frame."""
        weights = [each.weight for each in self._kept]
        vector = pooled([each.vector for each in self._kept], weights)
        return Pooled(vector, len(weights), float(np.average([each.probe_px for each in self._kept], weights=weights)))
