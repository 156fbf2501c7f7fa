"""Peers, recognisers of other projects to compare with: any ONNX network with one 112 x 112 px input.

OpenCV's dnn module runs them, and ONNX Runtime what OpenCV can't read: each takes files that the other refuses (SFace
as int8 blocks, EdgeFace). A file exported by this project names its input range in its metadata. For any other, as
InsightFace does, a subtraction or multiplication before the first convolution is taken as a sign that the network
scales bytes itself; else the input is in [-1, 1].
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.models.encoders import hash_file
from core.settings import CROP_PX
from core.system.file_kinds import stray

if TYPE_CHECKING:
    from core.encoder.encode import Images

Runner = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(1, 3, 112, 112) as the network wants it -> (D,). One caller at a time."""

OWN_FORMAT = "edgeface-studio-onnx-"
"""How the metadata key `format` begins in a file that this project exported."""
_OWN_SCALING = frozenset({"Sub", "Mul", "Div", "Add", "BatchNormalization"})
_STEP = "Choose a face recogniser with one 112 x 112 px RGB input and one vector as output."


class PeerUnusable(CoreError):
    """An ONNX file that can't be read, or that doesn't turn a 112 px crop into one vector."""

    help_topic = "evaluation"


class OnnxEncoder:
    """A peer in the encoder's place: aligned RGB crops -> unit embeddings of the peer's own length.

    `bgr` feeds the channels in the other order. Raises PeerUnusable.
    """

    def __init__(self, path: Path, *, use_tta: bool = False, bgr: bool = False) -> None:
        from core.encoder.encode import EncoderInfo  # imports torch, which a warm cache does without

        model = _model(path)
        said = {entry.key: entry.value for entry in model.metadata_props}
        said = said if said.get("format", "").startswith(OWN_FORMAT) else {}
        if bgr and said.get("channel_order") == "RGB":
            raise PeerUnusable(f"{path.name} takes RGB, according to its metadata.", "Leave out --peer-bgr.")
        self._lock = threading.Lock()
        self._bgr = bgr
        self.scales_itself = not said and _scales_itself(model.graph)
        self.flip_tta = use_tta
        self.name = path.stem
        self.weights_sha256 = hash_file(path).sha256
        self._run, self.dim = self._opened(path, own=bool(said))
        self.info = EncoderInfo(
            variant=f"{said.get('variant') or path.stem} (peer)",
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
        with self._lock:
            return np.stack([self._run(self._fed(crop)) for crop in crops])

    def _fed(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        scale, mean = (1.0, 0.0) if self.scales_itself else (1 / 127.5, 127.5)
        blob = cv2.dnn.blobFromImage(crop, scale, (CROP_PX, CROP_PX), (mean,) * 3, swapRB=self._bgr)
        return np.asarray(blob, dtype=np.float32)

    def _opened(self, path: Path, *, own: bool) -> tuple[Runner, int]:
        """What runs the network, and the length of its embedding, found by trying it on a grey crop."""
        grey = self._fed(np.full((CROP_PX, CROP_PX, 3), 128, np.uint8))
        run, out = None if own else _in_opencv(path), None  # EdgeFace's position embeddings are beyond OpenCV
        with suppress(cv2.error):
            out = run(grey) if run is not None else None
        if run is None or out is None:
            run = _in_onnx_runtime(path)
            try:
                out = run(grey)
            except Exception as error:  # ONNX Runtime's have no root of their own
                raise PeerUnusable(f"{path.name} doesn't take a 112 x 112 px crop.", _STEP) from error
        if not 32 <= len(out) <= 4096 or not np.isfinite(out).all():
            raise PeerUnusable(f"{path.name} gives {len(out)} numbers for a face, expected 32 to 4,096.", _STEP)
        return run, len(out)


def _model(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise PeerUnusable(f"There is no ONNX file at {path}.", "Check the path.")
    if found := stray(path, "onnx"):
        raise PeerUnusable(f"{path.name} can't be read as ONNX: it is {found.what}.", found.next_step)
    try:
        return onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise PeerUnusable(f"{path.name} can't be read as ONNX: it is damaged or cut off.", "Copy it again.") from error


def _in_opencv(path: Path) -> Runner | None:
    try:
        network = cv2.dnn.readNetFromONNX(str(path))
    except cv2.error:
        return None

    def run(blob: NDArray[np.float32]) -> NDArray[np.float32]:
        network.setInput(blob)
        return np.asarray(network.forward(), dtype=np.float32).reshape(-1).copy()

    return run


def _in_onnx_runtime(path: Path) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Threads that wait by spinning take the processor from PyTorch's.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's have no root of their own
        raise PeerUnusable(
            f"{path.name} holds operations that neither OpenCV nor ONNX Runtime knows, or is damaged.",
            "Copy it again, or export it again with an input of 112 x 112 px.",
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise PeerUnusable(f"{path.name} has {len(inputs)} inputs and {len(outputs)} outputs.", _STEP)

    def run(blob: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {inputs[0].name: blob})[0], dtype=np.float32).reshape(-1)

    return run


def _scales_itself(graph: Any) -> bool:
    for node in graph.node:
        if node.op_type in ("Conv", "QLinearConv", "ConvInteger"):
            return False
        if node.op_type in _OWN_SCALING:
            return True
    return False
