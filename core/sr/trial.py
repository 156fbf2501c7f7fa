"""Trial of an upscaler on real faces before it is taken into use; not an accuracy measurement.

The faces are the greyscale crops of Labeled Faces in the Wild that ship inside scikit-image
(`skimage/data/lfw_subset.npy`, 25 px), enlarged to 112 px; they are reduced to 16 and 24 px and enlarged again. A
network must come closer to the original than repeated pixels do. RMSE in levels of 8 bits, 50 faces:
repeated pixels 14.8 and 10.5, bicubic 10.5 and 5.6, networks with random weights 31 to 40.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.images import resize
from core.models.errors import UpscalerUnusable
from core.settings import CROP_PX

__all__ = ["UpscalerUnusable", "require_useful", "trial_faces"]

SIZES_PX = (16, 24)
_FACES = 50

Crops = Sequence[NDArray[np.uint8]]


@cache
def trial_faces() -> NDArray[np.uint8]:
    """Return the trial's faces, (50, 112, 112, 3) uint8 RGB."""
    spec = importlib.util.find_spec("skimage")
    folder = Path((spec.submodule_search_locations or [""])[0] if spec else "")
    grey = np.load(folder / "data" / "lfw_subset.npy", allow_pickle=False)[:_FACES]
    small = np.repeat(np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=-1)
    return np.stack([resize(face, CROP_PX) for face in small])


def require_useful(
    enlarge: Callable[[Crops], NDArray[np.uint8]], name: str, *, leave_out: Collection[int] = ()
) -> None:
    """Raise UpscalerUnusable unless `enlarge` (square crops -> (N, 112, 112, 3)) does better than repeated pixels.

    `leave_out` are sizes that it isn't used for.
    """
    faces = trial_faces()
    for px in SIZES_PX:
        if px in leave_out:
            continue
        small = [resize(face, px) for face in faces]
        enlarged = np.asarray(enlarge(small))
        if enlarged.shape != faces.shape or enlarged.dtype != np.uint8:
            raise UpscalerUnusable(
                f"{name} gives {enlarged.dtype} {enlarged.shape} for {len(small)} faces, expected uint8 {faces.shape}.",
                "Choose a DSR file that this project trained.",
            )
        error, limit = _rmse(enlarged, faces), _rmse(np.stack([_repeated(crop) for crop in small]), faces)
        if error > limit:
            raise UpscalerUnusable(
                f"{name} loads but does harm: at {px} px its faces are {error:.0f} levels off, repeated pixels "
                f"{limit:.0f} (root mean square of 255, {len(small)} faces).",
                "Train it longer, choose another, or use bicubic.",
            )


def _repeated(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(crop).resize((CROP_PX, CROP_PX), Image.Resampling.NEAREST))


def _rmse(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(np.sqrt(np.mean((a.astype(np.float64) - b) ** 2)))
