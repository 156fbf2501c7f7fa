"""Pictures are read right in every mode, and what is no picture gets a clear error."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.images import (
    ImageUnreadable,
    encode_image,
    from_tensor,
    read_image,
    resize,
    to_tensor,
)
from core.system.image_files import IMAGE_SUFFIXES

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [120, 130, 140]]], dtype=np.uint8)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_rgb_comes_back_exactly() -> None:
    rgb = read_image(_png(Image.fromarray(COLOURS)))
    assert rgb.dtype == np.uint8 and rgb.flags.c_contiguous
    assert (rgb == COLOURS).all()


def test_grey_is_repeated() -> None:
    grey = np.array([[0, 128], [200, 255]], dtype=np.uint8)
    assert (read_image(_png(Image.fromarray(grey))) == grey[..., None]).all()
    assert (read_image(grey) == grey[..., None]).all()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    deep = np.array([[0, 257 * 100], [257 * 200, 65535]], dtype=np.uint16)
    assert read_image(_png(Image.fromarray(deep)))[..., 0].tolist() == [[0, 100], [200, 255]]


def test_transparency_is_laid_over_white() -> None:
    layer = np.array([[[255, 0, 0, 255], [255, 0, 0, 0]]], dtype=np.uint8)
    assert read_image(_png(Image.fromarray(layer)))[0].tolist() == [[255, 0, 0], [255, 255, 255]]
    assert read_image(_png(Image.new("LA", (1, 1), (10, 0))))[0, 0].tolist() == [255, 255, 255]


def test_a_palette_becomes_its_colours() -> None:
    assert (read_image(_png(Image.fromarray(COLOURS).quantize(4))) == COLOURS).all()


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_each_format(format: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), (200, 100, 50)).save(buffer, format)
    rgb = read_image(buffer.getvalue())
    assert rgb.shape == (24, 32, 3)
    assert np.abs(rgb.astype(int) - [200, 100, 50]).max() <= 8


def test_cmyk_jpeg() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 100, 50)).convert("CMYK").save(buffer, "JPEG")
    assert np.abs(read_image(buffer.getvalue()).mean(axis=(0, 1)) - [200, 100, 50]).max() < 12


def test_a_mode_of_its_own_is_scaled_or_refused() -> None:
    dark = Image.fromarray(np.full((2, 2), 200, np.uint16))
    assert (read_image(_png(dark)) == 200).all(), "values that 8 bits hold are 8-bit values in a wider file"
    assert (read_image(Image.fromarray(np.full((2, 2), 25_700, np.int32))) == 100).all()
    assert (read_image(_png(Image.fromarray(np.array([[True, False]])))) == [[[255] * 3, [0] * 3]]).all()


def _float_tiff(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values.astype(np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_cameras_bits_in_sixteen(bits: int) -> None:
    ramp = np.linspace(0, 2**bits - 1, 64).round().astype(np.uint16).reshape(8, 8)
    expected = np.rint(np.linspace(0, 255, 64)).reshape(8, 8)
    assert np.abs(read_image(_png(Image.fromarray(ramp)))[..., 1] - expected).max() <= 1


def test_floats_from_0_to_1_and_to_255() -> None:
    shares = np.linspace(0, 1, 16).reshape(4, 4)
    for scale in (1.0, 255.0):
        assert np.abs(read_image(_float_tiff(shares * scale))[..., 2] - np.rint(shares * 255)).max() <= 1
    for senseless in (shares - 2, shares * 9000, np.full((4, 4), np.nan), np.full((4, 4), np.inf)):
        with pytest.raises(ImageUnreadable, match="float32 values from"):
            read_image(_float_tiff(senseless))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LA", "RGBA", "PA"])
def test_every_mode_shows_the_same(mode: str) -> None:
    picture = Image.new("RGB", (16, 16), "white")
    picture.paste((0, 0, 0), (0, 0, 8, 16))
    buffer = io.BytesIO()
    (picture.convert("P").convert("PA") if mode == "PA" else picture.convert(mode)).save(buffer, "TIFF")
    rgb = read_image(buffer.getvalue())
    assert (rgb[:, :8] < 5).all() and (rgb[:, 8:] > 250).all()


@pytest.mark.parametrize(("format", "ending"), [("AVIF", "avif"), ("HEIF", "heic")])
def test_what_phones_take(tmp_path: Path, format: str, ending: str) -> None:
    """Upright: half of the picture is dark above when the file's rotation is applied."""
    pillow_heif.register_heif_opener()
    stored = Image.new("RGB", (96, 64), (230, 200, 180))
    stored.paste((20, 30, 40), (0, 0, 48, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"IMG_0001.{ending.upper()}"
    stored.save(path, format, exif=exif.tobytes())
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        rgb = read_image(source)
        assert rgb.shape == (96, 64, 3)
        assert rgb[:40].mean() < 60 and rgb[56:].mean() > 170
    with pytest.raises(ImageUnreadable, match="damaged"):
        read_image(path.read_bytes()[:-40])
    assert path.suffix.lower() in IMAGE_SUFFIXES


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_sixteen_bit_colour(format: str) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (8, 8, 3), dtype=np.uint16)
    content = cv2.imencode(f".{format}", deep[..., ::-1])[1].tobytes()
    assert np.abs(read_image(content) - deep / 257).max() < 1.01, "Pillow keeps the high byte"


@pytest.mark.parametrize("format", ["WEBP", "GIF", "MPO"])
def test_of_several_frames_the_first_counts(format: str) -> None:
    first, second = Image.new("RGB", (16, 16), (250, 0, 0)), Image.new("RGB", (16, 16), (0, 0, 250))
    buffer = io.BytesIO()
    first.save(buffer, format, save_all=True, append_images=[second])
    assert np.abs(read_image(buffer.getvalue()).astype(int) - [250, 0, 0]).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_upright(orientation: int) -> None:
    """Turn the picture the way a camera stores it; reading undoes it."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's Transpose that gives the stored picture
    upright = Image.fromarray(np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3) * 3)
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "PNG", exif=exif)
    assert (read_image(buffer.getvalue()) == np.asarray(upright)).all()


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(["PNG", "BMP", "TIFF"]), st.integers(0, 2**32 - 1))
def test_what_was_saved_without_loss_is_read_exactly(height: int, width: int, format: str, seed: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format)
    for source in (buffer, buffer.getvalue(), bytearray(buffer.getvalue()), Image.fromarray(rgb), rgb):
        read = read_image(source)
        assert read.dtype == np.uint8 and read.flags.c_contiguous and (read == rgb).all()


def test_a_damaged_exif_block_does_not_cost_the_picture() -> None:
    buffer = io.BytesIO()
    Image.fromarray(COLOURS).save(buffer, "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert (read_image(buffer.getvalue()) == COLOURS).all()


def test_a_file_object_is_read_from_its_beginning() -> None:
    upload = io.BytesIO(_png(Image.fromarray(COLOURS)))
    upload.name = "upload.png"
    assert (read_image(upload) == read_image(upload)).all()
    with pytest.raises(ImageUnreadable, match="opened as text"):
        read_image(io.StringIO("text"))  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 9))
def test_to_tensor_and_back_is_the_identity(seed: int, count: int, side: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    tensor = to_tensor(images)
    assert tensor.shape == (count, 3, side, side) and tensor.dtype == torch.float32
    assert tensor.min() >= -1 and tensor.max() <= 1
    assert (from_tensor(tensor) == images).all()


def test_tensor_ends_are_black_and_white() -> None:
    tensor = to_tensor([np.array([[[0, 255, 127]]], dtype=np.uint8)])
    assert tensor[0, :, 0, 0].tolist() == pytest.approx([-1.0, 1.0, -1 / 255], abs=1e-6)
    assert tensor.is_contiguous(memory_format=torch.channels_last)


@given(st.integers(0, 255), st.integers(1, 40), st.integers(1, 40))
def test_resizing_keeps_a_plain_colour(value: int, before: int, after: int) -> None:
    assert (resize(np.full((before, before, 3), value, np.uint8), after) == value).all()


def test_resizing_down_averages() -> None:
    chequers = np.indices((64, 64)).sum(axis=0) % 2 * 255
    small = resize(np.repeat(chequers[..., None], 3, axis=2).astype(np.uint8), 8)
    assert np.abs(small.astype(int) - 127).max() <= 2, "without antialiasing this would be black and white"


def test_encoded_pictures_are_read_back() -> None:
    assert (read_image(encode_image(COLOURS, "png")) == COLOURS).all()
    assert read_image(encode_image(np.full((16, 16, 3), 90, np.uint8))).shape == (16, 16, 3)
