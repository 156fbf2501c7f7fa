"""What the detector found and how pictures were shown, remembered from one system of an evaluation to the next.

Systems differ in encoder and upscaler, and look at the same pictures. Of the time that one takes for the views of a
photograph, most is detection, landmarks, recognisability and the camera degradation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from core.faces.detect import RGB, Detector
from core.faces.face import Face

if TYPE_CHECKING:
    from core.evaluation.views import Shown, View

MOST_ANSWERS = 500_000
"""More aren't kept. An answer takes about a kilobyte."""

MOST_BYTES = 512_000_000
"""Crops beyond this aren't kept: those of about 10,000 pictures aligned, of 2,000 end to end."""

Answer = TypeVar("Answer")


class FaceMemory:
    """Answers of detectors with the same models, by picture. Safe to share between threads: an answer may be computed
    twice, and is the same."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, Any] = {}
        self._shown: dict[Hashable, Any] = {}
        self._bytes = 0

    def recall(self, key: Hashable, look: Callable[[], Answer]) -> Answer:
        """Return the answer for a key, asking `look` the first time."""
        if key in self._answers:
            return self._answers[key]  # type: ignore[no-any-return]
        answer = look()
        if len(self._answers) < MOST_ANSWERS:
            self._answers[key] = answer
        return answer

    def recall_views(
        self, keys: Mapping[View, Hashable], show: Callable[[list[View]], Mapping[View, Shown]]
    ) -> dict[View, Shown]:
        """Return a picture in the views of `keys`, in their order, asking `show` for those whose key is new."""
        known = {view: self._shown[key] for view, key in keys.items() if key in self._shown}
        new = show([view for view in keys if view not in known]) if len(known) < len(keys) else {}
        for view, shown in new.items():
            size = 200 + (0 if shown.crop is None else shown.crop.nbytes)
            if self._bytes + size <= MOST_BYTES:
                self._bytes += size
                self._shown[keys[view]] = shown
        return {view: known[view] if view in known else new[view] for view in keys}


class RememberingDetector(Detector):
    """A detector that looks at each picture once, as long as `memory` lives."""

    def __init__(self, memory: FaceMemory, *, landmarks_path: Path) -> None:
        super().__init__(landmarks_path=landmarks_path)
        self._memory = memory

    def detect(self, rgb: RGB, *, small_faces: bool | None = None) -> list[Face]:
        """As `Detector.detect`."""
        key = ("faces", self.id, small_faces, _hash(rgb))
        return list(
            self._memory.recall(key, lambda: super(RememberingDetector, self).detect(rgb, small_faces=small_faces))
        )

    def recognisability(self, crops: Sequence[RGB]) -> list[float]:
        """As `Detector.recognisability`."""
        key = ("recognisability", self.id, *map(_hash, crops))
        return list(self._memory.recall(key, lambda: Detector.recognisability(self, crops)))


def _hash(rgb: RGB) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(rgb).data, digest_size=16, key=str(rgb.shape).encode()).digest()
