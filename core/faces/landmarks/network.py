"""The landmark network at work: squares of a picture in; points, their error, and whether each is a face, out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.faces.landmarks.look import LOOK_PX
from core.settings import PROJECT_ROOT, load_settings

if TYPE_CHECKING:
    import onnxruntime

FILE = "edgeface-landmarks.onnx"
"""The network that ships in data/models."""

INPUT, OUTPUT = "looks", "readings"
VALUES = 17
"""Ten coordinates, five errors, the probability of a face, and recognisability."""

_MOST_AT_ONCE = 64


def shipped_path(models_dir: Path) -> Path:
    """The path of the shipped network in `models_dir`, else in the project's own data/models: a folder that somebody
    put together may be older than the network."""
    path = models_dir / FILE
    return path if path.is_file() else PROJECT_ROOT / "data" / "models" / FILE


class LandmarksUnusable(CoreError):
    """The landmark network's file is missing, or isn't one."""

    help_topic = "detector"


@dataclass(frozen=True, eq=False)
class Readings:
    """What the network reads in N looks.

    `points` (N, 5, 2): landmarks from -1 to 1 over the look, beyond it where the face is cut. `errors` (N, 5): the
    expected distance of each from the truth, in the same units. `is_face` (N,): probability of a face, 0 to 1.
    `recognisability` (N,): 0 to 1, how far the embedding of this crop can be trusted.
    """

    points: NDArray[np.float32]
    errors: NDArray[np.float32]
    is_face: NDArray[np.float32]
    recognisability: NDArray[np.float32]


class Landmarker:
    """The network in ONNX Runtime, by default the shipped one. Safe to share between threads. Raises
    LandmarksUnusable."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or shipped_path(load_settings().models_dir)
        if not self._path.is_file():
            raise LandmarksUnusable(
                f"There is no landmark network at {self._path}.",
                "Get it again with the project's files (git checkout data/models), or train one: edgeface-studio train "
                "landmarks.",
            )

    @cached_property
    def id(self) -> str:
        """SHA-256 of the network's file."""
        return hashlib.sha256(self._path.read_bytes()).hexdigest()

    @property
    def name(self) -> str:
        """The file's name without its ending, and the start of `id`."""
        return f"{self._path.stem} ({self.id[:12]})"

    def read(self, looks: NDArray[np.uint8]) -> Readings:
        """Read looks, uint8 RGB (N, 80, 80, 3), in batches. Raises LandmarksUnusable."""
        if not len(looks):
            out = np.zeros((0, VALUES), dtype=np.float32)
        else:
            parts = [looks[first : first + _MOST_AT_ONCE] for first in range(0, len(looks), _MOST_AT_ONCE)]
            out = np.concatenate([self._session.run([OUTPUT], {INPUT: part})[0] for part in parts])
        return Readings(out[:, :10].reshape(-1, 5, 2), out[:, 10:15], out[:, 15], out[:, 16])

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = 1, 1  # a second thread costs more than it gains
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
            taken, given = session.get_inputs(), session.get_outputs()
        except Exception as error:  # ONNX Runtime's exceptions share no class of their own
            raise LandmarksUnusable(
                f"ONNX Runtime can't read {self._path.name} ({type(error).__name__}).",
                "Use a file that `edgeface-studio train landmarks` wrote.",
            ) from error
        shapes = [list(each.shape[1:]) for each in (*taken, *given)]
        if [each.name for each in (*taken, *given)] != [INPUT, OUTPUT] or shapes != [[LOOK_PX, LOOK_PX, 3], [VALUES]]:
            raise LandmarksUnusable(
                f"{self._path.name} isn't a landmark network: it takes and gives arrays of {shapes}.",
                "Use a file that `edgeface-studio train landmarks` wrote.",
            )
        return session
