"""Processing of one photograph: its face as an HR crop and VLR images with their rows, or the reason for a
rejection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.dataset.degrade import METHODS, degrade, seed_for
from core.dataset.layout import HR, VLR, relative_path
from core.dataset.phash import phash
from core.errors import CoreError, SettingsInvalid
from core.faces.align import align, probe_px
from core.faces.crops import CropLook, is_aligned_crop, look_at_crop
from core.faces.detect import Detector
from core.faces.face import Face
from core.faces.quality import Limits, Quality, assess, problems, turned_crop
from core.images import RGB, read_image, resize, sha256_of
from core.settings import CROP_PX, VLR_SIZES_PX

NO_FACE = "no_face"
UNREADABLE = "unreadable"

AS_FOUND = "as in the source"
"""The aligner of crops that were taken as they are."""

MOST_CORRECTION_PX = 14.0
"""Mean distance of the landmarks from ArcFace's template, in px of 112, beyond which a crop isn't aligned again: the
landmarks are then more likely wrong than the crop."""

_PNG_COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 1]


@dataclass(frozen=True)
class Recipe:
    """How photographs become images: VLR sizes (px), the degradation and its seed, and quality limits.

    A face is rejected only for severe problems. `vlr_px` is the size in vlr_images/. `align_again`: aligned crops are
    aligned again by the landmark network; those in which it sees no face, or places it more than MOST_CORRECTION_PX
    elsewhere, are taken as they are.
    """

    sizes: tuple[int, ...] = VLR_SIZES_PX
    method: str = "bicubic"
    seed: int = 0
    vlr_px: int = 32
    limits: Limits = field(default_factory=Limits)
    align_again: bool = False

    def __post_init__(self) -> None:
        """Raises SettingsInvalid for what can't be done."""
        if not self.sizes or not all(isinstance(size, int) and 4 <= size < CROP_PX for size in self.sizes):
            raise SettingsInvalid(f"VLR sizes must be from 4 to {CROP_PX - 1} px, got {self.sizes}.", "Try 16, 24, 32.")
        if len(set(self.sizes)) < len(self.sizes):
            raise SettingsInvalid("A VLR size was given twice.", "Name each size once.")
        if self.vlr_px not in self.sizes:
            raise SettingsInvalid(
                f"The main VLR size of {self.vlr_px} px isn't among {self.sizes}.", "Choose one of them."
            )
        if self.method not in METHODS:
            raise SettingsInvalid(f"There is no degradation '{self.method}'.", f"Choose {' or '.join(METHODS)}.")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for dataset.json."""
        return {**asdict(self), "sizes": list(self.sizes)}


@dataclass(frozen=True)
class Photograph:
    """One photograph: its path, its identity, the file name of its images, and further columns.

    `source` is its name in the manifest; `aligned`: an aligned crop (None: if it is a small square whose face is where
    alignment puts it).
    """

    path: Path
    identity: str
    name: str
    source: str
    split: str = ""
    aligned: bool | None = None
    further: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """The files to write (path under the data set's root -> PNG bytes) and their manifest rows, HR first."""

    files: dict[str, bytes]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Rejected:
    """Why a photograph was rejected: a code for programs, a reason for people."""

    code: str
    reason: str


def take(photograph: Photograph, recipe: Recipe, detector: Detector) -> Taken | Rejected:
    """The face nearest the centre, aligned, assessed and degraded. The same photograph gives the same bytes."""
    try:
        rgb = read_image(photograph.path)
    except CoreError as error:
        return Rejected(UNREADABLE, error.what)
    whole = is_aligned_crop(detector, rgb) if photograph.aligned is None else photograph.aligned
    found = _crop(rgb, detector, recipe, photograph) if whole else _find(rgb, detector)
    if isinstance(found, Rejected):
        return found
    crop, quality, alignment = found
    severe = [problem for problem in problems(quality, recipe.limits) if problem.severe]
    if severe:
        return Rejected(severe[0].code, "The face is " + ", ".join(problem.text for problem in severe) + ".")
    return make_images(crop, photograph, recipe, {**_measures(quality), **alignment})


def make_images(crop: RGB, photograph: Photograph, recipe: Recipe, measures: dict[str, str]) -> Taken:
    """HR and VLR files with their rows, from an aligned crop uint8 (112, 112, 3)."""
    files: dict[str, bytes] = {}
    rows: list[dict[str, Any]] = []

    def keep(rgb: RGB, kind: str, degradation: str) -> None:
        size = rgb.shape[0]
        path = relative_path(photograph.split, kind, size, recipe.vlr_px, photograph.name)
        files[path] = encode_png(rgb)
        rows.append(
            {
                "path": path,
                "identity": photograph.identity,
                "split": photograph.split,
                "kind": kind,
                "size_px": size,
                "pair": Path(photograph.name).stem,
                "sha256": sha256_of(files[path]),
                "phash": phash(rgb),
                "source": photograph.source,
                "degradation": degradation,
                **measures,
                **{name: value for name, value in photograph.further.items() if name not in measures},
            }
        )

    keep(crop, HR, "")
    for size in recipe.sizes:
        small, how = degrade(crop, size, recipe.method, seed=seed_for(recipe.seed, photograph.name, size))
        keep(small, VLR, json.dumps(how, sort_keys=True))
    return Taken(files, rows)


def encode_png(rgb: RGB) -> bytes:
    """uint8 RGB as PNG, quickly (level 1: a tenth larger, several times faster than the best)."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), _PNG_COMPRESSION)
    return bytes(encoded.tobytes())


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, each once even where capitals don't count: a later one of the same name ends in _2, _3 and so on."""
    taken: set[str] = set()
    unique: list[str] = []
    for name in names:
        stem, suffix = Path(name).stem, Path(name).suffix
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{stem}_{number}{suffix}"
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique


_Found = tuple[RGB, Quality, dict[str, str]]
"""An aligned crop, its quality, and the manifest's columns on its alignment: `aligner`, and `correction_px` (""
unless it is a crop that was aligned again)."""


def _find(rgb: RGB, detector: Detector) -> _Found | Rejected:
    face = detector.detect_one(rgb, "centre")
    return Rejected(NO_FACE, "No face was found.") if face is None else _aligned(rgb, face, detector, "")


def _crop(rgb: RGB, detector: Detector, recipe: Recipe, photograph: Photograph) -> _Found | Rejected:
    """An aligned crop, or its centre square, aligned again or as it is."""
    square = _centre_square(rgb)
    look = look_at_crop(detector, square) if photograph.aligned or recipe.align_again else CropLook(None, None)
    if look.quarter:
        problem = turned_crop(look.quarter)
        return Rejected(problem.code, f"It is {problem.text}.")
    face, off_px = look.face, look.off_px
    if recipe.align_again and face is not None and off_px is not None and off_px <= MOST_CORRECTION_PX:
        return _aligned(square, face, detector, f"{off_px:.2f}")
    return _whole(square, detector)


def _aligned(rgb: RGB, face: Face, detector: Detector, correction_px: str) -> _Found:
    crop = align(rgb, face.landmarks)
    alignment = {"aligner": detector.aligner, "correction_px": correction_px}
    return crop, assess(crop, probe_px(face.landmarks), face), alignment


def _whole(square: RGB, detector: Detector) -> _Found:
    """An aligned crop as it is, resized to 112 px."""
    crop = resize(square, CROP_PX)
    [recognisability] = detector.recognisability([crop])
    quality = assess(crop, float(square.shape[0]), None, recognisability)
    return crop, quality, {"aligner": AS_FOUND, "correction_px": ""}


def _centre_square(rgb: RGB) -> RGB:
    side = min(rgb.shape[:2])
    y, x = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    return np.ascontiguousarray(rgb[y : y + side, x : x + side])


def _measures(quality: Quality) -> dict[str, str]:
    """The measures as text for the manifest, rounded: "" where a crop came without landmarks. They are those of the
    HR image, in its VLR images' rows too."""
    values = {
        "probe_px": (quality.probe_px, 1),
        "recognisability": (quality.recognisability, 3),
        "sharpness": (quality.sharpness, 3),
        "brightness": (quality.brightness, 1),
        "yaw_deg": (quality.yaw_deg, 1),
        "pitch_deg": (quality.pitch_deg, 1),
    }
    return {name: "" if value is None else f"{value:.{places}f}" for name, (value, places) in values.items()}
