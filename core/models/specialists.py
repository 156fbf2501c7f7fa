"""Specialists: encoders for small faces whose embeddings lie in the space of other weights.

A specialist takes the upscaler's place: faces up to its `max_px` are embedded by it, larger ones by the weights in use,
and both are compared with one another (docs/adr/0040). Its file is an encoder's, with a header of its own: `format`,
`specialist_for` and `specialist_for_name` (the weights whose space it shares) and `config`, JSON with max_px. Other
weights that embed in that space, and say so in their header (`space_of`), are its own as well.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from core.models.errors import SpecialistRefused
from core.models.files import FileFacts, WeightsFile
from core.models.header import json_object, space_of
from core.models.variants import Variant
from core.settings import CROP_PX

SPECIALIST_MAX_PX = 40
"""Up to this probe_px a face goes to the specialist, where its header names no other size: the largest size at which it
measured better than the weights beside it under the camera degradation by more than it lost under bicubic."""


@dataclass(frozen=True)
class Specialist:
    """A specialist's file. `max_px`: the largest probe_px that goes to it. `weights_sha256` and `weights_name`: the
    weights whose space it shares; "" where its header doesn't say, and then no weights are its own."""

    path: Path
    name: str
    sha256: str
    max_px: int
    weights_sha256: str
    weights_name: str

    @classmethod
    def of(cls, facts: FileFacts) -> Specialist:
        """Read a specialist's header. Never raises: one of another form names no weights."""
        texts = facts.metadata
        max_px = json_object(texts.get("config")).get("max_px", SPECIALIST_MAX_PX)
        sensible = isinstance(max_px, int) and not isinstance(max_px, bool) and 8 <= max_px < CROP_PX
        return cls(
            facts.path,
            facts.path.stem,
            facts.hashes.sha256,
            max_px if sensible else SPECIALIST_MAX_PX,
            texts.get("specialist_for", "") if sensible else "",
            texts.get("specialist_for_name", ""),
        )

    def shares_space(self, hashes: Collection[str]) -> bool:
        """Whether weights with one of these SHA-256 (see `one_space`) are its own."""
        return bool(self.weights_sha256) and self.weights_sha256 in hashes

    def require(self, weights_name: str, hashes: Collection[str]) -> None:
        """Raise SpecialistRefused unless weights with one of these SHA-256 are its own."""
        if self.shares_space(hashes):
            return
        other = (
            "let bicubic enlarge small faces: --upscaler bicubic in one command, edgeface-studio weights use bicubic "
            "for all"
        )
        if not self.weights_sha256:
            raise SpecialistRefused(
                f"{self.name} is a specialist for small faces, but its header doesn't say for which weights.",
                f"Choose a complete file, or {other}.",
            )
        own = self.weights_name or "other weights"
        first = f"Use {own}: edgeface-studio weights use {own}" if self.weights_name else "Use those weights"
        raise SpecialistRefused(
            f"{self.name}, a specialist for small faces, shares the space of {own} (SHA-256 "
            f"{self.weights_sha256[:10]}…), so it can't be used beside {weights_name}.",
            f"{first}; or {other}.",
        )

    def is_of(self, weights: WeightsFile) -> bool:
        """Whether it was trained beside these very weights, in any of their versions, not only in their space."""
        return self.shares_space(_versions(weights.sha256, weights.metadata.get("exported_from", ""), weights.official))


def hashes_of(weights: WeightsFile) -> frozenset[str]:
    """Return the SHA-256 that weights go by where spaces are compared, see `one_space`."""
    return one_space(
        weights.sha256, weights.metadata.get("exported_from", ""), weights.official, space_of(weights.metadata)
    )


def one_space(sha256: str, exported_from: str, official: Variant | None, embeds_in: str = "") -> frozenset[str]:
    """Return the SHA-256 of weights, of what they were exported from, of an official file's int8 version, and of the
    weights whose space they embed in.

    `official` is the published file that they are; `embeds_in` is `core.models.header.space_of` of their header.
    """
    return _versions(sha256, exported_from, official) | frozenset({embeds_in} - {""})


def _versions(sha256: str, exported_from: str, official: Variant | None) -> frozenset[str]:
    """The SHA-256 of one and the same network in its versions."""
    return frozenset({sha256, exported_from, "" if official is None else official.int8_sha256} - {""})
