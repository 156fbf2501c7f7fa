"""A photograph on which a person draws a square around a face that detection missed.

A component of our own, as the Inspector's: a chart's selection can't be held square, has no keyboard control, and
zooms only with another tool than the one that draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.images import encode_image, read_image, resize
from core.recognition.boxes import LEAST_BOX_PX, REDRAW, Box
from dashboard.ui.pictures import image_address

_HERE = Path(__file__).parent
_CANVASES = "drawing_canvases"
_MOST_CANVASES = 3
_MOST_PX = 4096
_EXACT_PX = 512

_component = st.components.v2.component(
    "edgeface_box_drawing",
    html="<div class='ef-drawing'></div>",
    css=(_HERE / "box_drawing.css").read_text(encoding="utf-8"),
    js=(_HERE / "box_drawing.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Canvas:
    """A photograph to draw on: an address for <img>, and the photograph's own size, which may be larger."""

    address: str
    width_px: int
    height_px: int


def canvas_of(key: str, content: bytes, name: str) -> Canvas:
    """The photograph with these bytes, kept in the session under `key`; the last three are. Raises what `read_image`
    raises."""
    kept: dict[str, Canvas] = st.session_state.setdefault(_CANVASES, {})
    if key not in kept:
        rgb = read_image(content, name=name)
        height, width = rgb.shape[:2]
        factor = min(1.0, _MOST_PX / max(height, width))
        if factor < 1:
            rgb = resize(rgb, (max(1, round(width * factor)), max(1, round(height * factor))))
        exact = max(height, width) <= _EXACT_PX
        kept[key] = Canvas(image_address(encode_image(rgb, "png" if exact else "jpeg", 88)), width, height)
    while len(kept) > _MOST_CANVASES:
        kept.pop(next(iter(kept)))
    return kept[key]


def draw_box(
    canvas: Canvas,
    key: str,
    on_box: Callable[[Box], None],
    *,
    found: Sequence[tuple[float, float, float, float]] = (),
    answered: int = 0,
    missed: Box | None = None,
) -> None:
    """Show the photograph to draw on, and what to do. `on_box` is called before the next run with each square drawn.

    `found` are boxes of faces found already (x0, y0, x1, y1 as shares), `answered` counts the squares drawn so far, and
    `missed` is the last of them if no face was seen in it.
    """

    def take() -> None:
        state = st.session_state.get(key)
        drawn = state.get("box") if state is not None else None
        if drawn:
            on_box(_whole(drawn, canvas))

    data = {
        "src": canvas.address,
        "alt": "Photograph to draw on",
        "width": canvas.width_px,
        "height": canvas.height_px,
        "least": int(LEAST_BOX_PX),
        "faces": [list(box) for box in found],
        "answered": answered,
        "missed": None if missed is None else list(missed),
    }
    st.markdown("**Draw a square around one face**, from forehead to chin.")
    st.caption(
        "Drag over the photograph. Zoom in first if the face is small. By keyboard: select the photograph, then use "
        "the arrow keys, + and −, and Enter."
    )
    _component(key=key, data=data, on_box_change=take)
    if missed is not None:
        st.warning(f"No face can be seen in this square. {REDRAW}", icon=":material/visibility_off:")


def _whole(drawn: Sequence[float], canvas: Canvas) -> Box:
    """The square that the browser reports, inside the photograph."""
    x, y, width, height = (float(value) for value in drawn)
    x, y = max(0.0, x), max(0.0, y)
    return x, y, min(width, canvas.width_px - x), min(height, canvas.height_px - y)
