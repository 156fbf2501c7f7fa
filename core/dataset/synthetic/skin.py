"""A drawn person's skin before anything is painted on it: patches, red cheeks, shaded sockets, beard."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from core.dataset.synthetic.brush import TEXTURE_PX, grid
from core.dataset.synthetic.looks import Looks
from core.images import RGB


@lru_cache(maxsize=64)
def skin_of(looks: Looks) -> RGB:
    """A person's skin, uint8 (TEXTURE_PX, TEXTURE_PX, 3), kept for their next picture: copy it before painting."""
    return np.clip(_complexion(looks), 0, 255).astype(np.uint8)


def _complexion(looks: Looks) -> NDArray[np.float32]:
    """Skin with its patches, red cheeks, shaded sockets and beard, float32 (TEXTURE_PX, TEXTURE_PX, 3)."""
    x, y = grid()
    canvas = np.array(looks.skin, np.float32) * _mottled(looks.blotches)[..., None]
    for side in (-1, 1):
        spot = np.exp(-(((x - side * 0.42) / 0.17) ** 2) - ((y - 0.28) / 0.15) ** 2) * looks.cheeks
        canvas[..., 0] += (18 * spot).astype(np.float32)
        canvas[..., 1:] -= (14 * spot)[..., None].astype(np.float32)
    for side in (-1, 1):  # sockets lie in the shade
        spot = np.exp(-(((x - side * looks.eye_x) / 0.19) ** 2) - ((y - looks.eye_y + 0.03) / 0.12) ** 2)
        canvas *= (1 - 0.22 * spot)[..., None].astype(np.float32)
    _beard(canvas, looks)
    return canvas


def _beard(canvas: NDArray[np.float32], looks: Looks) -> None:
    if looks.beard == "none":
        return
    x, y = grid()
    mouth = looks.mouth_y
    moustache = np.exp(-((x / (looks.mouth_width * 0.95)) ** 4) - ((y - mouth + 0.115) / 0.05) ** 4)
    chin = np.exp(-((x / 0.24) ** 4) - ((y - mouth - 0.27) / 0.15) ** 4)
    jaw = 1 / (1 + np.exp(-((x / looks.width) ** 2 + ((y - 0.1) / 0.75) ** 2 - 0.62) * 16)) * (y > 0.1)
    share = {
        "moustache": moustache,
        "goatee": np.maximum(moustache, chin),
        "full": np.maximum.reduce([moustache, chin, jaw]),
        "stubble": 0.4 * np.maximum.reduce([moustache, chin, jaw]),
    }[looks.beard]
    grain = 0.85 + 0.15 * np.random.RandomState(looks.blotches + 1).rand(TEXTURE_PX, TEXTURE_PX)
    cover = (share * grain)[..., None].astype(np.float32)
    canvas[:] = canvas * (1 - cover) + np.array(looks.hair, np.float32) * cover


def _mottled(seed: int) -> NDArray[np.float32]:
    """Patches a few per cent lighter and darker, a person's own."""
    random = np.random.RandomState(seed)
    fine = random.standard_normal((40, 40)).astype(np.float32)
    coarse = random.standard_normal((9, 9)).astype(np.float32)
    size = (TEXTURE_PX, TEXTURE_PX)
    mixed = 0.025 * cv2.resize(fine, size, interpolation=cv2.INTER_CUBIC)
    mixed = mixed + 0.035 * cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(1 + mixed, dtype=np.float32)
