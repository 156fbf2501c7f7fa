"""The face detector's network: YuNet (Wu et al., Machine Intelligence Research 2023), run by OpenCV."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.faces.face import Face

RGB = NDArray[np.uint8]

SCORE_THRESHOLD = 0.6
MODEL_SHA256 = "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
"""YuNet as the OpenCV Zoo publishes it, quantised to int8 by blocks (MIT, see LICENSE in the same folder)."""

_MODEL = Path(__file__).parent / "yunet" / "face_detection_yunet_2023mar_int8bq.onnx"
_MIN_SIDE_PX = 64


class DetectorMissing(CoreError):
    """The detector's weights are missing, or aren't the published ones."""

    help_topic = "detector"


def detector_model_path() -> Path:
    """YuNet's int8 ONNX file in this package. Raises DetectorMissing when it is missing or was changed."""
    step = "Get it again with the project's files (git checkout core/faces/yunet), or install the project again."
    try:
        content = _MODEL.read_bytes()
    except OSError as error:
        raise DetectorMissing(f"The face detector's weights (YuNet) aren't at {_MODEL}.", step) from error
    if hashlib.sha256(content).hexdigest() != MODEL_SHA256:
        raise DetectorMissing(f"{_MODEL} isn't the published YuNet: its SHA-256 is another.", step)
    return _MODEL


class YuNet:
    """The network, once for each thread and use, since OpenCV's isn't safe to share.

    `use` names the size of the pictures: a network that is given another size is planned again (1 ms).
    """

    def __init__(self, score_threshold: float = SCORE_THRESHOLD, path: Path | None = None) -> None:
        self._path = path or detector_model_path()
        self._score_threshold = score_threshold
        self._local = threading.local()
        if not self._path.is_file():
            raise DetectorMissing(f"There is no detector model at {self._path}.", "Check the path.")

    @property
    def id(self) -> str:
        """The model and the score threshold as text: both decide which faces are found."""
        return f"{self._path} {self._score_threshold}"

    def faces(self, bgr: RGB, use: str) -> list[Face]:
        """Run the network on a BGR picture (H, W, 3) at its own size and return the faces in its pixels."""
        # Below this size OpenCV's YuNet gives faces that depend on the picture before.
        missing = [max(0, _MIN_SIDE_PX - side) for side in bgr.shape[:2]]
        if any(missing):
            bgr = np.asarray(cv2.copyMakeBorder(bgr, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT), dtype=np.uint8)
        network = self._network(use)
        network.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = network.detect(np.ascontiguousarray(bgr))
        return [face for row in rows if (face := _face(row)) is not None] if rows is not None else []

    def _network(self, use: str) -> Any:
        network = getattr(self._local, use, None)
        if network is None:
            network = cv2.FaceDetectorYN.create(str(self._path), "", (320, 320), self._score_threshold, 0.3, 2000)
            setattr(self._local, use, network)
        return network


def _face(row: NDArray[np.float32]) -> Face | None:
    """One row of YuNet: x, y, width, height, five points, score. None when it is degenerate."""
    points = row[4:14].reshape(5, 2).astype(np.float32)
    if not np.isfinite(row).all() or row[2] <= 0 or row[3] <= 0 or np.ptp(points, axis=0).max() < 1.0:
        return None
    x, y, width, height = (float(v) for v in row[:4])
    return Face((x, y, x + width, y + height), points, float(row[14]))
