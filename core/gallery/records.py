"""Records stored in and read from a gallery: frozen values, independent of the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np

Kind = Literal["hr", "sr"]

EMBEDDING_DIM = 512
"""Length of an EdgeFace embedding."""


@dataclass(frozen=True)
class Space:
    """The condition under which templates can be compared.

    Templates of kind "hr" (full size) are comparable when weights_sha256 and flip_tta are equal; the upscaler doesn't
    matter. Those of kind "sr" (upscaled from a very small probe) also need the same upscaler at their size, unless
    `any_upscaler`: then it is a specialist, which embeds small faces into the space of these weights, where templates
    through any upscaler lie. `encoder_name` is for the screen and isn't compared. `upscaler` is a SHA-256, or
    "bicubic"; `bicubic_px` are the sizes (16, 24, 32) that it leaves to bicubic.
    """

    encoder_name: str = field(compare=False)
    weights_sha256: str
    upscaler: str
    flip_tta: bool
    dim: int = EMBEDDING_DIM
    bicubic_px: tuple[int, ...] = ()
    any_upscaler: bool = False

    def upscaler_at(self, size_px: int | None) -> str | None:
        """The upscaler of templates of a VLR size; None for full size: none took part."""
        if size_px is None:
            return None
        return "bicubic" if size_px in self.bicubic_px else self.upscaler


@dataclass(frozen=True, eq=False)
class NewTemplate:
    """One embedding to store.

    vector: (512,) float32, unit norm. kind: "hr", or "sr" with size_px (16, 24 or 32). probe_px: side, in
    native pixels, of the square that became the 112 px crop. image_sha256: of the photograph's bytes, "" when
    unknown. crop: an encoded image (WebP, PNG or JPEG) to show later, or None. source: where it came from,
    for the screen. recognisability: 0 to 1, its weight in a mean, or None where nothing measured it.
    """

    vector: np.ndarray
    kind: Kind
    probe_px: float
    size_px: int | None = None
    image_sha256: str = ""
    crop: bytes | None = None
    source: str = ""
    recognisability: float | None = None


@dataclass(frozen=True, eq=False)
class StoredTemplate:
    """A stored template. `space.upscaler` is "" for kind "hr": no upscaler took part."""

    id: int
    identity_id: int
    space: Space
    vector: np.ndarray
    kind: Kind
    probe_px: float
    size_px: int | None
    image_sha256: str
    crop: bytes | None
    source: str
    added_at: datetime
    recognisability: float | None = None

    def as_new(self) -> NewTemplate:
        """Return the same template to be stored again, elsewhere or changed."""
        return NewTemplate(
            vector=self.vector,
            kind=self.kind,
            probe_px=self.probe_px,
            size_px=self.size_px,
            image_sha256=self.image_sha256,
            crop=self.crop,
            source=self.source,
            recognisability=self.recognisability,
        )


def one_per_photograph(templates: Iterable[StoredTemplate]) -> list[StoredTemplate]:
    """Return the largest template of each photograph and encoder, in the order given.

    Matched templates show the same face again, smaller. A template without a photograph's hash counts as one.
    """
    largest: dict[tuple[object, str], StoredTemplate] = {}
    for template in templates:
        key = (template.image_sha256 or template.id, template.space.weights_sha256)
        if key not in largest or template.probe_px > largest[key].probe_px:
            largest[key] = template
    return list(largest.values())


@dataclass(frozen=True)
class Identity:
    """A person in the gallery.

    templates: all stored vectors; in_space: those that the space asked for can meet (all of them when none
    was named); photographs: distinct photographs behind the templates; has_crops: whether any crop is stored.
    """

    id: int
    name: str
    note: str
    enrolled_at: datetime
    templates: int
    in_space: int
    photographs: int
    has_crops: bool


@dataclass(frozen=True)
class Candidate:
    """A match for a probe: `score` is a cosine in [-1, 1]; `kind` and `size_px` name the mean that gave it."""

    identity_id: int
    name: str
    score: float
    kind: Kind
    size_px: int | None


@dataclass(frozen=True)
class AuditEntry:
    """An entry of the audit trail. It holds the identity's number, never a name; numbers are never reused."""

    id: int
    at: datetime
    actor: str
    event: str
    identity_id: int | None
