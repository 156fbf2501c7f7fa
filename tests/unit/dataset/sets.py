"""Small sets in the notes' layout, made of smooth random pictures: every pair true, no two pictures alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.images import encode_image, resize


def picture(seed: int, size: int = 112) -> np.ndarray:
    """uint8 (size, size, 3): a random pattern of eight by eight patches, unlike any other seed's."""
    coarse = np.random.default_rng(seed).integers(20, 235, (8, 8, 3)).astype(np.uint8)
    return resize(coarse, size)


def add_pair(root: Path, split: str, name: str, seed: int, vlr_px: int = 32) -> None:
    hr = picture(seed)
    for folder, content in (("hr_images", hr), ("vlr_images", resize(hr, vlr_px))):
        path = root / split / folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_image(content, "png"))


def notes_set(root: Path, people: dict[str, int], split: str = "train", first_seed: int = 0) -> Path:
    """People ("007": 6 images, ...) in one split; sessions 01 only, so that images are split and not sessions."""
    seed = first_seed
    for who, count in people.items():
        for number in range(count):
            add_pair(root, split, f"{who}_01_01_051_{number:02}", seed)
            seed += 1
    return root


def tree(root: Path) -> dict[str, bytes]:
    """Every file under `root` with its bytes."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
