"""Training samples of the landmark network: faces turned, shrunk and spoilt as cameras do it, and what is no face.

A source is drawn into a small native picture at a random size and roll, the picture is spoilt, and a square around the
face is cut from it by the same code that cuts it for recognition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from core.faces.align import ARCFACE_TEMPLATE, similarity_transform
from core.faces.landmarks.look import Look
from core.faces.landmarks.read import EXACT_SIDE, FIRST_SIDE
from core.settings import CROP_PX
from core.training.landmarks.faults import spoilt
from core.training.landmarks.negatives import drawing_look, noise_look, scrambled, texture_look
from core.training.landmarks.prepared import SourceSet

RGB = NDArray[np.uint8]
Points = NDArray[np.float32]

SMALLEST_PX, LARGEST_PX = 9.0, 120.0
NO_FACES = 0.3
"""Share of samples without a face."""

_REACH = 2.3
_TEMPLATE_MIDDLE = np.array([CROP_PX / 2, CROP_PX / 2])


@dataclass(frozen=True)
class Sample:
    """Input uint8 RGB (80, 80, 3); points (5, 2) in the look's units, 0 where `is_face` is False."""

    image: RGB
    points: Points
    is_face: bool


def draw_sample(
    sets: Sequence[SourceSet], shares: Sequence[float], textures: Sequence[RGB], rng: np.random.Generator
) -> Sample:
    """Draw a sample: a source of `sets`, chosen by `shares`, or what is no face."""
    chosen = sets[rng.choice(len(sets), p=shares)]
    index = int(rng.integers(len(chosen)))
    window, points = chosen.window(index), chosen.landmarks[index]
    if rng.random() < 0.5:
        window, points = window[:, ::-1], _mirrored(points, window.shape[1])
    size = float(np.exp(rng.uniform(np.log(SMALLEST_PX), np.log(LARGEST_PX))))
    roll = float(rng.normal(0, 15) if rng.random() < 0.4 else rng.uniform(-180, 180))
    if rng.random() < NO_FACES:
        return no_face(window, points, textures, size, roll, rng)
    picture, native = drawn(window, points, size, roll, rng)
    if rng.random() < 0.15:
        picture, native = cut_off(picture, native, size, rng)
    if rng.random() < 0.12:
        picture = covered(picture, native, size, rng)
    picture = spoilt(picture, size, rng)
    look = look_at(native, size, rng)
    return Sample(look.cut(picture), look.from_picture(native), True)


def look_at(native: Points, size: float, rng: np.random.Generator) -> Look:
    """The first look, about a box with a detector's errors, or the exact one about landmarks with a look's errors."""
    matrix = similarity_transform(native, ARCFACE_TEMPLATE)
    back = cv2.invertAffineTransform(matrix)
    middle = back[:, :2] @ _TEMPLATE_MIDDLE + back[:, 2] + 0.5
    if rng.random() < 0.5:
        shift = rng.normal(0, 0.09, 2).clip(-0.25, 0.25)
        side = FIRST_SIDE * float(np.exp(np.clip(rng.normal(0, 0.15), -0.4, 0.4)))
        turn = 0.0
    else:
        shift = rng.normal(0, 0.04, 2)
        side = EXACT_SIDE * float(np.exp(rng.normal(0, 0.05)))
        slope = native[1] - native[0]
        turn = float(np.degrees(np.arctan2(slope[1], slope[0])) + rng.normal(0, 7))
    centre = middle + shift * size
    return Look((float(centre[0]), float(centre[1])), side * size, turn)


def drawn(window: RGB, points: Points, size: float, roll: float, rng: np.random.Generator) -> tuple[RGB, Points]:
    """The source as a square picture in which its face has probe_px `size` and is tilted by `roll` more."""
    matrix = similarity_transform(points, ARCFACE_TEMPLATE)
    source_px = float(CROP_PX / np.hypot(matrix[0, 0], matrix[1, 0]))
    factor = source_px / size
    while factor > 2.2:
        half = (max(1, window.shape[1] // 2), max(1, window.shape[0] // 2))
        scale = np.array([half[0] / window.shape[1], half[1] / window.shape[0]], dtype=np.float32)
        window = np.asarray(cv2.resize(window, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        points = (points + 0.5) * scale - 0.5
        factor /= 2
    side = max(12, int(np.ceil(size * _REACH)))
    if factor > 1.0:  # by a blur of the width that area averaging has
        window = np.asarray(cv2.GaussianBlur(window, (0, 0), 0.35 * factor), dtype=np.uint8)
    stretch = np.exp(rng.normal(0, 0.03))
    turn = radians(roll)
    axes = np.array([[cos(turn), -sin(turn)], [sin(turn), cos(turn)]]) @ np.diag([stretch, 1 / stretch]) / factor
    off = rng.uniform(-0.5, 0.5, 2)
    shift = side / 2 + off - axes @ points.mean(axis=0)
    border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_REFLECT
    drawn = cv2.warpAffine(
        np.ascontiguousarray(window),
        np.column_stack([axes, shift]),
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=border,
    )
    return np.asarray(drawn, dtype=np.uint8), (points @ axes.T + shift).astype(np.float32)


def cut_off(picture: RGB, native: Points, size: float, rng: np.random.Generator) -> tuple[RGB, Points]:
    """Crop one side of the picture close to the face or into it, as at the border of a photograph."""
    side = picture.shape[0]
    strip = int(side / 2 - size * rng.uniform(0.28, 0.6))
    if strip < 1:
        return picture, native
    turn = int(rng.integers(4))
    if turn == 0:
        return picture[strip:], native - np.array([0, strip], dtype=np.float32)
    if turn == 1:
        return picture[:-strip], native
    if turn == 2:
        return picture[:, strip:], native - np.array([strip, 0], dtype=np.float32)
    return picture[:, :-strip], native


def covered(picture: RGB, native: Points, size: float, rng: np.random.Generator) -> RGB:
    """The face with a mask over nose and mouth, a bar over the eyes, or a block somewhere."""
    colour = tuple(int(v) for v in rng.integers(0, 256, 3))
    hidden = np.ascontiguousarray(picture)
    if hidden is picture:
        hidden = picture.copy()
    kind = rng.integers(3)
    across = (native[1] - native[0]) * 0.9
    down = (native[3:].mean(axis=0) - native[:2].mean(axis=0)) * 1.0
    if kind == 0:  # a mask: from the nose down
        corners = [native[2] - across - down * 0.05, native[2] + across - down * 0.05]
        corners += [native[2] + across * 0.7 + down * 1.1, native[2] - across * 0.7 + down * 1.1]
    elif kind == 1:  # sunglasses
        eyes = native[:2].mean(axis=0)
        corners = [eyes - across - down * 0.2, eyes + across - down * 0.2, eyes + across + down * 0.2]
        corners += [eyes - across + down * 0.2]
    else:
        centre = native.mean(axis=0) + rng.normal(0, 0.3, 2) * size
        half = size * rng.uniform(0.08, 0.22, 2)
        corners = [centre + half * np.array(sign) for sign in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    cv2.fillConvexPoly(hidden, np.rint(np.array(corners) * 16).astype(np.int32), colour, cv2.LINE_AA, 4)
    return hidden


def no_face(
    window: RGB, points: Points, textures: Sequence[RGB], size: float, roll: float, rng: np.random.Generator
) -> Sample:
    """A look at something else: parts of a face in the wrong places, part of one, what is beside it, a texture, a
    drawing, noise."""
    kind = rng.random()
    if kind < 0.15:
        image = _scrambled_face(window, points, size, roll, rng)
    elif kind < 0.4:
        image = _beside(window, points, size, roll, rng)
    elif kind < 0.65 and textures:
        image = texture_look(textures, size, rng)
    elif kind < 0.9:
        image = drawing_look(rng)
    else:
        image = noise_look(rng)
    return Sample(image, np.zeros((5, 2), dtype=np.float32), False)


def _scrambled_face(window: RGB, points: Points, size: float, roll: float, rng: np.random.Generator) -> RGB:
    """An upright look that the face fills, with its parts in the wrong places."""
    picture, native = drawn(window, points, size, roll, rng)
    slope = native[1] - native[0]
    middle = native.mean(axis=0) + 0.5
    turn = float(np.degrees(np.arctan2(slope[1], slope[0])))
    look = Look((float(middle[0]), float(middle[1])), float(rng.uniform(0.9, 1.2)) * size, turn)
    return scrambled(look.cut(spoilt(picture, size, rng)), rng)


def _beside(window: RGB, points: Points, size: float, roll: float, rng: np.random.Generator) -> RGB:
    """Part of a face, what is beside it, or a face far too close."""
    picture, native = drawn(window, points, size, roll, rng)
    picture = spoilt(picture, size, rng)
    away = rng.uniform(0, 2 * np.pi)
    far = size * rng.uniform(0.6, 1.2)
    look = look_at(native, size, rng)
    look = Look((look.centre[0] + far * cos(away), look.centre[1] + far * sin(away)), look.side_px, look.roll_deg)
    if rng.random() < 0.3:
        look = Look(look.centre, look.side_px * rng.uniform(0.2, 0.4), look.roll_deg)
    return look.cut(picture)


def _mirrored(points: Points, width: int) -> Points:
    mirrored = points[[1, 0, 2, 4, 3]].copy()
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    return mirrored
