"""A pipeline of real parts (random weights, so that no file is needed) and a folder of photographs of two people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from skimage import data

from core.faces.detect import Detector
from core.gallery.store import Gallery
from core.pipeline import Pipeline, PipelineConfig
from core.sr import bicubic
from tests.made_weights import random_encoder

settings.register_profile("any machine", deadline=None)  # how long an example takes proves nothing
settings.load_profile("any machine")

PAIRS = "1\t2\nAda\t1\t2\nBo\t1\t2\nAda\t1\tBo\t1\nAda\t2\tBo\t2\n"


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    return Pipeline(PipelineConfig(), random_encoder(), bicubic(), Detector(), Gallery.open(":memory:"))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """<root>/images and <root>/pairs.txt: Ada, whose third photograph shows no face, and Bo, her mirror image."""
    root = tmp_path_factory.mktemp("set")
    face = data.astronaut()[0:300, 80:380]
    darker = (face * 0.7).astype(np.uint8)
    pictures = {
        "Ada": [face, darker, np.full((250, 250, 3), 128, np.uint8)],
        "Bo": [face[:, ::-1], darker[:, ::-1]],
    }
    for name, some in pictures.items():
        (root / "images" / name).mkdir(parents=True)
        for number, rgb in enumerate(some, start=1):
            path = root / "images" / name / f"{name}_{number:04d}.jpg"
            Image.fromarray(np.ascontiguousarray(rgb)).save(path, quality=95)
    (root / "pairs.txt").write_text(PAIRS, encoding="utf-8")
    return root
