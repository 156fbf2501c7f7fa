"""Face tracking across frames by overlap and distance; each track keeps its number.

Faces are matched to where their tracks should be by now, all at once, so that the sum of costs is least (Kuhn, Naval
Research Logistics Quarterly 1955, by SciPy). SORT's Kalman filter (Bewley et al., ICIP 2016) is left out: between
frames a tenth of a second apart a constant speed does as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.faces.face import Face, moved, overlap

KEEP_S = 1.0
"""A track that isn't seen is kept for this long: a face that is missed in a frame or two keeps its number."""

KEEP_LOOKS, MOST_KEEP_S = 2.5, 8.0
"""Where looks are further apart than usual (a busy or a small machine) it is kept for this many of them instead, and at
most for this many seconds: otherwise every look would start a new track, and no evidence would accumulate."""

_NEAR = 0.75
"""A face belongs to a track when the boxes overlap, or when their centres are nearer than this, in face widths."""

_LEAST_OVERLAP = 0.15
_SIZE_RATIO = 2.0
_SPEED_MEMORY = 0.6


@dataclass(eq=False)
class Track:
    """One face over time: its last detection, when that was (`seen_at`, seconds of the stream's clock), its `speed` in
    px per second (x, y), and the number of `frames` in which it was seen."""

    number: int
    face: Face
    seen_at: float
    speed: tuple[float, float] = (0.0, 0.0)
    frames: int = 1

    def expected(self, at: float) -> Face:
        """The expected position at a time, at constant speed."""
        after = min(max(0.0, at - self.seen_at), KEEP_S)
        return moved(self.face, (1, 1), (self.speed[0] * after, self.speed[1] * after))

    def follow(self, face: Face, at: float) -> None:
        """Update the track with a new detection."""
        after = at - self.seen_at
        if after > 0:
            fresh = [(new - old) / after for new, old in zip(face.centre, self.face.centre, strict=True)]
            kept = [_SPEED_MEMORY * old + (1 - _SPEED_MEMORY) * new for old, new in zip(self.speed, fresh, strict=True)]
            self.speed = (kept[0], kept[1])
        self.face, self.seen_at, self.frames = face, at, self.frames + 1


@dataclass
class Tracker:
    """The tracks of one stream. `update` once a frame, times never going back."""

    keep_s: float = KEEP_S
    tracks: list[Track] = field(default_factory=list)
    _next: int = 1
    _looked_at: float | None = None
    _apart_s: float = 0.0

    def expected(self, at: float) -> list[Face]:
        """The expected positions of the tracked faces at a time."""
        return [track.expected(at) for track in self.tracks]

    def update(self, faces: Sequence[Face], at: float) -> list[Track]:
        """The track of each face, in the faces' order; new ones for faces that belong to none. Tracks that weren't
        seen for `keep_s`, or for some looks where those are rare, are forgotten."""
        patience_s = self._patience_s(at)
        known = [track for track in self.tracks if at - track.seen_at <= patience_s]
        chosen = _assign([track.expected(at) for track in known], faces)
        found: list[Track] = []
        for place, face in enumerate(faces):
            if place in chosen:
                track = known[chosen[place]]
                track.follow(face, at)
            else:
                track = Track(self._next, face, at)
                self._next += 1
                known.append(track)
            found.append(track)
        self.tracks = known
        return found

    def _patience_s(self, at: float) -> float:
        """How long a track lives on unseen, by how far apart the looks before this one were."""
        patience_s = max(self.keep_s, min(KEEP_LOOKS * self._apart_s, MOST_KEEP_S))
        if self._looked_at is not None:
            self._apart_s = (self._apart_s + at - self._looked_at) / 2
        self._looked_at = at
        return patience_s


def _assign(expected: Sequence[Face], faces: Sequence[Face]) -> dict[int, int]:
    """face -> track, by place in the lists; faces too far from every track are left out."""
    if not expected or not faces:
        return {}
    from scipy.optimize import linear_sum_assignment

    cost = np.array([[_cost(track, face) for face in faces] for track in expected])
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e3))
    return {int(c): int(r) for r, c in zip(rows, columns, strict=True) if np.isfinite(cost[r, c])}


def _cost(track: Face, face: Face) -> float:
    """0 for the same box, growing with distance; infinite for what can't be the same face."""
    wider, narrower = max(track.width, face.width), max(min(track.width, face.width), 1e-6)
    if wider / narrower > _SIZE_RATIO:
        return float("inf")
    common = overlap(track, face)
    between: NDArray[np.float64] = np.subtract(track.centre, face.centre)
    apart = float(np.hypot(*between)) / wider
    return 1 - common + apart if common >= _LEAST_OVERLAP or apart <= _NEAR else float("inf")
