"""Pictures are read right in every mode, and what is no picture gets a clear error."""

from __future__ import annotations

import functools
import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.errors import CoreError
from core.images import (
    MAX_FILE_BYTES,
    ImageTooLarge,
    ImageUnreadable,
    encode_image,
    from_tensor,
    read_image,
    resize,
    to_tensor,
)

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [120, 130, 140]]], dtype=np.uint8)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _claims(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its data doesn't have."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


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
    assert (read_image(_png(dark)) == 1).all(), "200 of 65,535 is nearly black"
    assert (read_image(Image.fromarray(np.full((2, 2), 25_700, np.int32))) == 100).all()
    assert (read_image(_png(Image.fromarray(np.array([[True, False]])))) == [[[255] * 3, [0] * 3]]).all()
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).random((4, 4), dtype=np.float32)).save(buffer, "TIFF")
    with pytest.raises(ImageUnreadable, match="float32"):
        read_image(buffer.getvalue())


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


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"this is a text file\n" * 50, "no picture"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 40, "damaged|no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"%PDF-1.7", "no picture"),
        (b"GIF89a" + b"\xff" * 20, "damaged|no picture|pixels"),
    ],
    ids=["0 bytes", "text", "cut JPEG", "SVG", "PDF", "bad GIF"],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with pytest.raises((ImageUnreadable, ImageTooLarge), match=says) as refused:
        read_image(path)
    assert "holiday.jpg" in refused.value.what and refused.value.next_step


def test_a_truncated_photograph_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    with pytest.raises(ImageUnreadable, match="damaged or cut off"):
        read_image(buffer.getvalue()[:2000], name="cut.jpg")


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (40_000, 10), (2**31 - 1, 2**31 - 1)])
def test_an_absurd_size_is_refused_before_decoding(width: int, height: int) -> None:
    with pytest.raises((ImageTooLarge, ImageUnreadable), match=r"huge\.png"):
        read_image(_claims(width, height), name="huge.png")


def test_the_error_names_the_size_and_the_limit() -> None:
    with pytest.raises(ImageTooLarge, match=r"huge\.png has 400 megapixels; at most 100 megapixels"):
        read_image(_claims(20_000, 20_000), name="huge.png")
    with pytest.raises(ImageTooLarge, match=r"huge\.png has 11,000 x 10,000 px; at most 100 megapixels"):
        read_image(_claims(11_000, 10_000), name="huge.png")


def test_the_limit_counts_before_decoding() -> None:
    """Such a file says 9,900 x 9,900 px and holds none of them: it is let through to the decoder, and found damaged."""
    with pytest.raises(ImageUnreadable, match="damaged"):
        read_image(_claims(9_900, 9_900), name="hollow.png")


def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.bin"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ImageTooLarge, match=r"long\.bin has more than 64 MB"):
        read_image(path)


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageUnreadable, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageUnreadable, match="There is no file"):
        read_image(tmp_path / "nothing.png")


@pytest.mark.parametrize("array", [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_other_arrays_are_refused_with_what_was_expected(array: np.ndarray) -> None:
    with pytest.raises(ImageUnreadable, match=r"expected uint8 \(H, W, 3\)"):
        read_image(array)


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from(["PNG", "BMP", "TIFF"]), st.integers(0, 2**32 - 1))
def test_what_was_saved_without_loss_is_read_exactly(height: int, width: int, format: str, seed: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format)
    for source in (buffer, buffer.getvalue(), bytearray(buffer.getvalue()), Image.fromarray(rgb), rgb):
        read = read_image(source)
        assert read.dtype == np.uint8 and read.flags.c_contiguous and (read == rgb).all()


@given(data=st.data())
def test_damage_of_any_kind_is_an_error_of_ours_and_warns_of_nothing(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(_every_format())))
    for at in data.draw(st.lists(st.integers(0, min(len(content), 300) - 1), max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            rgb = read_image(bytes(content))
        except CoreError as error:
            assert "the picture" in error.what and error.next_step
        else:
            assert rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.size


@functools.cache
def _every_format() -> tuple[bytes, ...]:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = []
    for format in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"):
        buffer = io.BytesIO()
        picture.save(buffer, format, **({"exif": exif} if format in ("JPEG", "PNG", "WEBP") else {}))
        contents.append(buffer.getvalue())
    return tuple(contents)


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


@pytest.mark.parametrize("source", [None, 12, ["a.jpg"]])
def test_what_is_no_source_is_refused(source: object) -> None:
    with pytest.raises(ImageUnreadable, match="isn't a picture: got"):
        read_image(source)  # type: ignore[arg-type]


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageUnreadable, match="isn't an ordinary file"):
        read_image(tmp_path / "pipe.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "private.jpg"
    path.touch(mode=0)
    with pytest.raises(ImageUnreadable, match="can't be opened"):
        read_image(path)


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="no /proc here")
def test_a_file_that_fails_while_it_is_read() -> None:
    with pytest.raises(ImageUnreadable, match="mem can't be opened"):
        read_image("/proc/self/mem")


def test_a_path_that_no_file_can_have() -> None:
    for path in ("a\0b.jpg", "x" * 5000 + ".jpg"):
        with pytest.raises(ImageUnreadable, match="can't be opened") as refused:
            read_image(path)
        assert len(refused.value.what) < 200 and refused.value.what.isprintable()


def test_a_name_with_line_breaks_stays_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.jpg"
    path.write_text("no picture")
    with pytest.raises(ImageUnreadable, match=r"two\?lines\.jpg is no picture"):
        read_image(path)


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
