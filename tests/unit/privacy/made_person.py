"""The person who is erased in tests, and what a folder holds of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.gallery import Gallery, NewTemplate, Space

SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)


NAME = "Zoë Quennell"


CROP = b"\x89PNG\r\n\x1a\n" + bytes(range(40, 200)) * 8


def unit(seed: int) -> np.ndarray:
    row = np.random.default_rng(seed).normal(size=512)
    return (row / np.linalg.norm(row)).astype(np.float32)


def person(seed: int) -> list[NewTemplate]:
    return [
        NewTemplate(unit(seed + n), "hr", 112.0, crop=CROP + bytes([seed, n]), source=f"{NAME} {n}.jpg")
        for n in range(3)
    ]


def replace_with_other_weights(gallery: Gallery, number: int) -> None:
    """What a re-embedding leaves: other vectors, no pictures."""
    other = Space("edgeface_xs", "b" * 64, "bicubic", False)
    old = gallery.templates(number)
    gallery.add_templates(number, [NewTemplate(unit(300 + number), "hr", 112.0)], space=other)
    for template in old:
        gallery.remove_template(template.id)


def everywhere(folder: Path) -> bytes:
    return b"\0".join(f"{p}".encode() + (p.read_bytes() if p.is_file() else b"") for p in sorted(folder.rglob("*")))
