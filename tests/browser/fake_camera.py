"""Videos for Chromium's fake camera, as MJPEG: photographs of a person where there are any, else drawn faces.

Each shows a person who looks ahead, to their left, to their right and with another expression, over and over.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.dataset.synthetic.head import View, portray
from core.dataset.synthetic.looks import Expression, draw_looks
from core.faces.detect import Detector
from core.video.guide import Sight, Step, advise, see, steps_for

RGB = NDArray[np.uint8]

FRAME_PX = (640, 480)
_LOOKS_LONG = 40
"""Frames of each picture: Chromium plays 30 a second."""


def on_canvas(picture: RGB) -> RGB:
    """A square picture in the middle of a camera's frame, uint8 RGB (480, 640, 3)."""
    canvas = Image.new("RGB", FRAME_PX, (96, 104, 112))
    canvas.paste(Image.fromarray(picture).resize((440, 440), Image.Resampling.BICUBIC), (100, 20))
    return np.asarray(canvas)


def photographs(folder: Path) -> Iterator[RGB]:
    """One person's photographs as camera frames."""
    for path in sorted(folder.glob("*.jpg")):
        yield on_canvas(np.asarray(Image.open(path).convert("RGB")))


def drawn(person: int) -> Iterator[RGB]:
    """A drawn person as camera frames, in more poses than are needed: the detector doesn't see each as it was drawn."""
    looks = draw_looks(12, seed=0)[person]
    for smile in (0.0, 0.9):
        for yaw in (0, 12, -12, 16, -16, 8, -8, 20, -20):
            expression = Expression(smile=smile, open=smile * 0.6, brows=0.2, eyes=1.0)
            yield on_canvas(portray(looks, expression, View(yaw_deg=float(yaw)), noise_seed=yaw + 50).rgb)


def posed(frames: Iterator[RGB]) -> list[RGB]:
    """Frames that fit the five steps of an enrolment, in their order; raises ValueError where one can't be found."""
    detector = Detector()
    seen: list[tuple[RGB, Sight]] = []
    found: list[RGB] = []
    front: Sight | None = None
    for step in steps_for(5):
        frame, sight = _fitting(step, front, seen, frames, detector, found)
        front = front or sight
        found.append(frame)
    return found


def _fitting(
    step: Step,
    front: Sight | None,
    seen: list[tuple[RGB, Sight]],
    more: Iterator[RGB],
    detector: Detector,
    taken: Sequence[RGB],
) -> tuple[RGB, Sight]:
    for frame, sight in seen:
        if advise(sight, step, front=front).good and not any(frame is other for other in taken):
            return frame, sight
    for frame in more:
        sight = see(detector, frame)
        seen.append((frame, sight))
        if advise(sight, step, front=front).good:
            return frame, sight
    raise ValueError(f"no frame for the step {step}")


def write_mjpeg(path: Path, frames: Sequence[RGB], *, each: int = _LOOKS_LONG) -> Path:
    """The frames one after the other, each shown for a while, as Chromium's `--use-file-for-fake-video-capture`."""
    with path.open("wb") as file:
        for frame in frames:
            buffer = io.BytesIO()
            Image.fromarray(frame).save(buffer, "JPEG", quality=88)
            file.write(buffer.getvalue() * each)
    return path
