"""Photographs of drawn people, and windows of grey with coloured dots in place of landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from core.dataset.synthetic.head import View, portray
from core.dataset.synthetic.looks import Expression, draw_looks
from core.training.landmarks.config import LandmarksConfig, make_landmarks_config
from core.training.landmarks.prepared import SourceSet

LOOKS = draw_looks(30, 0)
COLOURS = np.array([[250, 20, 20], [20, 250, 20], [20, 20, 250], [240, 240, 20], [20, 240, 240]], dtype=np.float32)
"""One for each landmark."""


def portrait(person: int, number: int):
    random = np.random.default_rng([person, number])
    view = View(*(random.uniform(-limit, limit) for limit in (10, 5, 4)))
    return portray(LOOKS[person], Expression(), view, noise_seed=number)


def draw_people(folder: Path, people: int = 6, each: int = 2) -> Path:
    """A folder for each person with photographs of 176 px."""
    for person in range(people):
        for number in range(each):
            path = folder / f"Person_{person}" / f"Person_{person}_{number + 1:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(portrait(person, number).rgb).save(path)
    return folder


def tiny_config(folder: Path, **given: object) -> LandmarksConfig:
    """A quick configuration on the CPU, in float32."""
    quick = {"steps": 4, "epoch_steps": 2, "batch_size": 4, "val_faces": 2, "num_workers": 0}
    fixed = {"photographs": [folder], "device": "cpu", "precision": "float32"}
    return make_landmarks_config({**quick, **fixed, **given})


def dotted(side: int = 400, scale: float = 1.0, sigma: float = 4.0) -> SourceSet:
    """One source: a grey window with a dot of each colour on the landmarks of an upright face."""
    template = np.array([[-17, -20], [18, -20], [0, 0], [-14, 21], [15, 20]], dtype=np.float32)
    points = template * scale + side / 2
    y, x = np.mgrid[:side, :side]
    window = np.full((side, side, 3), 120, dtype=np.float32)
    for point, colour in zip(points, COLOURS, strict=True):
        weight = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * sigma**2))[..., None]
        window += weight * (colour - 120)
    rounded = np.clip(np.rint(window), 0, 255).astype(np.uint8)
    return SourceSet(rounded[None], np.array([0]), points[None])


def dots_in(picture: np.ndarray) -> np.ndarray:
    """Where the dots are, (5, 2): the middle of the pixels near each colour, by how near they are."""
    away = picture.astype(np.float64) - 120
    found = []
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    for colour in COLOURS.astype(np.float64) - 120:
        along = away @ colour / np.linalg.norm(colour)
        across = np.linalg.norm(away - along[..., None] * colour / np.linalg.norm(colour), axis=2)
        weight = np.clip(along - 2.5 * across - 10, 0, None)
        found.append([(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()])
    return np.array(found)
