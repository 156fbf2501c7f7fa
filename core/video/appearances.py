"""Summary of a video: a row for each tracked face, and who was seen for how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.recognition.pooling import weight_of
from core.recognition.results import POSSIBLE, Outcome, Recognition
from core.video.live import LiveResult

COLUMNS = (
    "track",
    "outcome",
    "identity",
    "possible",
    "nearest",
    "score",
    "threshold",
    "calibrated",
    "agreement",
    "from_s",
    "to_s",
    "looks",
    "probe_px",
    "upscaler",
    "warning",
)

_KEPT_ANSWERS = 200

LEAST_LOOKS = 2
"""A face that was embedded fewer times and matched nobody is left out: it is more often a pattern than a person."""


@dataclass(eq=False)
class _Appearance:
    first: float
    last: float
    answers: Counter[tuple[Outcome, str | None]] = field(default_factory=Counter)
    recognitions: dict[tuple[Outcome, str | None], list[Recognition]] = field(default_factory=dict)
    best: tuple[float, NDArray[np.uint8]] | None = None


class Appearances:
    """Collects results frame by frame; memory grows with the number of tracks, not of frames."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Appearance] = {}
        self.frames = 0

    def add(self, result: LiveResult, keep_faces: bool = False) -> None:
        """Add the result of one frame; with `keep_faces` the best picture of each face is kept too."""
        self.frames += 1
        for face in result.faces:
            track = self._tracks.setdefault(face.number, _Appearance(result.at, result.at))
            track.last = result.at
            found = face.recognition
            if not face.fresh or found is None:
                continue
            answer = (found.outcome, found.identity)
            track.answers[answer] += 1
            recognitions = track.recognitions.setdefault(answer, [])
            if len(recognitions) < _KEPT_ANSWERS:
                # Pictures and vectors aren't kept: a long video holds many faces.
                recognitions.append(_light(found))
            if keep_faces and found.probe is not None:
                weight = weight_of(found.probe.quality)
                if track.best is None or weight > track.best[0]:
                    track.best = (weight, found.probe.aligned)

    def table(self) -> pd.DataFrame:
        """A row for each tracked face, in the order of first sight. The answer is the most frequent one over the
        track's looks, `agreement` its share of them, `score` the median of its scores."""
        rows = [_row(number, track) for number, track in sorted(self._tracks.items()) if _counts(track)]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def people(self) -> list[dict[str, Any]]:
        """The people who were recognised, the longest seen first: name, seconds in sight, first and last second, best
        score."""
        table = self.table()
        found = []
        for name, rows in table[table["outcome"] == "match"].groupby("identity"):
            found.append(
                {
                    "identity": str(name),
                    "seconds": round(float((rows["to_s"] - rows["from_s"]).sum()), 2),
                    "from_s": float(rows["from_s"].min()),
                    "to_s": float(rows["to_s"].max()),
                    "score": float(rows["score"].max()),
                    "tracks": len(rows),
                }
            )
        return sorted(found, key=lambda each: -each["seconds"])

    def faces(self) -> Iterable[tuple[int, NDArray[np.uint8]]]:
        """(track, best picture uint8 RGB (112, 112, 3)) where pictures were kept."""
        return [(number, track.best[1]) for number, track in sorted(self._tracks.items()) if track.best is not None]


def _light(found: Recognition) -> Recognition:
    probe = found.probe
    if probe is not None:
        probe = replace(probe, crop=_NOTHING, aligned=_NOTHING, sr_image=_NOTHING)
    return replace(found, embedding=None, top_k=found.top_k[:1], probe=probe)


_NOTHING = np.zeros((0, 0, 3), np.uint8)


def _counts(track: _Appearance) -> bool:
    return sum(track.answers.values()) >= LEAST_LOOKS or any(answer == "match" for answer, _ in track.answers)


def _row(number: int, track: _Appearance) -> dict[str, Any]:
    (outcome, identity), times = track.answers.most_common(1)[0]
    recognitions = track.recognitions[(outcome, identity)]
    last = recognitions[-1]
    scores = [each.score for each in recognitions if each.score is not None]
    possible = Counter(each.possible for each in recognitions).most_common(1)[0][0]
    nearest = Counter(each.top_k[0].name for each in recognitions if each.top_k).most_common(1)
    sizes = [each.probe_px for each in recognitions if each.probe_px is not None]
    return {
        "track": number,
        "outcome": outcome,
        "identity": identity,
        "possible": POSSIBLE.join(possible) or None,
        "nearest": nearest[0][0] if nearest else None,
        "score": round(float(np.median(scores)), 4) if scores else None,
        "threshold": round(last.threshold, 4),
        "calibrated": last.calibrated,
        "agreement": round(times / sum(track.answers.values()), 3),
        "from_s": round(track.first, 2),
        "to_s": round(track.last, 2),
        "looks": sum(track.answers.values()),
        "probe_px": round(float(np.median(sizes)), 1) if sizes else None,
        "upscaler": last.upscaler,
        "warning": last.warning,
    }
