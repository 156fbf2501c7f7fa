"""A gallery restricted to one space: the templates that an encoder can be compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.gallery.operating_points import Decision, Measure, choose_threshold, operating_points
from core.gallery.records import Candidate, NewTemplate, Space
from core.gallery.store import Gallery
from core.settings import CROP_PX, UNCALIBRATED_THRESHOLD


@dataclass(frozen=True)
class EncoderView:
    """A gallery and a space; `store` holds templates of all weights, everything here only those of `space`."""

    store: Gallery
    space: Space

    @property
    def size(self) -> int:
        """How many people have templates in this space."""
        return self.store.population(self.space).size

    @property
    def elsewhere(self) -> int:
        """How many people are enrolled with other weights or settings alone: they can't be found here."""
        return self.store.size - self.size

    @property
    def nobody(self) -> str:
        """Why there is nobody to compare with, where `size` is 0."""
        others = self.elsewhere
        if not others:
            return "the gallery is empty"
        who = "1 person is" if others == 1 else f"{others:,} people are"
        return f"nobody is enrolled with these weights; {who}, with others, and can be found once re-embedded"

    @property
    def _labels(self) -> list[str]:
        """Names of the people in this space, in alphabetical order."""
        return sorted(self.store.names_in(self.space))

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def add(self, name: str, embedding: Any, *, actor: str = "python") -> None:
        """Store one embedding (512 values, tensor or array, any positive length) for a person, new or known.

        Raises SettingsInvalid when it isn't a finite vector of the encoder's dimension.
        """
        if hasattr(embedding, "detach"):
            embedding = embedding.detach().cpu().float().numpy()
        vector = np.asarray(embedding, dtype=np.float32).reshape(-1)
        norm = float(np.linalg.norm(vector)) if vector.size == self.space.dim else 0.0
        if not np.isfinite(norm) or norm == 0.0:
            raise SettingsInvalid(
                f"An embedding has {self.space.dim} finite values that aren't all zero; this one has {vector.size}.",
                "Pass what pipeline.infer_embedding returned.",
            )
        template = NewTemplate(
            vector=vector / norm,
            kind="hr",
            probe_px=float(CROP_PX),
            size_px=None,
            image_sha256="",
            crop=None,
            source="python",
        )
        known = self.store.find(name)
        if known is None:
            self.store.enrol(name, [template], space=self.space, actor=actor)
        else:
            self.store.add_templates(known.id, [template], space=self.space, actor=actor)

    def search(self, probes: NDArray[np.float32], k: int = 5) -> list[list[Candidate]]:
        """For each row of `probes` (N, 512) the k people with the highest scores, best first."""
        return self.store.search(probes, self.space, k=k)

    def decide(
        self, measure: Measure, probes_px: Sequence[float], threshold: float, frames: Sequence[int] | None = None
    ) -> list[Decision]:
        """The threshold for each probe by its size in px and the `frames` that it was pooled from (None: one each):
        where `threshold` is the default one, this gallery's calibrated one goes before it; one that was asked for
        stays."""
        points = operating_points(self.store, self.space) if threshold == UNCALIBRATED_THRESHOLD else []
        if not points:
            return [Decision(threshold, calibrated=False) for _ in probes_px]
        here = self.store.population(self.space)
        return [
            choose_threshold(points, measure, px, here.size, otherwise=threshold, mix=here.mix, frames=count)
            for px, count in zip(probes_px, frames or [1] * len(probes_px), strict=True)
        ]
