"""Perceptual hash: 64 bits of a picture's lowest frequencies, robust to re-encoding, to find near duplicates."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from core.images import RGB

BITS = 64
_SIDE = 32
_KEPT = 8


def phash(rgb: RGB) -> str:
    """The perceptual hash of a picture, 16 hexadecimal digits (Zauner 2010: DCT of the 32 px grey picture).

    A bit is set where one of the 64 lowest frequencies is above their median; the mean (0, 0) doesn't count towards it.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    low = np.asarray(cv2.dct(small))[:_KEPT, :_KEPT].ravel()
    middle = (BITS - 1) // 2
    bits = low > np.partition(low[1:], middle)[middle]  # the median of 63 values
    return bytes(np.packbits(bits)).hex()


def as_bits(hashes: list[str]) -> NDArray[np.uint64]:
    """Hashes as numbers (N,), for `differing`."""
    return np.array([int(value, 16) for value in hashes], dtype=np.uint64)


def differing(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of differing bits of 64, for arrays that broadcast: 0 for the same picture, about 32 for different
    ones."""
    return np.asarray(np.bitwise_count(a ^ b), dtype=np.uint8)
