"""Health check of a loaded encoder on real faces: does it distinguish people? Noise doesn't reveal a broken network.

The faces are 100 greyscale crops of 25 px from Labeled Faces in the Wild that ship inside scikit-image
(`skimage/data/lfw_subset.npy`), enlarged to 112 px. Measured on them (std per dimension of unit embeddings; mean
absolute cosine between different faces):

    official XXS / XS                      0.042 / 0.043     0.09 / 0.07
    positional embedding zeroed            0.020 / 0.031     0.79 / 0.48
    positional embedding at random         0.027 / 0.020     0.61 / 0.79
    random weights (three seeds each)      0.040             0.39 to 0.49
    collapsed (head's weights x 0.02)      0.009             0.96

A healthy ceiling for the std is 1 / sqrt(512) = 0.044. Random weights pass any limit on the std and on the signed
cosine (their cosines are large but cancel), so the absolute cosine is what separates them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.models.errors import WeightsUnhealthy

MAX_MEAN_ABS_COSINE = 0.30
MIN_STD = 0.034
_UNIT_NORM_TOLERANCE = 1e-3
# Window of the 25 px images closest to the ArcFace alignment (lowest mean cosine for both official files).
_TOP_PX, _LEFT_PX, _SIDE_PX = -1, 1, 23


@dataclass(frozen=True)
class HealthReport:
    """Figures and verdict of a check. `reason` is empty when healthy."""

    faces: int
    finite: bool
    norm_error: float
    std: float
    mean_abs_cosine: float
    mean_cosine: float

    @property
    def reason(self) -> str:
        if not self.finite:
            return "its embeddings hold values that aren't finite"
        if self.norm_error > _UNIT_NORM_TOLERANCE:
            return f"its embeddings aren't of unit length (off by up to {self.norm_error:.3g})"
        if self.mean_abs_cosine > MAX_MEAN_ABS_COSINE:
            return (
                f"different people look alike to it (mean absolute cosine {self.mean_abs_cosine:.2f} on "
                f"{self.faces} faces, healthy up to {MAX_MEAN_ABS_COSINE:.2f})"
            )
        if self.std < MIN_STD:
            return f"its embeddings hardly vary (std {self.std:.3f} a dimension, healthy from {MIN_STD:.3f})"
        return ""

    @property
    def healthy(self) -> bool:
        return not self.reason


@cache
def health_faces() -> NDArray[np.uint8]:
    """Return the check's faces, (100, 112, 112, 3) uint8 RGB, mostly of different people."""
    from PIL import Image

    spec = importlib.util.find_spec("skimage")
    folder = Path((spec.submodule_search_locations or [""])[0] if spec else "")
    pictures = np.load(folder / "data" / "lfw_subset.npy", allow_pickle=False)[:100]
    grey = np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    top, left = _TOP_PX + 1, _LEFT_PX + 1
    windows = padded[:, top : top + _SIDE_PX, left : left + _SIDE_PX]
    large = [np.asarray(Image.fromarray(w).resize((112, 112), Image.Resampling.BICUBIC)) for w in windows]
    faces: NDArray[np.uint8] = np.repeat(np.stack(large)[..., None], 3, axis=-1)
    return faces


def measure_health(embeddings: NDArray[np.float32]) -> HealthReport:
    """Measure `embeddings`, (N, D) with N >= 2, one row per face of (mostly) different people."""
    vectors = np.asarray(embeddings, dtype=np.float64)
    if not np.isfinite(vectors).all():
        return HealthReport(len(vectors), False, float("nan"), float("nan"), float("nan"), float("nan"))
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), k=1)]
    return HealthReport(
        faces=len(vectors),
        finite=True,
        norm_error=float(np.abs(np.linalg.norm(vectors, axis=1) - 1).max()),
        std=float(vectors.std(axis=0).mean()),
        mean_abs_cosine=float(np.abs(cosines).mean()),
        mean_cosine=float(cosines.mean()),
    )


def check_health(encode: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> HealthReport:
    """Run `encode` on the check's faces and measure the embeddings."""
    return measure_health(encode(health_faces()))


def require_healthy(report: HealthReport, name: str) -> None:
    """Raise WeightsUnhealthy with the reason unless the report is healthy."""
    if not report.healthy:
        raise WeightsUnhealthy(
            f"{name} loads but doesn't recognise faces: {report.reason}.",
            "Use official weights: edgeface-studio weights fetch edgeface_xxs.",
        )
