"""Image input and conversion: the only module that reads files, resizes, and converts RGB uint8 HWC to float NCHW."""

from __future__ import annotations

import hashlib
import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from core.errors import CoreError
from core.settings import CROP_PX, VLR_SIZES_PX
from core.system.image_files import FORMATS_TEXT, claims_to_be_read, is_heif, kind_by_content, unread_kind
from core.system.shards import read_bytes
from core.system.sqlite_files import is_open_here
from core.system.text import printable

if TYPE_CHECKING:
    import torch

RGB = NDArray[np.uint8]

MAX_FILE_BYTES = 64_000_000
MAX_PIXELS = 100_000_000
MAX_SIDE_PX = 30_000
_LIMITS = f"at most {MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE_PX:,} px a side are read"
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
_CHOOSE = f"Choose a {FORMATS_TEXT} picture."
_AGAIN = "Copy or export it again."
_REDUCE = "Reduce it first."

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_DAMAGE = (
    *(OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(AssertionError, RuntimeError, struct.error, zlib.error),
)
"""What Pillow's readers raise on damaged files, as mutating files of every format shows."""


class ImageUnreadable(CoreError):
    """A file that isn't there, isn't a picture, or is damaged."""

    help_topic = "images"


class ImageTooLarge(CoreError):
    """A picture with more bytes or pixels than are read."""

    help_topic = "images"


def read_image(source: str | Path | bytes | BinaryIO | Image.Image | RGB, *, name: str | None = None) -> RGB:
    """Read a picture as uint8 RGB (H, W, 3), upright.

    EXIF orientation is applied; transparency is laid over white; deeper values are scaled to 8 bits; of an animation
    the first frame counts. A file object is read from its beginning. An array is taken as RGB uint8 (H, W, 3) or grey
    (H, W). `name` is what errors call it. A path may lead into a tar shard (`core.system.shards`). Raises
    ImageUnreadable, ShardInvalid, or ImageTooLarge before decoding (over 64 MB, 100 megapixels or 30,000 px a side).
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, name or "the array")
    label = _printable(name or _name_of(source))
    _quiet_pillow()
    try:
        if isinstance(source, Image.Image):
            return _to_rgb(source, label)
        content = _read_bytes(source, label)
        if kind := unread_kind(label):  # a raw photograph may open as a TIFF, and show its preview alone
            raise ImageUnreadable(f"{label} is {kind}, which isn't read.", f"Export it: {FORMATS_TEXT}.")
        with Image.open(io.BytesIO(content), formats=_formats_for(content)) as picture:
            return _to_rgb(picture, label)
    except UnidentifiedImageError as error:
        if claims_to_be_read(content):
            raise ImageUnreadable(f"{label} is damaged, cut off, or of a kind that isn't read.", _AGAIN) from error
        kind = kind_by_content(content)
        said = f"{label} is no picture that can be read{f': it is {kind}' if kind else ''}."
        raise ImageUnreadable(said, _CHOOSE) from error
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        count = f"{int(pixels[0]) // 1_000_000:,} megapixels" if pixels else "too many pixels"
        raise ImageTooLarge(f"{label} has {count}; {_LIMITS}.", _REDUCE) from error
    except MemoryError as error:
        raise ImageTooLarge(f"{label} doesn't fit into memory.", _REDUCE) from error
    except _DAMAGE as error:
        raise ImageUnreadable(f"{label} is damaged or cut off.", _AGAIN) from error


def _formats_for(content: bytes) -> tuple[str, ...]:
    """The formats to try. The reader of HEIF, 55 ms to load, is loaded for the first such file."""
    if not is_heif(content):
        return _FORMATS
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    return ("HEIF",)


def _quiet_pillow() -> None:
    """Silence Pillow's warnings: what matters is an error here.

    Not by catch_warnings, which swaps the process's filters: threads that overlap can leave them swapped.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logger = logging.getLogger("PIL")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _name_of(source: Any) -> str:
    if isinstance(source, (str, Path)):
        return Path(source).name or str(source)
    return Path(str(getattr(source, "name", "") or getattr(source, "filename", "") or "the picture")).name


def _printable(name: str) -> str:
    """A file's name as one line of at most 120 characters, whatever it holds."""
    clean = printable(name)
    return clean if len(clean) <= 120 else f"{clean[:80]}...{clean[-37:]}"


def _read_bytes(source: Any, label: str) -> bytes:
    if isinstance(source, (str, Path)):
        content = _read_file(Path(source), label)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
    elif callable(getattr(source, "read", None)):
        if callable(getattr(source, "seekable", None)) and source.seekable():
            source.seek(0)
        content = source.read(MAX_FILE_BYTES + 1)
    else:
        raise ImageUnreadable(f"{label} isn't a picture: got {type(source).__name__}.", "Give a path, bytes or a file.")
    if not isinstance(content, bytes):
        raise ImageUnreadable(f"{label} was opened as text, not as bytes.", "Open the file in mode 'rb'.")
    if not content:
        raise ImageUnreadable(f"{label} is empty (0 bytes).", _AGAIN)
    if len(content) > MAX_FILE_BYTES:
        raise ImageTooLarge(f"{label} has more than {MAX_FILE_BYTES // 1_000_000} MB.", _REDUCE)
    return content


def _read_file(path: Path, label: str) -> bytes:
    try:
        if path.is_dir():
            raise ImageUnreadable(f"{label} is a folder.", "Choose a picture in it.")
        if path.exists() and not path.is_file():  # a pipe or a device could be read for ever
            raise ImageUnreadable(f"{label} isn't an ordinary file.", _CHOOSE)
        if is_open_here(path):
            raise ImageUnreadable(f"{label} is a database in use, not a picture.", _CHOOSE)
        return read_bytes(path, MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ImageUnreadable(f"There is no file {_printable(str(path))}.", "Check the path.") from error
    except (OSError, ValueError) as error:
        raise ImageUnreadable(
            f"{label} can't be opened.", "Check that it is there and that you may read it."
        ) from error


def _to_rgb(picture: Image.Image, label: str) -> RGB:
    width, height = picture.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE_PX:
        raise ImageTooLarge(f"{label} has {width:,} x {height:,} px; {_LIMITS}.", _REDUCE)
    if width * height == 0:
        raise ImageUnreadable(f"{label} has {width} x {height} px: it is empty.", _AGAIN)
    picture.load()
    turn = _UPRIGHT.get(_orientation(picture))
    upright = picture if turn is None else picture.transpose(turn)
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        return _from_deep_grey(np.asarray(upright), label)
    if upright.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    try:
        return np.array(upright.convert("RGB"), dtype=np.uint8)
    except ValueError as error:
        raise ImageUnreadable(f"{label} has {upright.mode} colours, which aren't read.", "Export it as RGB.") from error


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or the EXIF block is damaged (the picture still counts)."""
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return 1
    return value if isinstance(value, int) else 1


def _from_deep_grey(values: NDArray[Any], label: str) -> RGB:
    """Grey of more than 8 bits or of floats, scaled to 8 bits, on three channels. Raises ImageUnreadable beyond that.

    Integers are scaled by the fewest of 8, 10, 12, 14 and 16 bits that hold them all, since cameras store 10 to 14 bits
    in 16; floats by 1, or by 255 when one is larger.
    """
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f":
        top = 1.0 if high <= 1.0 else 255.0
    else:
        top = next((2.0**bits - 1 for bits in (8, 10, 12, 14, 16) if high < 2**bits), 0.0)
    if not 0 <= low <= high <= top:  # also where a float is no number
        raise ImageUnreadable(
            f"{label} holds {values.dtype} values from {low:.6g} to {high:.6g}.",
            "Export it with 8 or 16 bits a channel, or as floats from 0 to 1.",
        )
    grey = np.rint(values.astype(np.float32) * np.float32(255.0 / top)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _from_array(array: NDArray[Any], label: str) -> RGB:
    if array.dtype != np.uint8 or array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ImageUnreadable(
            f"{label} isn't an RGB picture: expected uint8 (H, W, 3), got {array.dtype} {array.shape}.",
            "Convert it to uint8 RGB first.",
        )
    if array.shape[0] * array.shape[1] > MAX_PIXELS or max(array.shape[:2]) > MAX_SIDE_PX:
        raise ImageTooLarge(f"{label} has {array.shape[1]:,} x {array.shape[0]:,} px; {_LIMITS}.", _REDUCE)
    return np.ascontiguousarray(np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array)


def resize(rgb: RGB, size_px: int | tuple[int, int]) -> RGB:
    """Antialiased bicubic (Pillow), rounded to 8 bits. `size_px`: a square's side, or (width, height)."""
    size = (size_px, size_px) if isinstance(size_px, int) else size_px
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb
    return np.array(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)


def to_tensor(images: RGB | Sequence[RGB], device: str = "cpu") -> torch.Tensor:
    """uint8 (N, H, W, 3) or a list of equal (H, W, 3) -> float32 (N, 3, H, W) in [-1, 1], channels-last."""
    import torch

    batch = images if isinstance(images, np.ndarray) else np.stack(images)
    pixels = torch.from_numpy(np.ascontiguousarray(batch)).to(device)
    return pixels.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)


def from_tensor(tensor: torch.Tensor) -> RGB:
    """float (N, 3, H, W) in [-1, 1] -> uint8 (N, H, W, 3), rounded and clipped."""
    import torch

    pixels = tensor.detach().float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    array: RGB = np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())
    return array


def encode_image(rgb: RGB, format: str = "webp", quality: int = 90) -> bytes:
    """The picture as a file's bytes, "webp" or "png"."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format=format, quality=quality)
    return buffer.getvalue()


def sha256_of(content: bytes) -> str:
    """SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


HR_PROBE_PX = 64.0
"""From this size on the aligned crop is cut at 112 px directly; below, at its native size, and the upscaler enlarges
it."""

VLR_PROBE_PX = 40.0
"""Up to this size a probe counts as very-low-resolution, of the nearest of 16, 24 and 32 px."""


def native_crop_px(size: float) -> int:
    """Side of the crop to cut for a probe_px: its own size where it is small, 112 px otherwise."""
    return CROP_PX if size >= HR_PROBE_PX else max(8, round(size))


def vlr_size(size: float) -> int | None:
    """The VLR size (16, 24 or 32 px) that a probe_px counts as; None when it is larger than 40 px."""
    if size > VLR_PROBE_PX:
        return None
    return min(VLR_SIZES_PX, key=lambda px: abs(px - size))


def reduce_photograph(rgb: NDArray[np.uint8], from_px: float, to_px: int) -> NDArray[np.uint8]:
    """The whole photograph shrunk (antialiased) so that a face of probe_px `from_px` gets `to_px`; never enlarged."""
    factor = to_px / from_px
    if factor >= 1:
        return rgb
    height, width = rgb.shape[:2]
    return resize(rgb, (max(1, round(width * factor)), max(1, round(height * factor))))
