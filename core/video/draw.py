"""Boxes, names and outcomes drawn into a frame, for the live picture and for annotated video."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.recognition.results import Outcome, either
from core.video.live import LiveFace, LiveResult

COLOURS: dict[Outcome | None, tuple[int, int, int]] = {
    "match": (14, 107, 102),
    "tie": (154, 82, 8),
    "repeat": (154, 82, 8),
    "unknown": (154, 82, 8),
    "unrecognisable": (89, 99, 107),
    None: (89, 99, 107),
}
"""White text is readable on each. Outcomes differ in words too, never by colour alone."""

_FONTS = ("DejaVuSans-Bold.ttf", "NotoSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf", "Helvetica.ttc")
_NAME_CHARS = 28

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def label_of(face: LiveFace) -> str:
    """The label of a face: its number, the name or the outcome, and the score."""
    found = face.recognition
    if found is None:
        return f"{face.number}"
    name = _cut(found.title, _NAME_CHARS)
    if (
        found.possible
    ):  # each name is shortened, so that both can be read, and that it is clear that neither is the answer
        names = either([_cut(each, _NAME_CHARS // max(2, len(found.possible))) for each in found.possible])
        name = f"{names} again?" if found.outcome == "repeat" else f"{names}?"
    return f"{face.number} {name}" if found.score is None else f"{face.number} {name} {found.score:.2f}"


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: max(1, most - 1)]}…"


def draw(rgb: NDArray[np.uint8], faces: Sequence[LiveFace]) -> NDArray[np.uint8]:
    """A copy of the frame (H, W, 3) with a box and a label for each face."""
    picture = Image.fromarray(rgb)
    pen = ImageDraw.Draw(picture)
    height, width = rgb.shape[:2]
    font = _font(max(12, round(height / 32)))
    line = max(2, round(height / 240))
    for face in faces:
        colour = COLOURS[face.recognition.outcome if face.recognition else None]
        x0, y0, x1, y1 = (edge * size for edge, size in zip(face.share, (width, height, width, height), strict=True))
        if x1 <= x0 or y1 <= y0:
            continue
        # A dark line round the coloured one: seen on every background.
        pen.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=(0, 0, 0), width=1)
        pen.rectangle((x0, y0, x1, y1), outline=colour, width=line)
        _label(pen, label_of(face), (x0, y0, x1, y1), (width, height), colour, font)
    return np.array(picture, dtype=np.uint8)


def draw_result(rgb: NDArray[np.uint8], result: LiveResult | None) -> NDArray[np.uint8]:
    """The frame with what was last seen; at a simulated distance with the small face and its enlargement, too."""
    if result is None:
        return rgb
    drawn = draw(rgb, result.faces)
    if result.reduced_to_px is not None:
        _inset(drawn, result)
    return drawn


def _inset(frame: NDArray[np.uint8], result: LiveResult) -> None:
    """What the far camera has of the first face, and what the encoder sees, at the top left."""
    first = next((face.recognition for face in result.faces if face.recognition), None)
    if first is None or first.probe is None:
        return
    side = max(48, min(frame.shape[:2]) // 5)
    pictures = [(first.probe.crop, Image.Resampling.NEAREST), (first.probe.sr_image, Image.Resampling.BICUBIC)]
    for place, (picture, how) in enumerate(pictures):
        x = 6 + place * (side + 4)
        shown = np.asarray(Image.fromarray(picture).resize((side, side), how))
        frame[4 : side + 8, x - 2 : x + side + 2] = 255
        frame[6 : side + 6, x : x + side] = shown


def _label(
    pen: ImageDraw.ImageDraw,
    text: str,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    colour: tuple[int, int, int],
    font: Font,
) -> None:
    """Below the box, or above it where the frame ends; moved to stay inside the frame."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    wide, high = right - left + 10, bottom - top + 8
    x = min(max(0.0, box[0]), max(0.0, size[0] - wide))
    y = box[3] if box[3] + high <= size[1] else max(0.0, box[1] - high)
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.text((x + 5 - left, y + 4 - top), text, fill=(255, 255, 255), font=font)


@lru_cache(maxsize=8)
def _font(size_px: int) -> Font:
    """A font with more than ASCII: one of the system's, or the one that the dashboard's web pages use; Pillow's own
    where there is neither, which knows no letter beyond ASCII."""
    for name in (*_FONTS, *_web_fonts()):
        try:
            return ImageFont.truetype(name, size_px)
        except OSError:
            continue
    return ImageFont.load_default(size_px)


@lru_cache(maxsize=1)
def _web_fonts() -> tuple[str, ...]:
    spec = importlib.util.find_spec("streamlit")
    folders = [Path(each) / "static" for each in (spec.submodule_search_locations or [])] if spec else []
    return tuple(str(path) for folder in folders for path in folder.rglob("SourceSansVF-Upright*.woff2"))
