"""A photograph with a box and a label for each face, at any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.images import encode_image, resize
from core.recognition.results import Outcome
from dashboard.ui.markdown import markup
from dashboard.ui.pictures import image_address

PREVIEW_PX = 1280

_FEW = 4

COLOURS: dict[Outcome, str] = {
    "match": "#0E6B66",
    "tie": "#9A5208",
    "repeat": "#9A5208",
    "unknown": "#9A5208",
    "unrecognisable": "#59636B",
}


@dataclass(frozen=True)
class Box:
    """A face in a photograph. `share` is (x0, y0, x1, y1) as shares of width and height, in [0, 1]; `who` follows the
    number, "" for nobody."""

    share: tuple[float, float, float, float]
    number: int
    who: str
    outcome: Outcome


@dataclass(frozen=True)
class Preview:
    """A photograph to show: an address for <img>, and its width in pixels."""

    address: str
    width_px: int


def preview(rgb: NDArray[np.uint8]) -> Preview:
    """A photograph (H, W, 3), reduced to at most 1280 px a side."""
    height, width = rgb.shape[:2]
    factor = min(1.0, PREVIEW_PX / max(height, width))
    small = resize(rgb, (max(1, round(width * factor)), max(1, round(height * factor))))
    return Preview(image_address(encode_image(small, quality=82)), small.shape[1])


def photo_html(photo: Preview, boxes: Sequence[Box], alt: str) -> str:
    """The photograph with its boxes, at most twice its size. Labels stay inside the photograph, and are escaped.

    With many faces on a narrow screen only the numbers are shown; the names are in the list below.
    """
    kind = "ef-frame ef-crowd" if len(boxes) > _FEW else "ef-frame"
    return (
        f"<div class='{kind}' style='max-width:{2 * photo.width_px}px'>"
        f"<img src='{markup(photo.address)}' alt='{markup(alt)}'>{''.join(map(_box_html, boxes))}</div>"
    )


def _box_html(box: Box) -> str:
    x0, y0, x1, y1 = (min(1.0, max(0.0, edge)) for edge in box.share)
    places = ("ef-above",) * (y1 > 0.85) + ("ef-left",) * (x0 > 0.7)
    where = f"left:{x0:.2%};top:{y0:.2%};width:{x1 - x0:.2%};height:{y1 - y0:.2%};--c:{COLOURS[box.outcome]}"
    who = f"<i> {markup(box.who)}</i>" if box.who else ""
    return f"<div class='{' '.join(('ef-box', *places))}' style='{where}'><span>{box.number}{who}</span></div>"
