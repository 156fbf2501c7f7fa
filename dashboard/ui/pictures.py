"""Faces and picture files for the screen: addresses that <img> takes, and rows of faces with captions."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.errors import CoreError
from core.images import encode_image, read_image, resize
from core.settings import CROP_PX
from core.system.shards import ShardInvalid, file_stat
from dashboard.ui.markdown import markup


@dataclass(frozen=True)
class Picture:
    """A face to show. `image` is uint8 RGB or an address for <img>; `pixels` shows every pixel as a square."""

    image: NDArray[np.uint8] | str
    caption: str = ""
    alt: str = "Face"
    pixels: bool = False


def image_address(encoded: bytes) -> str:
    """Encoded picture bytes (WebP, PNG or JPEG) as a data: address."""
    kind = "png" if encoded.startswith(b"\x89PNG") else "jpeg" if encoded.startswith(b"\xff\xd8") else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode('ascii')}"


def picture_of_file(path: Path, side_px: int | None = None) -> str | None:
    """An image file as an address for <img>, resized to `side_px` (bicubic) where given; None where it can't be read.

    Small images are PNG (exact), larger ones WebP.
    """
    modified, size = file_stamp(path)
    return _picture(str(path), modified, size, side_px) if size else None


@st.cache_data(max_entries=1_500, show_spinner=False)
def _picture(path: str, modified: int, size: int, side_px: int | None) -> str | None:
    try:
        rgb = read_image(Path(path))
        if side_px is not None:
            rgb = resize(rgb, side_px)
        elif max(rgb.shape[:2]) > 2 * CROP_PX:
            factor = 2 * CROP_PX / max(rgb.shape[:2])
            rgb = resize(rgb, (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor))))
    except CoreError:
        return None
    return image_address(encode_image(rgb, "png") if rgb.shape[0] <= 64 else encode_image(rgb, quality=86))


def changed_ns(path: Path) -> int:
    """Modification time of a file in ns, 0 where it is missing."""
    return file_stamp(path)[0]


def file_stamp(path: Path) -> tuple[int, int]:
    """Modification time (ns) and size of a file, of a shard for its members; zeros where it is missing."""
    try:
        found = file_stat(path)
    except (OSError, ShardInvalid):
        return 0, 0
    return found.st_mtime_ns, found.st_size


def faces_html(pictures: Sequence[Picture], width_px: int = 112) -> str:
    """A row of faces that wraps on a narrow screen. Captions and alternative texts are escaped."""
    return f"<div class='ef-faces' style='--w:{width_px}px'>{''.join(map(_figure, pictures))}</div>"


def faces(pictures: Sequence[Picture], width_px: int = 112) -> None:
    """Show a row of faces."""
    st.html(faces_html(pictures, width_px))


def _figure(picture: Picture) -> str:
    address = picture.image if isinstance(picture.image, str) else image_address(_encoded(picture.image))
    caption = f"<figcaption>{markup(picture.caption)}</figcaption>" if picture.caption else ""
    pixels = " class='ef-pixels'" if picture.pixels else ""
    return f"<figure><img{pixels} src='{address}' alt='{markup(picture.alt)}'>{caption}</figure>"


def _encoded(rgb: NDArray[np.uint8]) -> bytes:
    return encode_image(rgb, "png") if rgb.shape[0] <= 64 else encode_image(rgb)
