"""Summary features of small faces that tell the camera rather than the person: spectrum, noise, chroma, compression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from core.dataset.camera.jpeg import QUALITIES, blocks_of, quality_evidence
from core.images import RGB

_BANDS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.01])
"""Edges of the spectrum's bands, in shares of the Nyquist frequency along the longer axis."""
_CHROMA_BANDS = np.array([0.1, 0.3, 0.6, 1.01])
_LAPLACE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float64) / 6.0
"""Removes planes and edges along an axis and keeps the variance of white noise (Immerkaer, CVIU 1996)."""
_LIGHTS = (0.0, 70.0, 110.0, 150.0, 190.0, 256.0)
"""Levels of luma between which noise is measured apart: shot noise grows with the light."""
_FLOOR = 0.05
NO_QUALITY = 100.0
"""Stands for a face without a trace of compression."""


@dataclass(frozen=True, eq=False)
class SmallFace:
    """A face in its native pixels: uint8 RGB (s, s, 3), never resampled, its `probe_px`, the place `grid` (x, y) of
    its corner in the file, and the JPEG `quality` of the file's tables (None: another format)."""

    pixels: RGB
    probe_px: float
    grid: tuple[int, int] = (0, 0)
    quality: int | None = None


def quality_of(face: SmallFace) -> float:
    """The JPEG quality of a face, from its file's tables or else its pixels; 100 without a trace of compression."""
    if face.quality is not None:
        return float(face.quality)
    evidence = quality_evidence(blocks_of(_luma(face.pixels), face.grid))
    return float(QUALITIES[int(evidence.argmax())]) if evidence.max() > 0 else NO_QUALITY


def features_of(face: SmallFace) -> NDArray[np.float64]:
    """The features of one face, float64 (k,); NaN where a face is too small or too uniform for one."""
    pixels = face.pixels.astype(np.float64)
    ycc = cv2.cvtColor(face.pixels, cv2.COLOR_RGB2YCrCb).astype(np.float64)
    luma = _luma(face.pixels)
    residual = np.stack([_high_pass(pixels[..., channel]) for channel in range(3)])
    rough = _high_pass(luma)
    inner = luma[1:-1, 1:-1]
    magnitude = np.abs(rough)
    by_light = [
        _log(float(magnitude[where].mean())) if (where := (inner >= low) & (inner < high)).sum() >= 4 else np.nan
        for low, high in pairwise(_LIGHTS)
    ]
    spread = float(rough.std()) + 1e-6
    blocks = blocks_of(luma, face.grid)
    values = [
        *_spectrum(luma, _BANDS),
        *_spectrum(ycc[..., 1], _CHROMA_BANDS),
        *_spectrum(ycc[..., 2], _CHROMA_BANDS),
        *by_light,
        _log(float(np.median(magnitude))),
        float((magnitude < 0.5).mean()),
        float(np.mean(rough**4)) / spread**4,
        _correlation(residual[0], residual[1]),
        _correlation(residual[1], residual[2]),
        _correlation(rough[:, 1:], rough[:, :-1]),
        _correlation(rough[1:], rough[:-1]),
        float((np.abs(blocks[:, 4:, 4:]) < 1.5).mean()) if len(blocks) else np.nan,
        float(luma.std()),
        float(luma.mean()),
        quality_of(face),
    ]
    return np.array(values)


def summary_of(each: Sequence[NDArray[np.float64]] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Summary of a camera's faces, features (n, k) -> float64 (3 k,): mean, and the 20 % and 80 % quantiles over the
    faces; 0 for what no face has."""
    table = np.asarray(each)
    found = np.isfinite(table).any(axis=0)
    result = np.zeros((3, table.shape[1]))
    result[0, found] = np.nanmean(table[:, found], axis=0)
    result[1:, found] = np.nanquantile(table[:, found], (0.2, 0.8), axis=0)
    return result.ravel()


def _luma(rgb: RGB) -> NDArray[np.float64]:
    """JPEG's luma, 0 to 255 (H, W)."""
    return np.asarray(rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114]))


def _high_pass(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.filter2D(plane, -1, _LAPLACE)[1:-1, 1:-1])


def _spectrum(plane: NDArray[np.float64], bands: NDArray[np.float64]) -> list[float]:
    """Log of the root mean square DCT coefficient in each band."""
    power = dctn(plane - plane.mean(), norm="ortho") ** 2
    along = np.arange(plane.shape[0]) / plane.shape[0], np.arange(plane.shape[1]) / plane.shape[1]
    reach = np.maximum(along[0][:, None], along[1][None, :])
    return [
        0.5 * _log(float(power[where].mean())) if (where := (reach >= low) & (reach < high)).any() else np.nan
        for low, high in pairwise(bands)
    ]


def _log(value: float) -> float:
    return float(np.log(value + _FLOOR))


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Of two fields that are about centred."""
    both = float(np.sqrt((a**2).mean() * (b**2).mean()))
    return float((a * b).mean() / both) if both > 1e-9 else 1.0
