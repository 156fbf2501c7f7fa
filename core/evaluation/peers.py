"""Other people's recognisers beside EdgeFace: any ONNX network with one 112 x 112 px input, run by OpenCV.

OpenCV's dnn module is here already and reads such files (checked with SFace, also as int8 blocks), so no ONNX runtime
is needed. How a file wants its pixels isn't written in it. As InsightFace does, a subtraction or multiplication before
the first convolution is taken as a sign that the network scales bytes itself; else it gets [-1, 1].
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.encoder.registry import hash_file
from core.errors import CoreError
from core.file_kinds import stray
from core.settings import CROP_PX

if TYPE_CHECKING:
    from core.encoder.encode import Images

_OWN_SCALING = frozenset({"NaryEltwise", "Power", "Scale", "BatchNorm", "Eltwise", "ElementWise"})


class PeerUnusable(CoreError):
    """An ONNX file that OpenCV can't read, or that doesn't turn a 112 px crop into one vector."""

    help_topic = "evaluation"


class OnnxEncoder:
    """A peer in the encoder's place: aligned RGB crops -> unit embeddings of the peer's own length.

    `bgr` feeds the channels in the other order. Raises PeerUnusable.
    """

    def __init__(self, path: Path, *, use_tta: bool = False, bgr: bool = False) -> None:
        from core.encoder.encode import EncoderInfo  # brings torch along, which a warm cache does without

        self._network = _read(path)
        self._lock = threading.Lock()  # a cv2.dnn network holds its input: one caller at a time
        self._bgr = bgr
        self.scales_itself = _scales_itself(self._network)
        self.flip_tta = use_tta
        self.name = path.stem
        self.weights_sha256 = hash_file(path).sha256
        self.dim = self._try(path)
        self.info = EncoderInfo(
            variant=f"{path.stem} (peer)",
            official=False,
            path=path,
            weights_sha256=self.weights_sha256,
            kind="onnx",
            parameters=0,
            device="cpu",
            precision="float32",
            flip_tta=use_tta,
        )

    def encode(self, images: Images, *, batch_size: int = 16) -> NDArray[np.float32]:
        """uint8 RGB crops (112, 112, 3) -> float32 (N, D), rows of unit length; flip TTA as the encoder has it."""
        parts = []
        for start in range(0, len(images), batch_size):
            crops = [np.asarray(image) for image in images[start : start + batch_size]]
            raw = self._forward(crops)
            if self.flip_tta:
                raw = raw + self._forward([np.ascontiguousarray(crop[:, ::-1]) for crop in crops])
            parts.append(raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12))
        return np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, self.dim), np.float32)

    def _forward(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        # One at a time: many published files hold a batch of one in their shapes.
        scale, mean = (1.0, 0.0) if self.scales_itself else (1 / 127.5, 127.5)
        rows = []
        with self._lock:
            for crop in crops:
                blob = cv2.dnn.blobFromImage(crop, scale, (CROP_PX, CROP_PX), (mean,) * 3, swapRB=self._bgr)
                self._network.setInput(blob)
                rows.append(np.asarray(self._network.forward(), dtype=np.float32).reshape(-1).copy())
        return np.stack(rows)

    def _try(self, path: Path) -> int:
        """The length of its embedding, found by trying it on a grey crop."""
        step = "Choose a face recogniser with one 112 x 112 px RGB input and one vector as output."
        try:
            out = self._forward([np.full((CROP_PX, CROP_PX, 3), 128, np.uint8)])
        except cv2.error as error:
            raise PeerUnusable(f"{path.name} doesn't take a 112 x 112 px crop.", step) from error
        if not 32 <= out.shape[1] <= 4096 or not np.isfinite(out).all():
            raise PeerUnusable(f"{path.name} gives {out.shape[1]} numbers for a face, expected 32 to 4,096.", step)
        return int(out.shape[1])


def _read(path: Path) -> Any:
    if not path.is_file():
        raise PeerUnusable(f"There is no ONNX file at {path}.", "Check the path.")
    if found := stray(path, "onnx"):
        raise PeerUnusable(f"{path.name} can't be read as ONNX: it is {found.what}.", found.next_step)
    try:
        return cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise PeerUnusable(
            f"{path.name} can't be read as ONNX: it is damaged, cut off, or holds operations that OpenCV lacks.",
            "Copy it again, or export it again with a fixed input of 112 x 112 px.",
        ) from error


def _scales_itself(network: Any) -> bool:
    for name in network.getLayerNames():
        kind = network.getLayer(name).type
        if kind == "Convolution":
            return False
        if kind in _OWN_SCALING:
            return True
    return False
