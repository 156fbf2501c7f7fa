"""Live identification: detect, track and embed the faces of a stream, and recognise each by its latest frames.

identifier = LiveIdentifier(pipeline)
seen = identifier.look(rgb, at=time.monotonic())   # once a frame, on one thread
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.recognition.decision import once_each
from core.recognition.pooling import Pool, Pooled
from core.recognition.probe import Cut
from core.recognition.results import Probe, Recognition
from core.video.face_search import DistantFaceSearch, FaceSearch, FaceSearchSettings, Seen
from core.video.track import Track, Tracker

if TYPE_CHECKING:
    from core.pipeline import Pipeline

EMBED_EVERY_S = 0.4
"""Every face is embedded again at least this often, however many there are."""

FACES_A_FRAME = 4
"""Number of faces that are embedded in each frame; those that have waited longest come first."""

Share = tuple[float, float, float, float]


@dataclass(frozen=True)
class LiveSettings:
    """`reduce_to_px`: simulate a distance at which the largest face has that probe_px; None looks at frames as they
    come. `seek`: how faces are searched then. `pool`: judge by the latest frames together, or by each alone."""

    reduce_to_px: int | None = None
    seek: FaceSearchSettings = field(default_factory=FaceSearchSettings)
    pool: bool = True


@dataclass(frozen=True, eq=False)
class LiveFace:
    """A tracked face in a frame. `number` stays over frames; `share` is its box as shares of the frame; `frames` is
    how many frames the recognition rests on; `fresh` whether this one is among them. `recognition` is None only
    until the face is embedded for the first time."""

    number: int
    share: Share
    recognition: Recognition | None
    frames: int = 0
    fresh: bool = False


@dataclass(frozen=True, eq=False)
class LiveResult:
    """The result of one frame: its faces, the largest first, its time `at`, its `shape` (height, width), and the
    milliseconds of each step for the whole frame."""

    faces: tuple[LiveFace, ...]
    at: float
    shape: tuple[int, int]
    timings_ms: dict[str, float]
    reduced_to_px: int | None = None


@dataclass(eq=False)
class _Known:
    """The evidence and the latest recognition of a track."""

    pool: Pool = field(default_factory=Pool)
    recognition: Recognition | None = None
    frames: int = 0
    embedded_at: float = float("-inf")


class LiveIdentifier:
    """Keeps the tracks of one stream and their recognitions. The pipeline may be shared; this object is for one thread.

    `settings` may be replaced at any time, from any thread; evidence pooled at another size is discarded then.
    """

    def __init__(self, pipeline: Pipeline, settings: LiveSettings | None = None) -> None:
        self.pipeline = pipeline
        self.settings = settings or LiveSettings()
        self._begin(self.settings)

    def _begin(self, settings: LiveSettings) -> None:
        self._for = settings
        detector = self.pipeline.detector
        self._near = FaceSearch(detector, settings.seek)
        self._far = DistantFaceSearch(detector, settings.reduce_to_px) if settings.reduce_to_px else None
        self._tracker = Tracker()
        self._known: dict[int, _Known] = {}

    def look(self, rgb: NDArray[np.uint8], at: float) -> LiveResult:
        """Process the next frame, uint8 RGB (H, W, 3); `at` is its time in seconds, which never decreases."""
        if self._for != self.settings:
            self._begin(self.settings)
        timings: dict[str, float] = {}
        with _timed(timings, "detect"):
            seen = self._seek(rgb, at)
            tracks = self._tracker.update(seen.places, at)
        alive = {track.number for track in self._tracker.tracks}
        self._known = {number: known for number, known in self._known.items() if number in alive}
        chosen = self._choose(tracks, at)
        with _timed(timings, "align and enlarge"):
            cuts: list[Cut] = [self.pipeline.cut(seen.frame, seen.faces[place]) for place in chosen]
            probes = self.pipeline.probes(cuts)
        self._recognise([tracks[place] for place in chosen], probes, at, timings)
        answers = once_each([self._known[track.number].recognition for track in tracks])
        faces = tuple(
            self._face(track, answer, rgb.shape, place in chosen)
            for place, (track, answer) in enumerate(zip(tracks, answers, strict=True))
        )
        return LiveResult(faces, at, (rgb.shape[0], rgb.shape[1]), timings, self._for.reduce_to_px)

    def _seek(self, rgb: NDArray[np.uint8], at: float) -> Seen:
        if self._far is not None:
            return self._far.find(rgb)
        return Seen(rgb, self._near.find(rgb, self._tracker.expected(at)))

    def _choose(self, tracks: Sequence[Track], at: float) -> list[int]:
        """Indices of the faces to embed in this frame: those that have waited longest, and all that have waited too
        long."""
        since = [at - self._known.setdefault(track.number, _Known()).embedded_at for track in tracks]
        order = sorted(range(len(tracks)), key=lambda place: -since[place])
        return sorted(place for turn, place in enumerate(order) if turn < FACES_A_FRAME or since[place] > EMBED_EVERY_S)

    def _recognise(
        self, tracks: Sequence[Track], probes: Sequence[Probe], at: float, timings: dict[str, float]
    ) -> None:
        with _timed(timings, "encode"):
            vectors = self.pipeline.embed(probes) if probes else np.zeros((0, 0), np.float32)
        pools = [self._pooled(*each, at) for each in zip(tracks, probes, vectors, strict=True)]
        with _timed(timings, "search"):
            evidence = np.stack([each.vector for each in pools]) if pools else vectors
            sizes, frames = [each.probe_px for each in pools], [each.frames for each in pools]
            judged = self.pipeline.judge(probes, evidence, sizes, frames=frames)
        for track, recognition, pool in zip(tracks, judged, pools, strict=True):
            known = self._known[track.number]
            known.embedded_at = at
            if recognition.is_attack:
                known.pool = Pool()  # what was taken for a person before is evidence no more
            elif recognition.outcome == "unrecognisable" and known.frames:
                continue  # one bad frame doesn't change the result of the others
            known.recognition = replace(recognition, timings_ms={})
            known.frames = pool.frames if recognition.outcome != "unrecognisable" else 0

    def _pooled(self, track: Track, probe: Probe, vector: NDArray[np.float32], at: float) -> Pooled:
        if probe.unrecognisable_because or not self._for.pool:
            return Pooled(vector, 1, probe.probe_px)
        return self._known[track.number].pool.add(vector, probe.quality, at)

    def _face(self, track: Track, answer: Recognition | None, shape: tuple[int, ...], fresh: bool) -> LiveFace:
        x0, y0, x1, y1 = track.face.box_xyxy
        share = (x0 / shape[1], y0 / shape[0], x1 / shape[1], y1 / shape[0])
        return LiveFace(track.number, share, answer, self._known[track.number].frames, fresh)


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[step] = (time.perf_counter() - start) * 1000
