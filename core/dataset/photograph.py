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
from core.faces.crops import is_aligned_crop, look_at_crop
from core.faces.detect import Detector
from core.faces.quality import Limits, Quality, assess, problems, turned_crop
from core.images import RGB, read_image, resize, sha256_of
from core.settings import CROP_PX, VLR_SIZES_PX

NO_FACE = "no_face"
UNREADABLE = "unreadable"

_PNG_COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 1]


@dataclass(frozen=True)
class Recipe:
    """How photographs become images: VLR sizes (px), the degradation and its seed, and quality limits.

    A face is rejected only for severe problems. `vlr_px` is the size in vlr_images/.
    """

    sizes: tuple[int, ...] = VLR_SIZES_PX
    method: str = "bicubic"
    seed: int = 0
    vlr_px: int = 32
    limits: Limits = field(default_factory=Limits)

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
    found = _whole(rgb, detector) if whole else _find(rgb, detector)
    if found is None:
        return Rejected(NO_FACE, "No face was found.")
    if photograph.aligned and (quarter := look_at_crop(detector, rgb).quarter):
        problem = turned_crop(quarter)
        return Rejected(problem.code, f"It is {problem.text}.")
    crop, quality = found
    severe = [problem for problem in problems(quality, recipe.limits) if problem.severe]
    if severe:
        return Rejected(severe[0].code, "The face is " + ", ".join(problem.text for problem in severe) + ".")
    return make_images(crop, photograph, recipe, _measures(quality))


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
                **photograph.further,
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


def _find(rgb: RGB, detector: Detector) -> tuple[RGB, Quality] | None:
    face = detector.detect_one(rgb, "centre")
    if face is None:
        return None
    crop = align(rgb, face.landmarks)
    return crop, assess(crop, probe_px(face.landmarks), face)


def _whole(rgb: RGB, detector: Detector) -> tuple[RGB, Quality]:
    """The centre square of a crop, resized to 112 px."""
    side = min(rgb.shape[:2])
    y, x = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    crop = resize(np.ascontiguousarray(rgb[y : y + side, x : x + side]), CROP_PX)
    [recognisability] = detector.recognisability([crop])
    return crop, assess(crop, float(side), None, recognisability)


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
