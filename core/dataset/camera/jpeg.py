"""JPEG quality: from a file's quantisation tables, else from the pixels of what was compressed and decoded.

Qualities are those of libjpeg: its scaling of the tables of Annex K (ITU-T T.81) from 1 to 100, which OpenCV, Pillow
and most cameras' firmware share. Tables of another maker give the quality whose tables are nearest.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy.fft import dctn

BLOCK_PX = 8
QUALITIES = range(10, 98)
"""Qualities that decoded pixels can reveal: above 97 the quantisation steps are as small as the rounding to 8 bits."""

_ROUNDING = 0.6
"""Standard deviation of a luma coefficient after decoding, from the rounding of RGB and the chroma's enlargement."""

_QUANTISED = 0.95
"""Share of coefficients that the model takes as quantised; the others (clipped pixels) lie anywhere."""

_LOW = np.array([(u, v) for u in range(BLOCK_PX) for v in range(BLOCK_PX) if 0 < u + v <= 4])
"""Frequencies used; the higher ones are zero at every quality."""

_ANNEX_K = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float64,
)


def luma_table(quality: int) -> NDArray[np.float64]:
    """(8, 8) quantisation steps of luma at a quality from 1 to 100, as libjpeg scales them."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((_ANNEX_K * scale + 50) / 100), 1, 255)


def quality_of_file(content: bytes) -> int | None:
    """The quality, 1 to 100, whose luma table is nearest to a JPEG file's; None for another kind of file."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as picture:
            tables = getattr(picture, "quantization", {})
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return None
    if not tables:
        return None
    table = np.sort(np.asarray(next(iter(tables.values())), dtype=np.float64))  # the order of a table doesn't matter
    return 1 + int(np.argmin(np.abs(_sorted_tables() - table).sum(axis=1)))


_TABLES = np.stack([luma_table(quality) for quality in QUALITIES])


@lru_cache(maxsize=1)
def _sorted_tables() -> NDArray[np.float64]:
    return np.stack([np.sort(luma_table(quality), axis=None) for quality in range(1, 101)])


def blocks_of(luma: NDArray[np.float64], grid: tuple[int, int]) -> NDArray[np.float64]:
    """DCT coefficients (blocks, 8, 8) of the whole 8 px blocks of luma (H, W) in 0 to 255; `grid` is the place (x, y)
    of the picture's corner in its file."""
    x, y = (-place % BLOCK_PX for place in grid)
    columns, rows = (luma.shape[1] - x) // BLOCK_PX, (luma.shape[0] - y) // BLOCK_PX
    if columns < 1 or rows < 1:
        return np.zeros((0, BLOCK_PX, BLOCK_PX))
    cut = luma[y : y + rows * BLOCK_PX, x : x + columns * BLOCK_PX] - 128.0
    tiles = cut.reshape(rows, BLOCK_PX, columns, BLOCK_PX).swapaxes(1, 2).reshape(-1, BLOCK_PX, BLOCK_PX)
    return np.asarray(dctn(tiles, axes=(1, 2), norm="ortho"))


def quality_evidence(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-likelihood of each of QUALITIES over no compression, in nats, of decoded blocks (n, 8, 8).

    Maximum likelihood over quantisation tables, as Fan and de Queiroz (IEEE TIP 2003): a coefficient that was quantised
    lies near a multiple of its step, within the rounding of the decoded pixels; one that wasn't lies anywhere between
    two multiples. Coefficients nearest to zero tell nothing: smooth pictures have them at every quality.
    """
    values = blocks[:, _LOW[:, 0], _LOW[:, 1]]  # (n, frequencies)
    steps = _TABLES[:, _LOW[:, 0], _LOW[:, 1]][:, None]  # (qualities, 1, frequencies)
    number = np.rint(values / steps)
    off = (values - number * steps) / _ROUNDING
    near = np.exp(-0.5 * off**2) / (_ROUNDING * np.sqrt(2 * np.pi))
    gain = np.log(_QUANTISED * steps * near + (1 - _QUANTISED))
    return np.asarray(np.where(number == 0, 0.0, gain).sum(axis=(1, 2)))
