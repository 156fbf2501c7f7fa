"""A source of training samples: a window around a photographed face, with the mean of six YuNet looks as its target."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.faces.align import probe_px
from core.faces.face import Face, mirrored, most_like, moved
from core.faces.yunet_model import YuNet
from core.settings import CROP_PX

RGB = NDArray[np.uint8]

WIDE_PX, WIDE_PROBE_PX = 192, 96.0
"""A window cut from a photograph, and the probe size of the face in it."""

LOOKS_PX = (76.0, 88.0, 100.0)
"""Probe sizes at which YuNet looks at a face, each as it is and mirrored."""

LARGEST_PHOTO_PX = 1280
"""Longer sides are reduced to this before the face is looked for."""

LARGEST_SPREAD = 0.035
"""Faces on which the looks differ by more than this share of the probe (root mean square) are left out."""


@dataclass(frozen=True)
class Source:
    """A square window uint8 RGB with five landmarks (5, 2) in its pixels. `whole`: the picture was no larger."""

    window: RGB
    landmarks: NDArray[np.float32]
    whole: bool


def source_of(yunet: YuNet, rgb: RGB) -> Source | None:
    """The face in the middle of an upright picture as a source: of an aligned crop of 112 px all of it, else a window
    of 192 px. None where YuNet's looks show no face or differ too much."""
    crop = rgb.shape[0] == rgb.shape[1] == CROP_PX
    if (longest := max(rgb.shape[:2])) > LARGEST_PHOTO_PX:
        sides = tuple(max(1, round(side * LARGEST_PHOTO_PX / longest)) for side in rgb.shape[1::-1])
        rgb = np.asarray(cv2.resize(rgb, sides, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    border = CROP_PX // 2 if crop else 0
    bordered = np.asarray(cv2.copyMakeBorder(rgb, *(border,) * 4, cv2.BORDER_REPLICATE), dtype=np.uint8)
    bgr = np.ascontiguousarray(bordered[:, :, ::-1])
    seen = yunet.faces(bgr, "source")
    middle = np.array([bgr.shape[1] / 2, bgr.shape[0] / 2])
    face = min(seen, key=lambda one: float(np.linalg.norm(np.array(one.centre) - middle)) / one.width, default=None)
    if face is None:
        return None
    landmarks = mean_of_looks(yunet, bgr, face)
    if landmarks is None:
        return None
    if crop:
        return Source(rgb, landmarks - np.float32(border), whole=True)
    size = probe_px(landmarks)
    if not np.isfinite(size) or size < WIDE_PROBE_PX / 2:
        return None
    scale = WIDE_PROBE_PX / size
    centre = landmarks.mean(axis=0)
    matrix = np.array([[scale, 0.0, WIDE_PX / 2 - scale * centre[0]], [0.0, scale, WIDE_PX / 2 - scale * centre[1]]])
    how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    window = cv2.warpAffine(rgb, matrix, (WIDE_PX, WIDE_PX), flags=how, borderMode=cv2.BORDER_REPLICATE)
    points = landmarks @ matrix[:, :2].T + matrix[:, 2]
    return Source(np.asarray(window, dtype=np.uint8), points.astype(np.float32), whole=False)


def mean_of_looks(yunet: YuNet, bgr: RGB, face: Face) -> NDArray[np.float32] | None:
    """Mean landmarks (5, 2) of a face over six looks: at three sizes, as it is and mirrored. None where one shows no
    face, or the looks differ by more than LARGEST_SPREAD."""
    size = probe_px(face.landmarks)
    x0, y0 = (max(0, int(c - size)) for c in face.centre)
    patch = bgr[y0 : int(face.centre[1] + size) + 1, x0 : int(face.centre[0] + size) + 1]
    found = []
    for look_px in LOOKS_PX:
        zoom = look_px / size
        to = (max(1, round(patch.shape[1] * zoom)), max(1, round(patch.shape[0] * zoom)))
        scale = (patch.shape[1] / to[0], patch.shape[0] / to[1])
        how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
        sized = np.asarray(cv2.resize(patch, to, interpolation=how), dtype=np.uint8)
        here = moved(moved(face, (1, 1), (-x0, -y0)), (1 / scale[0], 1 / scale[1]), (0, 0))
        for mirror in (False, True):
            seen = yunet.faces(np.ascontiguousarray(sized[:, ::-1]) if mirror else sized, f"look {look_px}")
            like = most_like(here, [mirrored(one, to[0]) for one in seen] if mirror else seen)
            if like is None:
                return None
            found.append(moved(moved(like, scale, (0, 0)), (1, 1), (x0, y0)).landmarks)
    looks = np.stack(found)
    mean = looks.mean(axis=0)
    spread = float(np.sqrt(((looks - mean) ** 2).sum(axis=2).mean()))
    return None if spread > LARGEST_SPREAD * size else np.asarray(mean, dtype=np.float32)
