"""Check against presentation attacks (a print, a screen, a mask) by a model of the user's own.

The project contains no such model. A user's ONNX file is described by a small JSON file: its input and the meaning of
its output (AttackModel). OpenCV runs it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.faces.face import Face
from core.system.file_kinds import stray

_MOST_BYTES = 100_000
_STEP = "Correct it; `edgeface-studio attacks --help` shows one that is whole."


class AttackCheckUnusable(CoreError):
    """A model against presentation attacks, or its description, can't be used."""

    help_topic = "presentation"


@dataclass(frozen=True)
class AttackModel:
    """The description of a model: its input and output.

    Input (1, 3, input_px, input_px): the square around the face's box, `crop_scale` times as wide as the box's longer
    side, edges repeated beyond the picture; in the order `channels`; each value (byte * scale - mean) / std.
    Output: a row of numbers, made shares by `output` ("softmax", "sigmoid", or "share" where they are that already).
    `attack` are the places whose shares together say that it is an attack, or `genuine` those that say that it isn't:
    one of both. From `limit` on a face is refused. A face whose box is narrower than `min_face_px` can't be judged: it
    passes unchecked, or is refused, by `small`.
    """

    input_px: int
    attack: tuple[int, ...] = ()
    genuine: tuple[int, ...] = ()
    output: Literal["softmax", "sigmoid", "share"] = "softmax"
    channels: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    crop_scale: float = 1.0
    limit: float = 0.5
    min_face_px: float = 80.0
    small: Literal["pass", "refuse"] = "pass"

    def __post_init__(self) -> None:
        def need(whether: bool, what: str) -> None:
            if not whether:
                raise AttackCheckUnusable(f"The description of the model isn't right: {what}.", _STEP)

        need(_whole(self.input_px, 16, 1024), "input_px is a whole number from 16 to 1024")
        need(bool(self.attack) != bool(self.genuine), "give either attack or genuine, a list of places in the output")
        for place in (*self.attack, *self.genuine):
            need(_whole(place, 0, 9999), "places in the output are whole numbers from 0")
        need(self.output in ("softmax", "sigmoid", "share"), "output is softmax, sigmoid or share")
        need(self.channels in ("rgb", "bgr"), "channels are rgb or bgr")
        need(self.small in ("pass", "refuse"), "small is pass or refuse")
        for name in ("mean", "std"):
            three = getattr(self, name)
            need(len(three) == 3 and all(map(_number, three)), f"{name} has three numbers")
        need(all(abs(value) > 1e-9 for value in self.std), "no number of std is 0")
        need(_number(self.scale), "scale is a number")
        need(_number(self.crop_scale) and 0.5 <= self.crop_scale <= 8, "crop_scale is a number from 0.5 to 8")
        need(_number(self.limit) and 0 < self.limit <= 1, "limit is a share above 0, at most 1")
        need(_number(self.min_face_px) and 0 <= self.min_face_px <= 10_000, "min_face_px is a number of pixels")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class AttackScore:
    """The result for one face: the model's score for an attack (None where the face is too small), the limit, and
    whether the face is refused."""

    score: float | None
    limit: float
    refused: bool

    @property
    def text(self) -> str:
        """The reason for a refusal, or ""."""
        if not self.refused:
            return ""
        if self.score is None:
            return "too small to be checked for a presentation attack"
        return f"looks like a presentation attack (score {self.score:.2f}, refused from {self.limit:.2f} on)"


def model_of(said: Any) -> AttackModel:
    """Read a description from JSON values. Raises AttackCheckUnusable for unknown, missing or invalid ones."""
    if not isinstance(said, dict):
        raise AttackCheckUnusable("The description of the model isn't a JSON object.", _STEP)
    known = {field.name for field in fields(AttackModel)}
    if strange := sorted(map(str, set(said) - known)):
        raise AttackCheckUnusable(f"The description holds '{strange[0][:40]}', which is unknown.", _STEP)
    if "input_px" not in said:
        raise AttackCheckUnusable("The description lacks input_px.", _STEP)
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return AttackModel(**values)


def read_model(path: Path) -> AttackModel:
    """Read a description from a JSON file. Raises AttackCheckUnusable."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise AttackCheckUnusable(f"{path.name} isn't a description of a model: it is too long.", _STEP)
        return model_of(json.loads(content))
    except OSError as error:
        raise AttackCheckUnusable(f"{path} can't be read: {error.strerror}.", "Check the path.") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise AttackCheckUnusable(f"{path.name} isn't valid JSON of that form.", _STEP) from error


class AttackCheck:
    """A loaded model. Safe to share between threads, which take turns. Raises AttackCheckUnusable when it can't be
    read, or its output is smaller than its description says."""

    def __init__(self, path: Path, model: AttackModel) -> None:
        self.model = model
        self._lock = threading.Lock()  # a cv2.dnn network holds its input: one caller at a time
        if not path.is_file():
            raise AttackCheckUnusable(
                f"The model against presentation attacks isn't at {path} any more.",
                "Put it back, choose it again (edgeface-studio attacks use), or switch the check off (attacks off).",
            )
        if found := stray(path, "onnx"):
            raise AttackCheckUnusable(f"{path.name} can't be read as ONNX: it is {found.what}.", found.next_step)
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
            numbers = self._numbers(np.full((model.input_px, model.input_px, 3), 128, np.uint8))
        except cv2.error as error:
            raise AttackCheckUnusable(
                f"OpenCV can't run {path.name} on {model.input_px} x {model.input_px} px.",
                "Check input_px and that the file is whole, or export the model again with a fixed input.",
            ) from error
        self.id = f"{hashlib.sha256(path.read_bytes()).hexdigest()} {model}"
        """The file's hash and its description, which decide the results."""
        highest = max((*model.attack, *model.genuine))
        if highest >= len(numbers) or not np.isfinite(numbers).all():
            raise AttackCheckUnusable(
                f"{path.name} gives {len(numbers)} numbers; its description speaks of place {highest}.", _STEP
            )

    def look(self, frame: NDArray[np.uint8], face: Face) -> AttackScore:
        """Check a face of a uint8 RGB frame (H, W, 3)."""
        at = self.model
        if min(face.width, face.height) < at.min_face_px:
            return AttackScore(None, at.limit, refused=at.small == "refuse")
        shares = _shares(self._numbers(square_around(frame, face, at.crop_scale)), at.output)
        share = sum(float(shares[place]) for place in (at.attack or at.genuine))
        score = min(1.0, max(0.0, share if at.attack else 1.0 - share))
        return AttackScore(score, at.limit, refused=score >= at.limit)

    def _numbers(self, square: NDArray[np.uint8]) -> NDArray[np.float64]:
        at = self.model
        small = cv2.resize(square, (at.input_px, at.input_px), interpolation=cv2.INTER_AREA).astype(np.float32)
        ordered = small[..., ::-1] if at.channels == "bgr" else small
        values = (ordered * at.scale - np.array(at.mean, np.float32)) / np.array(at.std, np.float32)
        blob = np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=np.float32)  # (H, W, C) -> (1, C, H, W)
        with self._lock:
            self._network.setInput(blob)
            return np.asarray(self._network.forward(), dtype=np.float64).reshape(-1)


def square_around(frame: NDArray[np.uint8], face: Face, crop_scale: float) -> NDArray[np.uint8]:
    """The square of `crop_scale` times the box's longer side around its middle, edges repeated beyond the picture,
    turned by quarters until the face is upright."""
    side = max(1, round(max(face.width, face.height) * crop_scale))
    left, top = round(face.centre[0] - side / 2), round(face.centre[1] - side / 2)
    rows = np.clip(np.arange(top, top + side), 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, frame.shape[1] - 1)
    return np.ascontiguousarray(np.rot90(frame[rows[:, None], columns[None, :]], face.quarter))


def _shares(numbers: NDArray[np.float64], output: str) -> NDArray[np.float64]:
    if output == "softmax":
        raised = np.exp(numbers - numbers.max())
        return np.asarray(raised / raised.sum())
    return 1 / (1 + np.exp(-np.clip(numbers, -60, 60))) if output == "sigmoid" else numbers


def _whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
