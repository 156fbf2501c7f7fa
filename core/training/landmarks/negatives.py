"""Looks at what is no face: faces with their parts exchanged, textures of packages' sample images, drawings, noise."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.faces.landmarks.look import LOOK_PX, Look
from core.images import read_image
from core.training.landmarks.faults import spoilt

RGB = NDArray[np.uint8]
Colour = tuple[int, int, int]

_DRAWING_PX = 128
_SKIN: tuple[Colour, ...] = (
    (255, 219, 172),
    (224, 172, 105),
    (141, 85, 36),
    (255, 220, 60),
    (250, 200, 180),
    (90, 56, 37),
)
"""Colours of half of the drawn faces."""

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
    picture = _drawing(rng)
    return _as_look(spoilt(picture, float(np.exp(rng.uniform(np.log(12), np.log(60)))), rng))


def noise_look(rng: np.random.Generator) -> RGB:
    """Cells of random colours."""
    cells = int(rng.integers(2, 40))
    noise = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
    large = np.asarray(cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    return _as_look(spoilt(large, 40.0, rng))


def scrambled(look: RGB, rng: np.random.Generator) -> RGB:
    """The look with its quarters, halves or strips exchanged, so that no face is left."""
    half = LOOK_PX // 2
    kind = int(rng.integers(4))
    if kind == 0:  # quarters, each in another place
        parts = [look[y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
        order = [(1, 2, 3, 0), (3, 2, 1, 0), (2, 3, 0, 1), (2, 0, 3, 1)][int(rng.integers(4))]
        a, b, c, d = (parts[place] for place in order)
        return np.vstack([np.hstack([a, b]), np.hstack([c, d])])
    if kind == 1:  # the upper half upside down
        return np.vstack([look[:half][::-1, ::-1], look[half:]])
    if kind == 2:  # the upper half twice, or the lower one
        part = look[:half] if rng.random() < 0.5 else look[half:]
        return np.vstack([part, part])
    strips = np.array_split(look, 5)
    return np.vstack([strips[place] for place in (3, 0, 4, 2, 1)])


def _drawing(rng: np.random.Generator) -> RGB:
    """Plain shapes, outlined or filled, with eyes, and brows, a nose, a mouth, hair and a handle by chance."""
    back, fill, ink, hair, white = (_colour(rng) for _ in range(5))
    if rng.random() < 0.5:
        fill = _SKIN[int(rng.integers(len(_SKIN)))]
    if rng.random() < 0.6:
        white, ink = (255, 255, 255), (int(rng.integers(60)),) * 3
    picture = np.empty((_DRAWING_PX, _DRAWING_PX, 3), dtype=np.uint8)
    picture[:] = back
    x, y = (int(v) for v in rng.integers(56, 73, 2))
    wide, high = int(rng.integers(28, 52)), int(rng.integers(30, 58))
    thick = int(rng.integers(1, 5)) if rng.random() < 0.25 else -1
    if rng.random() < 0.5:
        over = (wide + int(rng.integers(8)), high)
        cv2.ellipse(picture, (x, y - high // 3), over, 0, 180, 360, hair, -1, cv2.LINE_AA)
    if rng.random() < 0.75:
        cv2.ellipse(picture, (x, y), (wide, high), 0, 0, 360, fill, thick, cv2.LINE_AA)
    else:  # a cup
        cv2.rectangle(picture, (x - wide, y - high), (x + wide, y + high), fill, thick)
        cv2.ellipse(picture, (x + wide, y), (14, high // 2), 0, -90, 90, fill, 6, cv2.LINE_AA)
    _draw_parts(picture, (x, y, wide, high), (ink, white), rng)
    if rng.random() < 0.5:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 2.5))), dtype=np.uint8)
    if rng.random() < 0.3:  # lit from one side
        light = np.linspace(0.6, 1.2, _DRAWING_PX, dtype=np.float32)[None, :, None]
        picture = np.clip(picture * light, 0, 255).astype(np.uint8)
    angle_deg, scale = float(rng.uniform(-180, 180)), float(rng.uniform(0.5, 1.0))
    turn = np.asarray(cv2.getRotationMatrix2D((x, y), angle_deg, scale), dtype=np.float64)
    turn[:, 2] += _DRAWING_PX / 2 - np.array([x, y]) + rng.uniform(-8, 8, 2)
    turned = cv2.warpAffine(picture, turn, (_DRAWING_PX, _DRAWING_PX), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)


def _draw_parts(
    picture: RGB, ellipse: tuple[int, int, int, int], colours: tuple[Colour, Colour], rng: np.random.Generator
) -> None:
    """Draw eyes, brows, a nose and a mouth into an `ellipse` (x, y, half width, half height); `colours`: of ink and of
    eyeballs."""
    (x, y, wide, high), (ink, white) = ellipse, colours
    eye, up, size = int(wide * rng.uniform(0.3, 0.55)), int(high * rng.uniform(0.05, 0.35)), int(rng.integers(3, 11))
    brow, lean, balls = rng.random() < 0.5, int(rng.integers(-4, 5)), rng.random() < 0.6
    for way in (-1, 1):
        centre = (x + way * eye, y - up)
        if balls:
            ball = (size, max(2, int(size * rng.uniform(0.5, 1.3))))
            cv2.ellipse(picture, centre, ball, 0, 0, 360, white, -1, cv2.LINE_AA)
        cv2.circle(picture, centre, max(2, size // 2), ink, -1, cv2.LINE_AA)
        if brow:
            ends = ((centre[0] - size, centre[1] - size - 4), (centre[0] + size, centre[1] - size - 4 + lean * way))
            cv2.line(picture, *ends, ink, int(rng.integers(1, 4)), cv2.LINE_AA)
    if rng.random() < 0.6:
        cv2.line(picture, (x, y - up // 2), (x + int(rng.integers(-5, 6)), y + int(high * 0.25)), ink, 2, cv2.LINE_AA)
    mouth, is_open = (x, y + int(high * rng.uniform(0.3, 0.6))), rng.random() < 0.3
    axes = (int(wide * rng.uniform(0.2, 0.55)), int(high * rng.uniform(0.05, 0.25)))
    lips = (int(rng.integers(120, 230)), int(rng.integers(20, 80)), int(rng.integers(20, 90)))
    cv2.ellipse(picture, mouth, axes, 0, 0, 360 if is_open else 180, lips, -1 if is_open else 3, cv2.LINE_AA)


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = (int(v) for v in rng.integers(0, 256, 3))
    return red, green, blue


def _as_look(picture: RGB) -> RGB:
    side = min(picture.shape[:2])
    return Look((side / 2, side / 2), side).cut(picture)
