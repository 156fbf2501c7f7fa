"""A real face that ships with an installed package: Eileen Collins, NASA, in scikit-image."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from core.faces.detect import Detector
from core.faces.face import Face
from core.images import read_image

settings.register_profile("any machine", deadline=None)  # how long an example takes proves nothing
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    spec = importlib.util.find_spec("skimage")
    return read_image(Path(spec.submodule_search_locations[0]) / "data" / "astronaut.png")


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="session")
def astronaut_face(astronaut, detector) -> Face:
    [face] = detector.detect(astronaut, small_faces=False)
    return face
