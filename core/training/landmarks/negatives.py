"""Looks at what is no face: textures of packages' sample images, drawings, and noise."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.faces.landmarks.look import Look
from core.images import read_image
from core.training.landmarks.faults import spoilt

RGB = NDArray[np.uint8]

_SKIMAGE = (
    "coffee.png gravel.png brick.png grass.png text.png page.png coins.png chelsea.png hubble_deep_field.jpg "
    "rocket.jpg horse.png motorcycle_left.png retina.jpg ihc.png clock_motion.png moon.png cell.png color.png logo.png"
)
_SKLEARN = "flower.jpg china.jpg"
"""Sample images without a face."""


def load_textures() -> list[RGB]:
    """The sample images of scikit-image and scikit-learn; those that aren't installed are left out."""
    found = []
    for package, folder, names in (("skimage", "data", _SKIMAGE), ("sklearn", "datasets/images", _SKLEARN)):
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or [])[:1] if spec else []:
            for name in names.split():
                try:
                    found.append(read_image(Path(place) / folder / name))
                except (CoreError, OSError):
                    continue
    return found


def texture_look(textures: Sequence[RGB], size: float, rng: np.random.Generator) -> RGB:
    """Part of a texture at a random scale, as small as a face of probe_px `size`."""
    texture = textures[int(rng.integers(len(textures)))]
    side = int(min(*texture.shape[:2], np.exp(rng.uniform(np.log(24), np.log(400)))))
    y, x = (int(rng.integers(limit - side + 1)) for limit in texture.shape[:2])
    part = np.rot90(texture[y : y + side, x : x + side], int(rng.integers(4)))
    to = max(12, int(size * 1.5))
    how = cv2.INTER_AREA if to < side else cv2.INTER_LINEAR
    part = np.asarray(cv2.resize(np.ascontiguousarray(part), (to, to), interpolation=how), dtype=np.uint8)
    return _as_look(spoilt(part, size, rng))


def drawing_look(rng: np.random.Generator) -> RGB:
    """A drawn face, or a cup."""
    return _as_look(spoilt(_drawing(rng), 40.0, rng))


def noise_look(rng: np.random.Generator) -> RGB:
    """Cells of random colours."""
    cells = int(rng.integers(2, 40))
    noise = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
    large = np.asarray(cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    return _as_look(spoilt(large, 40.0, rng))


def _drawing(rng: np.random.Generator) -> RGB:
    """Plain shapes with two dots and a line."""
    back, fill, ink = (tuple(int(v) for v in rng.integers(0, 256, 3)) for _ in range(3))
    picture = np.empty((64, 64, 3), dtype=np.uint8)
    picture[:] = back
    centre = (int(rng.integers(28, 37)), int(rng.integers(28, 37)))
    axes = (int(rng.integers(14, 30)), int(rng.integers(14, 30)))
    if rng.random() < 0.7:
        cv2.ellipse(picture, centre, axes, 0, 0, 360, fill, -1, cv2.LINE_AA)
    else:
        corner = (centre[0] - axes[0], centre[1] - axes[1])
        cv2.rectangle(picture, corner, (centre[0] + axes[0], centre[1] + axes[1]), fill, -1)
    eye, high = int(rng.integers(5, 12)), int(rng.integers(2, 10))
    for way in (-1, 1):
        cv2.circle(picture, (centre[0] + way * eye, centre[1] - high), int(rng.integers(1, 5)), ink, -1, cv2.LINE_AA)
    mouth = (centre[0], centre[1] + int(rng.integers(4, 12)))
    cv2.ellipse(picture, mouth, (int(rng.integers(3, 12)), int(rng.integers(1, 7))), 0, 0, 180, ink, 2, cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.line(picture, centre, (centre[0], centre[1] + 4), ink, 1, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((32, 32), float(rng.uniform(-180, 180)), 1.0)
    return np.asarray(cv2.warpAffine(picture, turn, (64, 64), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


def _as_look(picture: RGB) -> RGB:
    side = min(picture.shape[:2])
    return Look((side / 2, side / 2), side).cut(picture)
