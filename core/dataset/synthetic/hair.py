"""What frames a drawn face: hair by its style, and glasses."""

from __future__ import annotations

import numpy as np

from core.dataset.synthetic.brush import arc, fill, line, times
from core.dataset.synthetic.looks import Looks
from core.images import RGB


def add_hair(rgb: RGB, looks: Looks) -> None:
    """Paint the hair that lies on the forehead and beside the face, strand by strand; nothing for the bald."""
    if looks.hair_style == "bald":
        return
    hairline, w = looks.hairline, looks.width
    sides = {"short": -0.25, "fringe": 0.1, "long": 0.75, "parted": 0.0, "bun": -0.15}[looks.hair_style]
    low = {"fringe": looks.eye_y - looks.brow_gap - 0.10, "parted": hairline + 0.04}.get(looks.hair_style, hairline)
    peak = 0.55 * w if looks.hair_style == "parted" else 0.0
    right = [(0.62 * w, low + 0.05 + 0.3 * peak), (0.86 * w, low + 0.22), (0.93 * w, sides), (1.3, sides)]
    left = [(-1.3, sides), (-0.93 * w, sides), (-0.86 * w, low + 0.22), (-0.62 * w + peak, low + 0.02)]
    edge = [*left, (0.1 * w + peak * 0.6, low), *right]
    fill(rgb, [(-1.3, -1.3), *edge, (1.3, -1.3)], looks.hair)
    random = np.random.RandomState(looks.blotches + 3)
    for _ in range(26):
        x = random.uniform(-0.8, 0.8) * w
        shade = times(looks.hair, random.uniform(0.7, 1.4))
        line(rgb, [(x, -1.2), (x * 1.1, low - random.uniform(0.04, 0.35))], shade, 0.012)


def add_glasses(rgb: RGB, looks: Looks) -> None:
    """Paint the frame of the glasses."""
    for side in (-1, 1):
        centre = (side * looks.eye_x, looks.eye_y + 0.03)
        if looks.glasses == "round":
            outline = arc(centre, (0.20, 0.19))
        else:
            x, y = centre
            outline = [
                (x - 0.22, y - 0.13),
                (x + 0.22, y - 0.13),
                (x + 0.20, y + 0.15),
                (x - 0.20, y + 0.15),
                (x - 0.22, y - 0.13),
            ]
        line(rgb, outline, looks.frame, 0.03)
        line(rgb, [(side * (looks.eye_x + 0.2), looks.eye_y), (side * 0.9, looks.eye_y - 0.03)], looks.frame, 0.03)
    inner = looks.eye_x - 0.2
    line(rgb, arc((0, looks.eye_y), (max(inner, 0.05), 0.03), 0, 180, 360), looks.frame, 0.03)
