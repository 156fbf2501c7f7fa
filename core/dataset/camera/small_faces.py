"""Small faces of a camera, cut from its pictures without resampling, so that noise and compression stay as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from core.dataset.camera.features import SmallFace
from core.dataset.camera.jpeg import quality_of_file
from core.dataset.errors import CameraUnclear
from core.faces.align import ARCFACE_TEMPLATE, MAX_ALIGNED_PX, probe_px, similarity_transform
from core.faces.crops import is_aligned_crop
from core.faces.detect import Detector
from core.faces.face import Face
from core.images import RGB, ImageTooLarge, ImageUnreadable, read_image
from core.jobs.context import NO_HOOKS, Hooks
from core.settings import CROP_PX
from core.system.image_files import pictures_under
from core.system.text import count

SMALLEST_PX, LARGEST_PX = 12.0, 48.0
"""Probe sizes of faces that are used: those that a specialist is trained on."""
LEAST_FACES, MOST_FACES, MOST_PICTURES = 12, 300, 2000

_MORE = "Add pictures of the same camera, as it saved them."


@dataclass(frozen=True)
class Found:
    """Small faces, and what became of the other pictures and faces."""

    faces: tuple[SmallFace, ...]
    pictures: int
    unreadable: int
    larger: int
    """Faces above LARGEST_PX."""
    smaller: int
    """Faces below SMALLEST_PX."""


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder and its subfolders in a fixed random order, at most 2,000.

    Raises CameraUnclear where there is no folder or no picture.
    """
    if not folder.is_dir():
        raise CameraUnclear(f"There is no folder {folder}.", "Check the path.")

    def stop(error: OSError) -> None:
        raise CameraUnclear(f"{folder} can't be read: {error.strerror}.", "Check that you may open it.") from error

    found = sorted(pictures_under(folder, stop))
    if not found:
        raise CameraUnclear(f"{folder} holds no picture.", "Choose a folder with pictures of the camera.")
    order = np.random.RandomState(0).permutation(len(found))[:MOST_PICTURES]
    return [found[place] for place in order]


def small_faces(pictures: Sequence[Path | bytes], detector: Detector, *, hooks: Hooks = NO_HOOKS) -> Found:
    """The small faces of pictures (paths, or files' bytes), in order, up to 300 of them.

    Square crops of up to 64 px whose face is where alignment puts it are taken whole. Raises CameraUnclear, saying
    what was found instead, for fewer than 12 faces; JobStopped.
    """
    taken: list[SmallFace] = []
    tally: Counter[str] = Counter()
    first_problem = ""
    read = 0
    for picture in pictures:
        hooks.check_stop()
        read += 1
        hooks.progress("faces", read, len(pictures))
        try:
            content = picture if isinstance(picture, bytes) else picture.read_bytes()
            rgb = read_image(content, name="a picture" if isinstance(picture, bytes) else picture.name)
        except (ImageUnreadable, ImageTooLarge, OSError) as error:
            tally["unreadable"] += 1
            first_problem = first_problem or str(error)
            continue
        quality = quality_of_file(content)
        for face in _faces_of(rgb, quality, detector):
            where = "larger" if face.probe_px > LARGEST_PX else "smaller" if face.probe_px < SMALLEST_PX else "fit"
            tally[where] += 1
            if where == "fit":
                taken.append(face)
        if len(taken) >= MOST_FACES:
            break
    found = Found(tuple(taken[:MOST_FACES]), read, tally["unreadable"], tally["larger"], tally["smaller"])
    _refuse_too_few(found, first_problem)
    return found


def _faces_of(rgb: RGB, quality: int | None, detector: Detector) -> Iterator[SmallFace]:
    side = rgb.shape[0]
    if side == rgb.shape[1] <= MAX_ALIGNED_PX and is_aligned_crop(detector, rgb):
        yield SmallFace(rgb, float(side), quality=quality)
        return
    for face in detector.detect(rgb):
        size = probe_px(face.landmarks)
        if not SMALLEST_PX <= size <= LARGEST_PX:
            yield SmallFace(rgb[:0, :0], size)
        elif (place := _place(face, size, rgb.shape)) is not None:
            x, y, wide = place
            pixels = np.ascontiguousarray(rgb[y : y + wide, x : x + wide])
            yield SmallFace(pixels, size, (x % 8, y % 8), quality)


def _place(face: Face, size: float, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Left, top and side of the upright square around a face, moved into the picture; None where it doesn't fit."""
    matrix = cv2.invertAffineTransform(similarity_transform(face.landmarks, ARCFACE_TEMPLATE))
    x, y = matrix @ np.array([CROP_PX / 2, CROP_PX / 2, 1.0])
    wide = round(size)
    if wide > min(shape[:2]):
        return None
    left, top = round(float(x) - wide / 2), round(float(y) - wide / 2)
    return min(max(left, 0), shape[1] - wide), min(max(top, 0), shape[0] - wide), wide


def _refuse_too_few(found: Found, first_problem: str) -> None:
    if len(found.faces) >= LEAST_FACES:
        return
    if found.pictures and found.unreadable == found.pictures:
        raise CameraUnclear(
            f"None of {count(found.pictures, 'file')} can be read as a picture: {first_problem}",
            "Choose JPEG or PNG pictures of the camera.",
        )
    if not found.faces and not found.larger and not found.smaller:
        raise CameraUnclear(f"No face was found in {count(found.pictures, 'picture')}.", _MORE)
    if not found.faces and found.larger:
        raise CameraUnclear(
            f"All {count(found.larger, 'face')} found are larger than {LARGEST_PX:.0f} px: they need no adaptation.",
            "Choose pictures in which faces are as small as those to be recognised.",
        )
    raise CameraUnclear(
        f"{count(len(found.faces), 'face')} of {SMALLEST_PX:.0f} to {LARGEST_PX:.0f} px found in "
        f"{count(found.pictures, 'picture')}; at least {LEAST_FACES} are needed.",
        _MORE,
    )
