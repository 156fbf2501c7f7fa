"""Synthetic video clips for tests and benchmarks: photographs of faces that sway in front of a plain wall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.faces.align import probe_px
from core.faces.detect import Detector

SIZE = (640, 480)
"""(width, height) of the frames."""

_WALL = (96, 104, 112)
_SWAY_PX = 10.0
_PERIOD_S = 4.0


@dataclass(frozen=True, eq=False)
class Actor:
    """A photograph, uint8 RGB (H, W, 3), and how much to enlarge or reduce it for a frame."""

    photograph: NDArray[np.uint8]
    scale: float


def actors(
    photographs: Sequence[NDArray[np.uint8]], size_px: int | None = None, detector: Detector | None = None
) -> list[Actor]:
    """Photographs made to stand side by side in a frame, their largest face at probe_px `size_px` (None: as large as
    fits). Raises SettingsInvalid for one without a face, and when they don't fit next to each other."""
    detector = detector or Detector()
    slot = SIZE[0] / max(1, len(photographs))
    found: list[Actor] = []
    for place, photograph in enumerate(photographs, start=1):
        faces = detector.detect(photograph)
        if not faces:
            raise SettingsInvalid(f"No face was found in photograph {place}.", "Choose one that shows a face.")
        fits = min((slot - 2 * _SWAY_PX) / photograph.shape[1], (SIZE[1] - 2 * _SWAY_PX) / photograph.shape[0])
        scale = fits if size_px is None else size_px / probe_px(faces[0].landmarks)
        if scale > fits * 1.001:
            raise SettingsInvalid(
                f"{len(photographs)} photographs with faces of {size_px} px don't fit into {SIZE[0]} x {SIZE[1]} px.",
                "Choose fewer, or smaller faces.",
            )
        found.append(Actor(photograph, scale))
    return found


def drawn_people(count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Drawn portraits whose faces the detector finds, for tests and benchmarks without photographs."""
    from core.dataset.synthetic.head import View, portray
    from core.dataset.synthetic.looks import Expression, draw_looks

    view = View(light=(0.3, -0.4, 1.0), contrast=0.5)
    return [portray(looks, Expression(), view, noise_seed=seed).rgb for looks in draw_looks(count, seed)]


def frame_at(cast: Sequence[Actor], at: float, noise: np.random.Generator | None = None) -> NDArray[np.uint8]:
    """The frame at a time in seconds, uint8 RGB (480, 640, 3): each photograph in its place, swaying by fractions of
    a pixel; with `noise` as a camera's sensor adds it (standard deviation 3 of 255)."""
    frame = np.full((SIZE[1], SIZE[0], 3), _WALL, np.uint8)
    slot = SIZE[0] / max(1, len(cast))
    for place, actor in enumerate(cast):
        height, width = (side * actor.scale for side in actor.photograph.shape[:2])
        turn = 2 * np.pi * (at / _PERIOD_S + place / 3)
        x = slot * place + (slot - width) / 2 + _SWAY_PX * np.sin(turn) * 0.9
        y = (SIZE[1] - height) / 2 + _SWAY_PX * np.cos(0.7 * turn) * 0.9
        _paste(frame, actor, x, y)
    if noise is not None:
        frame = np.clip(frame + noise.normal(0, 3, frame.shape), 0, 255).astype(np.uint8)
    return frame


def write_clip(
    path: Path, cast: Sequence[Actor], seconds: float, rate: int = 15, noise: np.random.Generator | None = None
) -> None:
    """A clip of the cast: H.264 for .mp4, Motion JPEG for .mjpeg, raw for .y4m (the last two play as a browser's
    test camera)."""
    from core.video.writing import VideoWriter

    with VideoWriter(path, SIZE, Fraction(rate)) as writer:
        for number in range(max(1, round(seconds * rate))):
            writer.add(frame_at(cast, number / rate, noise), number / rate)


def clip_frames(cast: Sequence[Actor], seconds: float, rate: int = 15) -> Iterator[NDArray[np.uint8]]:
    """The frames of a clip, without a file."""
    for number in range(max(1, round(seconds * rate))):
        yield frame_at(cast, number / rate)


def _paste(frame: NDArray[np.uint8], actor: Actor, x: float, y: float) -> None:
    """Antialiased where it shrinks: reduced by area first, then moved by the fraction of a pixel that is left."""
    picture, scale = actor.photograph, actor.scale
    if scale < 1:
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        scale = 1.0
    matrix = np.array([[scale, 0, x], [0, scale, y]], dtype=np.float64)
    size = (frame.shape[1], frame.shape[0])
    cv2.warpAffine(picture, matrix, size, dst=frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
