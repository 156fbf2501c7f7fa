"""Faces without pictures, and a short clip of the portrait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.faces.align import ARCFACE_TEMPLATE
from core.faces.face import Face
from core.video.synthetic_clip import actors, write_clip


@pytest.fixture(scope="session")
def make_face() -> Callable[..., Face]:
    """A face whose aligned square has side `px` and begins at (x, y): its landmarks are the template's."""

    def make(x: float, y: float, px: float = 56.0, score: float = 0.9) -> Face:
        points = (ARCFACE_TEMPLATE * (px / 112) + np.array([x, y])).astype(np.float32)
        return Face((x, y, x + px, y + px), points, score)

    return make


@pytest.fixture(scope="session")
def clip(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the portrait, 10 frames a second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, actors([portrait]), 2.0, rate=10)
    return path
