"""Pictures in and out: the one place that reads files, resizes, and turns RGB uint8 HWC into float NCHW and back."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import CoreError

if TYPE_CHECKING:
    import torch

RGB = NDArray[np.uint8]

MAX_FILE_BYTES = 64_000_000
MAX_PIXELS = 100_000_000
MAX_SIDE_PX = 30_000
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_STEP = "Choose a JPEG, PNG, WebP, BMP, TIFF or GIF picture."


class ImageUnreadable(CoreError):
    """A file that isn't there, isn't a picture, or is damaged."""

    help_topic = "images"


class ImageTooLarge(CoreError):
    """A picture with more bytes or pixels than are read."""

    help_topic = "images"


def read_image(source: str | Path | bytes | BinaryIO | Image.Image | RGB, *, name: str | None = None) -> RGB:
    """Any picture as uint8 RGB (H, W, 3), upright.

    EXIF orientation is applied; transparency is laid over white; 16-bit values are scaled to 8; of an animation the
    first frame counts. An array is taken as RGB uint8 (H, W, 3) or grey (H, W). `name` is what errors call it.
    Raises ImageUnreadable, or ImageTooLarge before decoding (over 64 MB, 100 megapixels or 30,000 px a side).
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, name or "the array")
    label = name or _name_of(source)
    if isinstance(source, Image.Image):
        return _to_rgb(source, label)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's warning about large pictures: our limit is an error
        try:
            with Image.open(io.BytesIO(_read_bytes(source, label)), formats=_FORMATS) as picture:
                return _to_rgb(picture, label)
        except UnidentifiedImageError as error:
            raise ImageUnreadable(f"{label} is no picture that can be read.", _STEP) from error
        except Image.DecompressionBombError as error:
            raise ImageTooLarge(f"{label} has more pixels than are read.", "Reduce it first.") from error
        except (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, OverflowError) as error:
            raise ImageUnreadable(f"{label} is damaged or cut off.", "Copy or export it again.") from error


def _name_of(source: Any) -> str:
    if isinstance(source, (str, Path)):
        return Path(source).name
    return Path(str(getattr(source, "name", "") or getattr(source, "filename", "") or "the picture")).name


def _read_bytes(source: str | Path | bytes | BinaryIO, label: str) -> bytes:
    if isinstance(source, (str, Path)):
        path = Path(source)
        try:
            if path.is_dir():
                raise ImageUnreadable(f"{label} is a folder.", "Choose a picture in it.")
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError as error:
            raise ImageUnreadable(f"There is no file {path}.", "Check the path.") from error
        except (OSError, ValueError) as error:
            raise ImageUnreadable(f"{label} can't be opened.", "Check that you may read it.") from error
    else:
        content = source if isinstance(source, bytes) else source.read(MAX_FILE_BYTES + 1)
    if not content:
        raise ImageUnreadable(f"{label} is empty (0 bytes).", "Copy or export it again.")
    if len(content) > MAX_FILE_BYTES:
        raise ImageTooLarge(f"{label} has more than {MAX_FILE_BYTES // 1_000_000} MB.", "Reduce it first.")
    return content


def _to_rgb(picture: Image.Image, label: str) -> RGB:
    width, height = picture.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE_PX:
        raise ImageTooLarge(
            f"{label} has {width:,} x {height:,} px; at most {MAX_PIXELS // 1_000_000} megapixels and "
            f"{MAX_SIDE_PX:,} px a side are read.",
            "Reduce it first.",
        )
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        return _from_deep_grey(np.asarray(upright))
    if upright.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"), dtype=np.uint8))


def _from_deep_grey(values: NDArray[Any]) -> RGB:
    """16-bit (or 32-bit holding 16-bit) grey scaled to 8 bits, on three channels."""
    scaled = values.astype(np.float64)
    if values.dtype.kind in "iu" and scaled.max(initial=0) > 255:
        scaled = scaled / 257.0
    grey = np.rint(np.clip(np.nan_to_num(scaled), 0, 255)).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))


def _from_array(array: NDArray[Any], label: str) -> RGB:
    if array.dtype != np.uint8 or array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ImageUnreadable(
            f"{label} isn't an RGB picture: expected uint8 (H, W, 3), got {array.dtype} {array.shape}.",
            "Convert it to uint8 RGB first.",
        )
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise ImageTooLarge(f"{label} has more than {MAX_PIXELS // 1_000_000} megapixels.", "Reduce it first.")
    return np.ascontiguousarray(np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array)


def resize(rgb: RGB, size_px: int | tuple[int, int]) -> RGB:
    """Antialiased bicubic (Pillow), rounded to 8 bits. `size_px`: a square's side, or (width, height)."""
    size = (size_px, size_px) if isinstance(size_px, int) else size_px
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)


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
