"""Landmark networks: which ONNX files are stored, and which one is in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from core.errors import CoreError, SettingsInvalid, WeightsMissing
from core.faces.align import ARCFACE_TEMPLATE
from core.faces.detect import Detector
from core.faces.landmarks.look import Look
from core.faces.landmarks.network import FILE, Landmarker, LandmarksUnusable, shipped_path
from core.faces.landmarks.read import EXACT_SIDE
from core.models.files import FileFacts, Wording, file_facts
from core.models.header import is_landmark_network
from core.models.registry import ModelRegistry
from core.settings import CROP_PX, Settings

LARGEST_ERROR_PX = 14.0
"""Median distance, in px of 112, of a network's points from the template on roughly aligned faces of 25 px.

Measured on the 100 faces of the encoders' health check, upright and upside down: 9 to 10 by a network after 2,500 steps
of its training, most of which is how roughly the faces are aligned; 26 by random weights.
"""

_TRAINING = "edgeface-studio train landmarks --help"


@dataclass(frozen=True)
class LandmarkFile:
    """An ONNX file of a landmark network. `name` is the file's without its ending; `metadata` are its texts."""

    path: Path
    name: str
    sha256: str
    size_bytes: int
    metadata: Mapping[str, str] = field(default_factory=dict, compare=False)


class _LandmarkNetworks(ModelRegistry[LandmarkFile]):
    key = "landmarks"
    suffixes: ClassVar[frozenset[str]] = frozenset({".onnx"})
    wording = Wording("landmark network", "is", "has", "it was", "FILE-or-NAME")
    fault = LandmarksUnusable
    alternative = f"use the shipped one: edgeface-studio weights use {Path(FILE).stem}"

    def describe(self, path: Path) -> LandmarkFile:
        """Return the landmark network at `path`. Raises LandmarksUnusable where it is missing or another kind of
        file, StorageFailed."""
        try:
            facts = file_facts(path)
        except WeightsMissing as error:
            raise LandmarksUnusable(f"There is no landmark network at {path}.", "Check the path.") from error
        if not is_landmark_network(facts.metadata):
            raise LandmarksUnusable(
                f"{facts.path.name} isn't a landmark network of this project.",
                f"Use an .onnx file that `train landmarks` wrote: {_TRAINING}.",
            )
        if facts.path.suffix.lower() not in self.suffixes:
            raise LandmarksUnusable(
                f"{facts.path.name} holds a landmark network's weights for further training.",
                "Use the .onnx file beside it.",
            )
        return self.from_facts(facts)

    def accepts(self, metadata: Mapping[str, str]) -> bool:
        return is_landmark_network(metadata)

    def from_facts(self, facts: FileFacts) -> LandmarkFile:
        return LandmarkFile(facts.path, facts.path.stem, facts.hashes.sha256, facts.size_bytes, facts.metadata)

    def default(self, settings: Settings) -> LandmarkFile:
        """The network that ships in data/models."""
        path = shipped_path(settings.models_dir)
        if not path.is_file():
            raise LandmarksUnusable(
                f"There is no landmark network at {path}.",
                f"Get it again with the project's files (git checkout data/models), or train one: {_TRAINING}.",
            )
        return self.describe(path)

    def not_named(self) -> CoreError:
        return SettingsInvalid("No landmark network was named.", "Give a file or a name: edgeface-studio weights list.")

    def not_found(self, settings: Settings, text: str, stored: list[LandmarkFile]) -> CoreError:
        here = ", ".join(sorted({file.name for file in stored})) or "none"
        return LandmarksUnusable(
            f"There is no landmark network called '{text[:80]}', and no such file.", f"Stored: {here}."
        )

    def check(self, file: LandmarkFile) -> None:
        """Load a network and let it read real faces, upright and upside down. Raises LandmarksUnusable."""
        from core.encoder.health import health_faces

        network = Landmarker(file.path)
        if network.id != file.sha256:
            raise LandmarksUnusable(f"{file.path.name} changed while it was read.", "Try again when it is complete.")
        faces, look = health_faces(), Look((CROP_PX / 2, CROP_PX / 2), EXACT_SIDE * CROP_PX)
        for turned in (False, True):
            looks = np.stack([look.cut(np.ascontiguousarray(face[::-1, ::-1] if turned else face)) for face in faces])
            readings = network.read(looks)
            points = look.to_picture(readings.points)
            points = CROP_PX - 1 - points if turned else points
            off = np.linalg.norm(points - ARCFACE_TEMPLATE, axis=2).mean(axis=1)
            error, is_face = float(np.median(off)), float(np.median(readings.is_face))
            if not (error <= LARGEST_ERROR_PX and is_face >= 0.5):  # NaN fails as well
                raise LandmarksUnusable(
                    f"{file.path.name} loads but can't read {'upside-down ' if turned else ''}faces: its landmarks are "
                    f"{error:.0f} px of 112 off, at most {LARGEST_ERROR_PX:.0f} are usual, and it takes them for faces "
                    f"with a probability of {is_face:.2f} (medians, {len(faces)} faces of 25 px).",
                    "Train it longer, or use another.",
                )


LANDMARK_NETWORKS = _LandmarkNetworks()
"""The landmark networks of an installation; the functions below are its methods."""

describe = LANDMARK_NETWORKS.describe
scan = LANDMARK_NETWORKS.scan
active_landmarks = LANDMARK_NETWORKS.active
find_landmarks = LANDMARK_NETWORKS.find
use_landmarks = LANDMARK_NETWORKS.use
check_landmarks = LANDMARK_NETWORKS.check
keep_landmarks = LANDMARK_NETWORKS.keep


def resolve_landmarks(settings: Settings, landmarks: str | Path | None = None) -> Path:
    """Return the path of a landmark network by path or name; None means the one in use.

    Raises LandmarksUnusable, StorageFailed, SettingsInvalid.
    """
    return LANDMARK_NETWORKS.get(settings, landmarks).path


def detector_in_use(settings: Settings) -> Detector:
    """Return a detector with the landmark network in use. Raises DetectorMissing, and as `resolve_landmarks` does."""
    return Detector(landmarks_path=resolve_landmarks(settings))
