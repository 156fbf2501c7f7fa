"""Subjects to inspect, from an image of a data set or a photograph, and their reduction to VLR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.dataset.degrade import degrade, seed_for
from core.errors import SettingsInvalid
from core.evaluation.pictures import Picture
from core.evaluation.views import Degradation
from core.images import HR_PROBE_PX, RGB, read_image, resize, sha256_of
from core.inspection.values import Subject
from core.settings import CROP_PX

if TYPE_CHECKING:
    from core.pipeline import Pipeline

SIZES_PX = (8, 64)
"""The smallest and the largest face that can be inspected."""


@dataclass(frozen=True)
class Reduction:
    """How an HR crop becomes VLR: its side, how, and for the camera its `seed` and values that aren't drawn by it.

    "stored" takes the data set's own VLR file. An image's own hash goes into the draw, as in evaluations.
    """

    size_px: int = 24
    degradation: Degradation = "bicubic"
    seed: int = 0
    params: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        low, high = SIZES_PX
        if not low <= self.size_px <= high:
            raise SettingsInvalid(
                f"A face of {self.size_px} px can't be inspected, only {low} to {high} px.", "Choose another size."
            )


def subject_of_picture(picture: Picture, reduction: Reduction) -> Subject:
    """An HR image of a data set, and its VLR. The same pixels that an evaluation's aligned view has.

    Raises what `read_image` raises, SettingsInvalid for a stored VLR that isn't there.
    """
    hr = resize(read_image(picture.path), CROP_PX)
    if reduction.degradation == "stored":
        stored = picture.vlr.get(reduction.size_px)
        if stored is None:
            here = ", ".join(str(px) for px in sorted(picture.vlr)) or "none"
            raise SettingsInvalid(
                f"{picture.name} has no VLR of {reduction.size_px} px in the data set (stored: {here}).",
                "Choose a size that it holds, or bicubic or camera.",
            )
        vlr, words = resize(read_image(stored.path), reduction.size_px), "the data set's own VLR file"
    else:
        vlr, words = reduced(hr, reduction, picture.sha256)
    return Subject(picture.name, vlr, hr, words, picture.identity, picture.sha256)


def subjects_of_photograph(pipeline: Pipeline, rgb: RGB, name: str, reduction: Reduction) -> list[Subject]:
    """Every face of a photograph uint8 (H, W, 3), the largest first; [] when there is none.

    A face of 64 px or more is its own HR and is reduced by `reduction`; a smaller one is used at its native size and
    has no HR. A square of at most 64 px that looks aligned is taken as an aligned crop.
    """
    if reduction.degradation == "stored":
        raise SettingsInvalid("A photograph has no stored VLR.", "Choose bicubic or camera.")
    sha256 = sha256_of(rgb.tobytes())
    low, high = SIZES_PX
    subjects = []
    for probe in pipeline.find(rgb):
        if probe.probe_px >= HR_PROBE_PX:
            vlr, words = reduced(probe.aligned, reduction, sha256)
            subjects.append(Subject(name, vlr, probe.aligned, words, sha256=sha256))
        else:
            side = min(high, max(low, probe.crop.shape[0]))
            subjects.append(Subject(name, resize(probe.crop, side), None, "as photographed", sha256=sha256))
    return subjects


def reduced(hr: RGB, reduction: Reduction, sha256: str) -> tuple[RGB, str]:
    """Reduce an HR crop: (VLR, the method in words). Raises SettingsInvalid for values that make no sense."""
    draw = seed_for(reduction.seed, sha256)
    method = str(reduction.degradation)
    vlr, recipe = degrade(hr, reduction.size_px, method, seed=draw, params=reduction.params or None)
    return vlr, camera_words(recipe) if method == "camera" else "bicubic, antialiased"


def camera_words(recipe: Mapping[str, Any]) -> str:
    """A camera's values in words."""
    along, across = _pair(recipe["blur_px"])
    return (
        f"camera: blur {along:.1f} by {across:.1f} px of {CROP_PX}, {recipe['kernel']} reduction, shot noise "
        f"{recipe['shot']:.4f}, gamma {recipe['gamma']:.2f}, JPEG quality {recipe['quality']}"
    )


def _pair(values: Sequence[float]) -> tuple[float, float]:
    return float(values[0]), float(values[1])
