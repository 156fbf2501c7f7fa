"""From boxes to faces: a wide look finds a face's place and roll, an exact, upright one its landmarks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from core.faces.align import ARCFACE_TEMPLATE, probe_px, similarity_transform
from core.faces.face import Face
from core.faces.landmarks.look import LOOK_PX, Look
from core.faces.landmarks.network import Landmarker, Readings
from core.settings import CROP_PX

RGB = NDArray[np.uint8]
Box = tuple[float, float, float, float]

PROBE_OF_BOX = 1.22
"""Probe size over the square root of the area of YuNet's box (median of 405 LFW photographs, folds 1 to 3)."""

FACE_BOX = (56.0, 66.1, 79.5, 105.6)
"""YuNet's box in an aligned crop of 112 px: its centre, width and height (median of the same photographs)."""

FIRST_SIDE, EXACT_SIDE = 1.6, 1.3
"""Side of the first look, about a box, and of the exact one, about landmarks, in probe sizes."""

GOOD_ERROR_PX = 0.5
"""Expected error of the landmarks of a good photograph, in px of the 112 px crop."""

LEAST_FACE = 0.5
"""A look counts as a face from this probability on."""


def read_faces(landmarker: Landmarker, rgb: RGB, candidates: Sequence[Face]) -> list[Face]:
    """The candidates of a uint8 RGB picture (H, W, 3) that are faces, in order, with landmarks of any roll. Only the
    candidates' boxes are used."""
    first = _read(landmarker, rgb, [Look(face.centre, FIRST_SIDE * max(size_of(face), 1.0)) for face in candidates])
    return _read_exactly(landmarker, rgb, [points for points, probability in first if probability >= LEAST_FACE / 2])


def recognisability_of(landmarker: Landmarker, crops: Sequence[RGB]) -> list[float]:
    """How far an embedding of each aligned crop, uint8 RGB (s, s, 3), can be trusted, 0 to 1."""
    looks = [Look((crop.shape[1] / 2, crop.shape[0] / 2), EXACT_SIDE * crop.shape[0]) for crop in crops]
    cuts = _stacked([look.cut(crop) for look, crop in zip(looks, crops, strict=True)])
    readings = landmarker.read(cuts)
    errors_px = readings.errors.mean(axis=1) * EXACT_SIDE * CROP_PX / 2
    return [trust(float(alone), float(error)) for alone, error in zip(readings.recognisability, errors_px, strict=True)]


def trust(recognisability: float, error_px: float) -> float:
    """Recognisability as the network gives it, lowered where its landmarks are less exact than those of a good
    photograph.

    A face that is hard to align is hard to recognise: on 900 photographs of LFW fold 4 at 16 to 32 px, the product
    orders errors better than either factor (docs/measurements.md).
    """
    return recognisability * min(1.0, math.exp(GOOD_ERROR_PX - error_px))


def size_of(face: Face) -> float:
    """The probe size of a candidate in the picture's pixels, by its box alone, which is right at any roll."""
    return PROBE_OF_BOX * float(np.sqrt(max(face.area, 1e-9)))


def exact_look(landmarks: NDArray[np.float32]) -> Look | None:
    """The upright square about landmarks (5, 2) for the exact look; None for those that no face has."""
    try:
        matrix = similarity_transform(landmarks, ARCFACE_TEMPLATE)
    except ValueError:
        return None
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 1e-3:
        return None
    centre = _from_crop(matrix, np.array([[CROP_PX / 2, CROP_PX / 2]]))[0]
    roll = float(np.degrees(np.arctan2(-matrix[1, 0], matrix[0, 0])))
    return Look((float(centre[0]), float(centre[1])), EXACT_SIDE * CROP_PX / scale, roll)


def box_of(landmarks: NDArray[np.float32]) -> Box:
    """The box (x0, y0, x1, y1) of a face by its landmarks (5, 2), as YuNet draws it about an upright face."""
    matrix = similarity_transform(landmarks, ARCFACE_TEMPLATE)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    x, y, width, height = FACE_BOX
    [centre] = _from_crop(matrix, np.array([[x, y]]))
    cosine, sine = matrix[0, 0] / scale, matrix[1, 0] / scale
    across = float(np.hypot(width * cosine, height * sine)) / scale / 2  # half of the box about a turned ellipse
    down = float(np.hypot(width * sine, height * cosine)) / scale / 2
    return float(centre[0] - across), float(centre[1] - down), float(centre[0] + across), float(centre[1] + down)


class _Reading(NamedTuple):
    """One exact look's result: points (5, 2) and their mean expected error in units of the look, the probability of a
    face, and recognisability."""

    points: NDArray[np.float32]
    error: float
    is_face: float
    recognisability: float


def _read(landmarker: Landmarker, rgb: RGB, looks: Sequence[Look]) -> list[tuple[NDArray[np.float32], float]]:
    """The landmarks (5, 2) in the picture's pixels and the probability of a face in each look."""
    readings = landmarker.read(_stacked([look.cut(rgb) for look in looks]))
    return [
        (look.to_picture(points), float(probability))
        for look, points, probability in zip(looks, readings.points, readings.is_face, strict=True)
    ]


def _read_exactly(landmarker: Landmarker, rgb: RGB, landmarks: Sequence[NDArray[np.float32]]) -> list[Face]:
    """The faces in upright looks about landmarks: the means of one plain and one mirrored look each."""
    looks = [look for points in landmarks if (look := exact_look(points)) is not None]
    cuts = _stacked([look.cut(rgb) for look in looks])
    both = landmarker.read(np.concatenate([cuts, cuts[:, :, ::-1]]))
    return [
        face
        for look, reading in zip(looks, _mean_of_both(both, len(looks)), strict=True)
        if (face := _face(look, reading)) is not None
    ]


def _from_crop(matrix: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) of the aligned crop, in coordinates of pixel corners, in those of the picture."""
    back = np.asarray(cv2.invertAffineTransform(matrix), dtype=np.float64)
    return (corners - 0.5) @ back[:, :2].T + back[:, 2] + 0.5


def _stacked(cuts: Sequence[RGB]) -> RGB:
    """Looks as one array (N, 80, 80, 3)."""
    return np.stack(cuts) if cuts else np.zeros((0, LOOK_PX, LOOK_PX, 3), dtype=np.uint8)


def _mean_of_both(both: Readings, count: int) -> Iterator[_Reading]:
    """The means of `count` plain readings and of as many mirrored ones that follow them."""
    points = both.points[count:, [1, 0, 2, 4, 3]] * np.array([-1, 1], dtype=np.float32)
    for i in range(count):
        yield _Reading(
            (both.points[i] + points[i]) / 2,
            float(both.errors[[i, count + i]].mean()),
            float(both.is_face[[i, count + i]].mean()),
            float(both.recognisability[[i, count + i]].mean()),
        )


def _face(look: Look, reading: _Reading) -> Face | None:
    """The face that a reading shows in its look; None where it shows none."""
    landmarks = look.to_picture(reading.points)
    if reading.is_face < LEAST_FACE or not np.isfinite(landmarks).all() or np.ptp(landmarks, axis=0).max() < 1.0:
        return None
    error_px = reading.error * look.side_px / 2 * CROP_PX / probe_px(landmarks)
    recognisability = trust(reading.recognisability, error_px)
    return Face(box_of(landmarks), landmarks, reading.is_face, error_px, recognisability)
