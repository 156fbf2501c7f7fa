"""PSNR and SSIM by their formulas, and the same figures wherever pictures are compared with HR."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import correlate1d

from core.evaluation.fidelity import mean_psnr_db, psnr_db, ssim
from core.evaluation.sr_quality import sr_summary
from core.images import RGB
from core.training.validation_figures import picture_quality


def pictures() -> tuple[RGB, RGB]:
    """(made, hr): noise added to a smooth ramp."""
    rng = np.random.default_rng(0)
    hr = np.repeat(np.linspace(20, 220, 112)[:, None, None], 112, axis=1).repeat(3, axis=2)
    hr = (hr + rng.normal(0, 12, hr.shape)).clip(0, 255).astype(np.uint8)
    return (hr + rng.normal(0, 9, hr.shape)).clip(0, 255).astype(np.uint8), hr


def wang(a: RGB, b: RGB) -> float:
    """SSIM as the paper writes it: an 11 px Gaussian window with sigma 1.5, whole windows only."""
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def local(values: np.ndarray) -> np.ndarray:
        rows = correlate1d(values, window, axis=0)
        return correlate1d(rows, window, axis=1)[5:-5, 5:-5]

    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = local(x), local(y)
    var_x, var_y, both = local(x * x) - mean_x**2, local(y * y) - mean_y**2, local(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return float(value.mean())


def test_psnr_by_its_formula_and_the_bounds_of_ssim() -> None:
    hr = np.random.default_rng(0).integers(0, 240, (112, 112, 3), dtype=np.uint8)
    assert psnr_db(hr + 5, hr) == pytest.approx(10 * np.log10(255**2 / 25))
    assert psnr_db(hr, hr) == np.inf and ssim(hr, hr) == pytest.approx(1)
    noise = np.random.default_rng(1).integers(0, 255, hr.shape, dtype=np.uint8)
    assert ssim(noise, hr) < 0.1


def test_ssim_is_wangs() -> None:
    made, hr = pictures()
    assert ssim(made, hr) == pytest.approx(wang(made, hr), abs=1e-6)


def test_validation_has_the_figures_of_an_evaluation() -> None:
    made, hr = pictures()
    told = picture_quality(np.stack([made, hr]), np.stack([hr, hr]))
    quality = pd.DataFrame(
        {
            "size_px": 16,
            "upscaler": "dsr",
            "similarity": 0.5,
            "psnr_db": [psnr_db(made, hr), np.inf],
            "ssim": [ssim(made, hr), 1.0],
        }
    )
    summary = sr_summary(quality).iloc[0]
    assert told == pytest.approx({"psnr_db": summary["psnr_db_mean"], "ssim": summary["ssim_mean"]})
    assert told["psnr_db"] == pytest.approx(psnr_db(made, hr)), "an equal picture has no decibels"


def test_pictures_that_are_all_equal_have_no_mean_psnr() -> None:
    _, hr = pictures()
    assert picture_quality(hr[None], hr[None]) == {"psnr_db": None, "ssim": pytest.approx(1)}
    assert mean_psnr_db([]) is None
