"""JPEG quality from a file's tables, and from the pixels of what was decoded."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from core.dataset.camera.jpeg import QUALITIES, blocks_of, luma_table, quality_evidence, quality_of_file
from core.images import resize


def _luma(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])


def _compressed(rgb: np.ndarray, quality: int) -> np.ndarray:
    _, content = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(content, cv2.IMREAD_COLOR)[:, :, ::-1]


@pytest.mark.parametrize("quality", [10, 35, 50, 75, 92, 100])
def test_a_files_tables_say_its_quality(crops: np.ndarray, quality: int) -> None:
    by_opencv = cv2.imencode(".jpg", crops[0], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    buffer = io.BytesIO()
    Image.fromarray(crops[0]).save(buffer, "JPEG", quality=quality)
    tables = [np.sort(luma_table(found), axis=None) for found in map(quality_of_file, (by_opencv, buffer.getvalue()))]
    for table in tables:  # some neighbouring qualities have the same tables
        assert np.array_equal(table, np.sort(luma_table(quality), axis=None))


def test_other_files_have_no_quality(crops: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(crops[0]).save(buffer, "PNG")
    for content in (buffer.getvalue(), b"", b"\xff\xd8\xff nothing", buffer.getvalue()[:40]):
        assert quality_of_file(content) is None


@pytest.mark.parametrize("quality", [30, 45, 70, 90])
def test_decoded_pixels_still_say_the_quality(crops: np.ndarray, quality: int) -> None:
    small = [_compressed(resize(crop, 24), quality) for crop in crops]
    evidence = sum(quality_evidence(blocks_of(_luma(each), (0, 0))) for each in small)
    assert evidence.max() > 0
    assert np.array_equal(luma_table(QUALITIES[int(evidence.argmax())]), luma_table(quality))


def test_a_face_is_read_on_the_grid_of_its_picture(crops: np.ndarray) -> None:
    picture = _compressed(np.tile(resize(crops[0], 40), (2, 2, 1)), 40)
    luma = _luma(picture[11:51, 21:61])
    right = quality_evidence(blocks_of(luma, (21, 11)))
    wrong = quality_evidence(blocks_of(luma, (20, 11)))
    assert QUALITIES[int(right.argmax())] == 40 and right.max() > 0 > wrong.max()


def test_what_was_never_compressed_shows_no_quality(crops: np.ndarray) -> None:
    noisy = resize(crops[0], 48).astype(np.float64) + np.random.RandomState(0).normal(0, 4, (48, 48, 3))
    luma = _luma(noisy.clip(0, 255).round().astype(np.uint8))
    assert quality_evidence(blocks_of(luma, (0, 0))).max() <= 0
    assert not quality_evidence(blocks_of(luma[:7, :7], (0, 0))).any()  # no whole block
