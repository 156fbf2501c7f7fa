"""Small faces are cut from pictures as they are, and what can't be used is named."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset.camera.small_faces import LEAST_FACES, pictures_in, small_faces
from core.dataset.errors import CameraUnclear
from core.faces.detect import Detector
from core.images import ImageTooLarge, read_image, resize


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def far(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of one small face each, on a plain wall."""
    folder = tmp_path_factory.mktemp("far")
    for number in range(LEAST_FACES):
        wall = np.full((160, 200, 3), 150, np.uint8)
        small = resize(portrait, (80 + number, 75 + number))
        wall[40 : 40 + small.shape[0], 60 : 60 + small.shape[1]] = small
        Image.fromarray(wall).save(folder / f"{number:02d}.jpg", quality=60)
    return folder


def test_faces_keep_their_own_pixels_and_their_files_quality(far: Path, detector: Detector) -> None:
    paths = pictures_in(far)
    found = small_faces(paths, detector)
    assert len(found.faces) == len(paths) == found.pictures and not found.unreadable
    for path, face in zip(paths, found.faces, strict=True):
        assert face.quality == 60 and face.pixels.shape[0] == round(face.probe_px)
        picture = read_image(path)
        side = face.pixels.shape[0]
        places = [
            (x, y)
            for y in range(picture.shape[0] - side)
            for x in range(picture.shape[1] - side)
            if (x % 8, y % 8) == face.grid and np.array_equal(picture[y : y + side, x : x + side], face.pixels)
        ]
        assert len(places) == 1


def test_files_bytes_are_taken_as_paths_are(far: Path, detector: Detector) -> None:
    paths = pictures_in(far)
    of_bytes = small_faces([path.read_bytes() for path in paths], detector)
    of_paths = small_faces(paths, detector)
    assert [face.pixels.tobytes() for face in of_bytes.faces] == [face.pixels.tobytes() for face in of_paths.faces]


def test_a_picture_that_is_too_large_is_left_out(far: Path, detector: Detector) -> None:
    stream = io.BytesIO()
    Image.new("L", (30_001, 1)).save(stream, "PNG")
    huge = stream.getvalue()
    with pytest.raises(ImageTooLarge):
        read_image(huge)
    found = small_faces([huge, *pictures_in(far)], detector)
    assert found.unreadable == 1 and len(found.faces) == LEAST_FACES


@pytest.mark.parametrize("what", ["missing", "empty", "no pictures", "broken", "walls", "large", "few"])
def test_what_cant_be_used_is_named(
    what: str, far: Path, portrait: np.ndarray, tmp_path: Path, detector: Detector
) -> None:
    folder = tmp_path / "pictures"
    says = {
        "missing": "There is no folder",
        "empty": "holds no picture",
        "no pictures": "holds no picture",
        "broken": "None of 2 files can be read as a picture",
        "walls": "No face was found in 2 pictures",
        "large": "All 2 faces found are larger than 48 px",
        "few": f"3 faces of 12 to 48 px found in 3 pictures; at least {LEAST_FACES}",
    }[what]
    if what != "missing":
        folder.mkdir()
    if what == "no pictures":
        (folder / "notes.txt").write_text("nothing")
    for number in range(3 if what == "few" else 2):
        path = folder / f"{number}.png"
        if what == "broken":
            path.write_bytes(b"\x89PNG nothing")
        elif what == "walls":
            Image.new("RGB", (200, 150), "teal").save(path)
        elif what == "large":
            Image.fromarray(portrait).save(path)
        elif what == "few":
            path.write_bytes(sorted(far.iterdir())[number].read_bytes())
    with pytest.raises(CameraUnclear, match=says):
        small_faces(pictures_in(folder), detector)
