"""Drawn people as clean crops: nobody's photograph."""

from __future__ import annotations

import numpy as np
import pytest

from core.dataset.camera import clean
from core.dataset.camera.clean import clean_crops


@pytest.fixture(scope="session")
def crops() -> np.ndarray:
    """(24, 112, 112, 3)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clean, "DRAWN", 24)
        return np.stack(clean_crops(None))
