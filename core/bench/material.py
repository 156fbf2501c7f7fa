"""Inputs of a benchmark: real photographs and crops where available, else drawn faces, and galleries."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.settings import Settings
from core.system.cpu import BFLOAT16

if TYPE_CHECKING:
    from core.encoder.encode import Encoder

GENUINE_COSINE = 0.62
"""Median cosine of two photographs of a person, used where there are too few photographs to measure it."""


@dataclass
class Material:
    """The inputs of one measurement, created on first use.

    `chosen` are the weights (a file or a name; None: those in use); `on_step(text)` reports the current step; `folder`
    is deleted at the end.
    """

    settings: Settings
    folder: Path
    quick: bool
    large: bool
    on_step: Callable[[str], None]
    chosen: str | None = None
    notes: list[str] = field(default_factory=list)

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    @cached_property
    def weights(self) -> Path:
        """The chosen weights, else those in use, else the official XXS in EDGEFACE_SHARED."""
        from core.models.encoders import resolve_weights

        try:
            return resolve_weights(self.settings, self.chosen)
        except CoreError:
            if self.chosen is not None:
                raise
            shared = shared_folder() / "weights" / "edgeface_xxs_q.pt"
            if not shared.is_file():
                raise
            return shared

    @cached_property
    def encoder(self) -> Encoder:
        return self.load_encoder()

    def load_encoder(self) -> Encoder:
        """Load the weights again, as the environment variables of this moment ask for."""
        from core.encoder.encode import load_encoder

        return load_encoder(self.weights, device="cpu", check=False)

    @contextmanager
    def without_bfloat16(self) -> Iterator[None]:
        """Encoders loaded in this context compute in float32, also where the processor has bfloat16."""
        before = os.environ.get(BFLOAT16)
        os.environ[BFLOAT16] = "off"
        try:
            yield
        finally:
            if before is None:
                del os.environ[BFLOAT16]
            else:
                os.environ[BFLOAT16] = before

    @cached_property
    def photographs(self) -> list[tuple[str, Path]]:
        """(person, photograph), LFW's where EDGEFACE_SHARED has them, else drawn portraits."""
        root = shared_folder() / "data" / "lfw" / "images"
        if root.is_dir():
            return [(path.parent.name, path) for path in sorted(root.glob("*/*.jpg"))]
        from core.dataset.synthetic.demo import make_demo

        self.notes.append("Drawn faces: EDGEFACE_SHARED names no photographs.")
        made = make_demo(self.folder / "demo", self.size(24, 8), 8)
        large = made.frame[made.frame["kind"] == "hr"]
        return [(name, made.root / path) for name, path in zip(large["identity"], large["path"], strict=True)]

    @cached_property
    def crops(self) -> NDArray[np.uint8]:
        """Aligned 112 px crops (N, 112, 112, 3) of the first photographs in which a face is found."""
        from core.faces.align import align
        from core.faces.face import choose_faces
        from core.images import read_image, resize
        from core.models.landmark_networks import detector_in_use

        detector, found = detector_in_use(self.settings), []
        step = max(1, len(self.photographs) // 200)
        for _, path in self.photographs[::step]:
            rgb = read_image(path)
            faces = detector.detect(rgb)
            if faces:
                [face] = choose_faces(faces, "centre", rgb.shape)
                found.append(align(rgb, face.landmarks, 112))
            elif rgb.shape[0] == rgb.shape[1]:
                found.append(resize(rgb, 112))
            if len(found) >= self.size(128, 32):
                break
        return np.stack(found)

    @cached_property
    def dsr_file(self) -> Path:
        """The shipped DSR file; without it a file of the same network with random weights, which take the same time."""
        from safetensors.torch import save_file

        from core.models.header import DSR_FORMAT
        from core.sr.network import DSR, DSRConfig

        shipped = self.settings.models_dir / "edgeface-dsr.safetensors"
        if shipped.is_file():
            return shipped
        channels, blocks = 48, 8
        path = self.folder / "dsr.safetensors"
        config = {"channels": channels, "blocks": blocks, "min_px": 12, "max_px": 48, "use_bicubic_px": []}
        tensors = {name: tensor.contiguous() for name, tensor in DSR(DSRConfig(channels, blocks)).state_dict().items()}
        save_file(tensors, path, {"format": DSR_FORMAT, "config": json.dumps(config)})
        return path

    def templates(self, count: int, seed: int = 0) -> NDArray[np.float32]:
        """Unit vectors (count, 512) spread as the embeddings of real crops are: their covariance, new directions."""
        rng = np.random.default_rng(seed)
        out = np.empty((count, 512), np.float32)
        for first in range(0, count, 65_536):
            drawn = rng.standard_normal((min(65_536, count - first), 512), dtype=np.float32) @ self._spread
            out[first : first + len(drawn)] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return out

    def queries(
        self, templates: NDArray[np.float32], count: int, seed: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(template rows, queries): for some templates, vectors at the cosines that genuine pairs have."""
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(templates), count, replace=False)
        away = self.templates(count, seed + 1)
        base = templates[rows]
        away -= (away * base).sum(1, keepdims=True) * base
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        cosine = np.clip(rng.normal(self.genuine, 0.1, (count, 1)), 0.3, 0.95).astype(np.float32)
        return rows, (cosine * base + np.sqrt(1 - cosine**2) * away).astype(np.float32)

    @cached_property
    def _spread(self) -> NDArray[np.float32]:
        """A square root of the embeddings' covariance, regularised so that all 512 directions have some variance."""
        vectors = self.encoder.encode(self.crops)
        covariance = np.cov(vectors.T) * 0.7 + np.eye(512) * (0.3 / 512)
        values, basis = np.linalg.eigh(covariance)
        root: NDArray[np.float32] = ((basis * np.sqrt(np.maximum(values, 0))) @ basis.T).astype(np.float32)
        return root

    @cached_property
    def genuine(self) -> float:
        """Median cosine of two photographs of a person, measured where there are at least four pairs."""
        from core.faces.align import align
        from core.faces.face import choose_faces
        from core.images import read_image
        from core.models.landmark_networks import detector_in_use

        by_person: dict[str, list[Path]] = {}
        for person, path in self.photographs:
            by_person.setdefault(person, []).append(path)
        pairs = [paths[:2] for paths in by_person.values() if len(paths) > 1][:: 1 if self.quick else 4]
        detector, crops = detector_in_use(self.settings), []
        for pair in pairs[: self.size(40, 6)]:
            both = []
            for path in pair:
                rgb = read_image(path)
                faces = detector.detect(rgb)
                if faces:
                    both.append(align(rgb, choose_faces(faces, "centre", rgb.shape)[0].landmarks, 112))
            if len(both) == 2:
                crops += both
        if len(crops) < 8:
            return GENUINE_COSINE
        vectors = self.encoder.encode(np.stack(crops))
        return float(np.median((vectors[::2] * vectors[1::2]).sum(1)))


def shared_folder() -> Path:
    """The folder of real photographs and weights that EDGEFACE_SHARED names; else one that doesn't exist."""
    return Path(os.environ.get("EDGEFACE_SHARED") or "/nonexistent")
