"""Boxes lie on the faces at any width, and labels are text."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dashboard.ui.photo_overlay import PREVIEW_PX, Box, Preview, photo_html, preview

shares = st.tuples(*[st.floats(-0.5, 1.5)] * 4).map(
    lambda s: (min(s[0], s[2]), min(s[1], s[3]), max(s[0], s[2]), max(s[1], s[3]))
)


@settings(deadline=None)
@given(shares)
def test_a_box_never_leaves_the_picture(share: tuple[float, float, float, float]) -> None:
    page = photo_html(Preview("data:image/webp;base64,", 100), [Box(share, 1, "", "unknown")], "alt")
    left, top, width, height = (float(number) for number in re.findall(r"(?:left|top|width|height):([\d.]+)%", page))
    assert 0 <= left <= 100 and 0 <= top <= 100
    assert left + width <= 100.02 and top + height <= 100.02


def test_a_box_stands_where_the_face_is() -> None:
    page = photo_html(Preview("x", 100), [Box((0.25, 0.1, 0.75, 0.6), 3, "Ada", "match")], "Two faces")
    assert "left:25.00%;top:10.00%;width:50.00%;height:50.00%" in page
    assert ">3<i> Ada</i>" in page and "alt='Two faces'" in page


def test_names_are_text() -> None:
    page = photo_html(Preview("x", 9), [Box((0, 0, 1, 1), 1, "<img src=x onerror='a()'>", "match")], "<b>'\"")
    assert "<img src=x" not in page and "&lt;img src=x onerror=&#x27;a()&#x27;&gt;" in page
    assert "alt='&lt;b&gt;&#x27;&quot;'" in page


def test_in_a_crowd_names_can_be_left_out() -> None:
    few = [Box((0, 0, 0.1, 0.1), number, "Ada", "match") for number in range(4)]
    assert "class='ef-frame'" in photo_html(Preview("x", 9), few, "")
    assert "class='ef-frame ef-crowd'" in photo_html(Preview("x", 9), [*few, few[0]], "")


def test_preview_keeps_shape_and_reduces_large_photographs() -> None:
    shown = preview(np.zeros((600, 2560, 3), np.uint8))
    picture = Image.open(io.BytesIO(base64.b64decode(shown.address.partition(",")[2])))
    assert picture.size == (PREVIEW_PX, 300) and shown.width_px == PREVIEW_PX
    assert preview(np.zeros((60, 40, 3), np.uint8)).width_px == 40
