"""A whole photograph with a box and a label round each face, that fits any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.images import encode_image, resize
from core.recognition import Outcome
from dashboard.queries import image_address
from dashboard.text import markup

PREVIEW_PX = 1280

COLOURS: dict[Outcome, str] = {"match": "#0E6B66", "unknown": "#9A5208", "unrecognisable": "#59636B"}


@dataclass(frozen=True)
class Box:
    """A face in a photograph: `share` is (x0, y0, x1, y1) as shares of width and height, in [0, 1]."""

    share: tuple[float, float, float, float]
    label: str
    outcome: Outcome


def preview(rgb: NDArray[np.uint8]) -> str:
    """A photograph (H, W, 3) as an address for <img>, reduced to at most 1280 px a side."""
    height, width = rgb.shape[:2]
    factor = min(1.0, PREVIEW_PX / max(height, width))
    small = resize(rgb, (max(1, round(width * factor)), max(1, round(height * factor))))
    return image_address(encode_image(small, quality=82))


def photo_html(address: str, boxes: Sequence[Box], alt: str) -> str:
    """The photograph with its boxes; labels stay inside the picture, and are escaped."""
    return (
        f"<div class='ef-frame'><img src='{markup(address)}' alt='{markup(alt)}'>"
        f"{''.join(_box_html(box) for box in boxes)}</div>"
    )


def _box_html(box: Box) -> str:
    x0, y0, x1, y1 = (min(1.0, max(0.0, edge)) for edge in box.share)
    places = ("ef-above",) * (y1 > 0.85) + ("ef-left",) * (x0 > 0.7)
    where = f"left:{x0:.2%};top:{y0:.2%};width:{x1 - x0:.2%};height:{y1 - y0:.2%};--c:{COLOURS[box.outcome]}"
    return f"<div class='{' '.join(('ef-box', *places))}' style='{where}'><span>{markup(box.label)}</span></div>"
