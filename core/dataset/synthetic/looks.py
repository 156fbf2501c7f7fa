"""Appearance of drawn people: measures, colours, hair and the like, drawn by lot so that people differ; expressions.

Lengths are in units of about the head's half height; (0, 0) is the face's middle, y points down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SKIN = (
    (247, 214, 190),
    (232, 190, 160),
    (214, 165, 130),
    (190, 138, 103),
    (160, 110, 80),
    (128, 86, 62),
    (96, 63, 46),
)
_HAIR = ((28, 24, 24), (62, 42, 30), (108, 72, 44), (168, 124, 70), (206, 170, 108), (140, 62, 34), (150, 148, 146))
_IRIS = ((70, 46, 28), (104, 74, 40), (74, 98, 66), (70, 104, 138), (104, 128, 146), (50, 40, 34))
_LIPS = ((186, 98, 94), (160, 78, 76), (204, 112, 112), (140, 72, 66), (176, 66, 82))
_FRAMES = ((24, 24, 28), (120, 60, 36), (70, 80, 110))

HAIR_STYLES = ("bald", "short", "fringe", "long", "parted", "bun")
BEARDS = ("none", "none", "moustache", "goatee", "full", "stubble", "none")
GLASSES = ("none", "none", "round", "none", "square", "none")


@dataclass(frozen=True)
class Looks:
    """A drawn person's appearance: measures of the face (units of the module's head), colours, hair and the like."""

    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]
    lips: tuple[float, float, float]
    frame: tuple[float, float, float]
    hair_style: str
    beard: str
    glasses: str
    width: float
    height: float
    eye_x: float
    eye_y: float
    eye_width: float
    eye_height: float
    eye_tilt_deg: float
    brow_width: float
    brow_thickness: float
    brow_gap: float
    brow_tilt_deg: float
    nose_y: float
    nose_width: float
    nose_height: float
    mouth_y: float
    mouth_width: float
    lip_thickness: float
    hairline: float
    cheeks: float
    folds: float
    blotches: int


@dataclass(frozen=True)
class Expression:
    """A passing state: smile from -0.3 to 1, mouth open 0 to 1, brows raised -1 to 1, eyes open 0.6 to 1.1."""

    smile: float = 0.0
    open: float = 0.0
    brows: float = 0.0
    eyes: float = 1.0


def draw_looks(count: int, seed: int) -> list[Looks]:
    """`count` people who differ as much as they can: each measure takes `count` even steps, in an order of its own."""
    random = np.random.RandomState(seed % 2**32)

    def spread(low: float, high: float) -> NDArray[np.float64]:
        return low + (high - low) * (random.permutation(count) + 0.5) / count

    def among(options: Sequence[Any]) -> list[Any]:
        return [options[i % len(options)] for i in random.permutation(count)]

    measures = {name: spread(*limits) for name, limits in _MEASURES.items()}
    tone = spread(0, len(_SKIN) - 1.001)
    colours = {name: among(palette) for name, palette in (("hair", _HAIR), ("iris", _IRIS), ("lips", _LIPS))}
    styles: dict[str, list[Any]] = {"hair_style": among(HAIR_STYLES), "beard": among(BEARDS), "glasses": among(GLASSES)}
    frames = among(_FRAMES)
    blotches = random.randint(0, 2**31 - 1, count)
    people = []
    for i in range(count):
        chosen: dict[str, Any] = {name: values[i] for name, values in {**colours, **styles}.items()}
        chosen |= {name: float(values[i]) for name, values in measures.items()}
        skin = _between(_SKIN, float(tone[i]))
        people.append(Looks(skin=skin, frame=frames[i], blotches=int(blotches[i]), **chosen))
    return people


_MEASURES = {
    "width": (0.70, 0.86),
    "height": (1.00, 1.14),
    "eye_x": (0.30, 0.40),
    "eye_y": (-0.17, -0.07),
    "eye_width": (0.115, 0.165),
    "eye_height": (0.055, 0.085),
    "eye_tilt_deg": (-9, 9),
    "brow_width": (0.15, 0.22),
    "brow_thickness": (0.022, 0.065),
    "brow_gap": (0.13, 0.20),
    "brow_tilt_deg": (-12, 12),
    "nose_y": (0.22, 0.36),
    "nose_width": (0.10, 0.18),
    "nose_height": (0.16, 0.30),
    "mouth_y": (0.54, 0.66),
    "mouth_width": (0.22, 0.33),
    "lip_thickness": (0.035, 0.085),
    "hairline": (-0.80, -0.52),
    "cheeks": (0.0, 0.5),
    "folds": (0.0, 0.5),
}


def _between(palette: Sequence[tuple[int, int, int]], at: float) -> tuple[float, float, float]:
    low, share = int(at), at - int(at)
    a, b = np.array(palette[low], float), np.array(palette[min(low + 1, len(palette) - 1)], float)
    red, green, blue = (a + (b - a) * share).tolist()
    return red, green, blue
