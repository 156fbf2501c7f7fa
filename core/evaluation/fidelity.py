"""PSNR and SSIM of a picture against HR, as used for every figure.

Both on 8-bit RGB with a data range of 255, by scikit-image. SSIM is Wang et al.'s (IEEE TIP 2004): a Gaussian window of
11 px with sigma 1.5, population statistics, the mean over pixels and channels.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from core.images import RGB

DATA_RANGE = 255


def psnr_db(made: RGB, hr: RGB) -> float:
    """Peak signal-to-noise ratio of two uint8 crops of one size, in dB; infinite for equal ones."""
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(hr, made, data_range=DATA_RANGE))


def ssim(made: RGB, hr: RGB) -> float:
    """Structural similarity of two uint8 RGB crops of one size, 1 for equal ones."""
    return float(
        structural_similarity(
            hr,
            made,
            channel_axis=2,
            data_range=DATA_RANGE,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def finite_db(values: Iterable[float]) -> list[float]:
    """Return the finite PSNRs: equal pictures have no finite one and are left out of means and percentiles."""
    return [value for value in values if np.isfinite(value)]


def mean_psnr_db(values: Iterable[float]) -> float | None:
    """Return the mean of the finite PSNRs; None without any."""
    finite = finite_db(values)
    return float(np.mean(finite)) if finite else None
