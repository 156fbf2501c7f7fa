"""What is no picture, damaged or too large gets a clear error, and nothing is waited for or decoded in vain."""

from __future__ import annotations

import functools
import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.errors import CoreError
from core.images import (
    MAX_FILE_BYTES,
    ImageTooLarge,
    ImageUnreadable,
    read_image,
)


def _claims(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its data doesn't have."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


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


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7", "a PDF document"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\0\x0cJXL \r\n", "a JPEG XL picture"),
        (b"\0\0\0\x18ftypmp42\0\0", "a video"),
        (b"\n<!doctype HTML><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    ],
)
def test_what_it_is_instead_is_said(content: bytes, kind: str) -> None:
    with pytest.raises(ImageUnreadable, match=f"who.jpg is no picture that can be read: it is {kind}"):
        read_image(content, name="who.jpg")


@pytest.mark.parametrize("ending", ["CR2", "nef", "dng"])
def test_a_raw_photograph_is_refused_though_its_preview_could_be_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"DSC_0001.{ending}"
    Image.new("RGB", (32, 32)).save(path, "TIFF")
    with pytest.raises(ImageUnreadable, match=rf"DSC_0001\.{ending} is a camera's raw photograph \({ending.upper()}\)"):
        read_image(path)


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
    pillow_heif.register_heif_opener()
    for format in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF"):
        buffer = io.BytesIO()
        picture.save(buffer, format, **({"exif": exif} if format in ("JPEG", "PNG", "WEBP") else {}))
        contents.append(buffer.getvalue())
    return tuple(contents)


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
