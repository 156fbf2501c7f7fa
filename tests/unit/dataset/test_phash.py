"""The perceptual hash: the same after re-encoding and resizing, another for another face."""

from __future__ import annotations

import cv2
import numpy as np

from core.dataset.phash import as_bits, differing, phash
from core.images import resize


def _picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(30, 220, (9, 9, 3)).astype(np.uint8)
    return resize(coarse, 112)


def test_it_survives_jpeg_and_a_change_of_size() -> None:
    for seed in range(20):
        picture = _picture(seed)
        jpeg = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
        first, again, larger = as_bits([phash(picture), phash(jpeg), phash(resize(picture, 160))])
        assert differing(first, again) <= 4
        assert differing(first, larger) <= 4


def test_other_pictures_differ_in_about_half_the_bits() -> None:
    bits = as_bits([phash(_picture(seed)) for seed in range(40)])
    apart = differing(bits[:, None], bits[None])[np.triu_indices(40, 1)]
    assert 26 < apart.mean() < 38
    assert apart.min() > 10


def test_it_is_sixteen_digits_and_counts_bits_exactly() -> None:
    assert len(phash(_picture(1))) == 16
    assert len(phash(np.zeros((112, 112, 3), np.uint8))) == 16
    assert differing(as_bits(["00000000000000ff"]), as_bits(["8000000000000000"])).tolist() == [9]
