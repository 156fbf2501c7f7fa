"""A video whose frames can be told apart."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from core.video.writing import VideoWriter


def write_counting(path: Path, frames: int = 12, size: tuple[int, int] = (64, 48)) -> None:
    """Grey frames, each a little lighter than the one before."""
    with VideoWriter(path, size, Fraction(10)) as writer:
        for number in range(frames):
            writer.add(np.full((size[1], size[0], 3), 20 + 15 * number, np.uint8), number / 10)
