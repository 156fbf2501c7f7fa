"""What speed costs in accuracy: the EER of the same pairs by plain PyTorch, in batches, and by the engine for one
crop."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.bench.material import Material, shared_folder
from core.bench.row import Row
from core.evaluation.pairs import Pair, Photo, photos_of, read_pairs
from core.evaluation.verification import equal_error_rate, roc, roc_of_sorted
from core.images import resize
from tests.benchmarks.embedding import PLAIN, plain_embeddings, plain_images, plain_model, settled

_FOLDS = (5, 6, 7)
_MOST_APART = 0.001
"""A tenth of a point, as a fraction."""


def rows(material: Material) -> Iterator[Row]:
    """EER at full size and at 16 px (shrunk, enlarged by bicubic), LFW's folds 5 to 7."""
    lfw = shared_folder() / "data" / "lfw"
    if not (lfw / "pairs.txt").is_file():
        yield Row("eer", "EER of the engines", skipped="EDGEFACE_SHARED names no pairs of photographs")
        return
    pairs = read_pairs(lfw / "pairs.txt", _FOLDS)
    pairs = pairs[:: material.size(1, 60)]
    photos = photos_of(pairs)
    material.on_step(f"aligning {len(photos):,} photographs for the EER")
    crops = aligned(photos, lfw / "images")
    network, encoder = plain_model(material), material.load_encoder()
    for size in (112, 16):
        material.on_step(f"EER at {size} px")
        seen = crops if size == 112 else np.stack([resize(resize(crop, size), 112) for crop in crops])
        plain = np.concatenate(
            [plain_embeddings(network, plain_images(seen[i : i + 32])).numpy() for i in range(0, len(seen), 32)]
        )
        base = all_pairs_eer(photos, plain)
        listed = eer(pairs, photos, plain)
        batches = encoder.encode(seen)
        settled(encoder, seen[0])
        alone = np.concatenate([encoder.encode(crop[None]) for crop in seen])
        for vectors, name, words in (
            (batches, "batch", f"batches, {encoder.info.precision}"),
            (alone, "single", f"one crop at a time, engine {encoder.engine}"),
        ):
            value = all_pairs_eer(photos, vectors)
            yield Row(
                f"eer-{size}-{name}",
                f"EER at {size} px, {words}",
                "%",
                100 * value,
                100 * base,
                None,
                "within 0.1 points",
                abs(value - base) <= _MOST_APART + 1e-12,
                PLAIN,
                f"all pairs of {len(photos):,} photographs in LFW's folds 5 to 7, aligned, {material.weights.name}, no "
                f"flip; the {len(pairs):,} listed pairs alone, where one is 0.11 points: "
                f"{100 * eer(pairs, photos, vectors):.2f} %, plain {100 * listed:.2f} %",
            )


def aligned(photos: list[Photo], root: Path) -> NDArray[np.uint8]:
    """The face nearest the centre of each photograph, cut at 112 px; the photograph's middle where none is found."""
    from core.faces.align import align
    from core.faces.detect import Detector
    from core.faces.face import choose_faces
    from core.images import read_image

    detector = Detector()

    def cut(photo: Photo) -> NDArray[np.uint8]:
        rgb = read_image(photo.path(root))
        faces = detector.detect(rgb)
        if faces:
            return align(rgb, choose_faces(faces, "centre", rgb.shape)[0].landmarks, 112)
        height, width = rgb.shape[:2]
        return resize(rgb[height // 4 : -height // 4, width // 4 : -width // 4], 112)

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(cut, photos)))


def all_pairs_eer(photos: list[Photo], vectors: NDArray[np.float32]) -> float:
    """The EER of the cosines of every two photographs: thousands of genuine pairs, millions of impostor pairs."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    _, people = np.unique([photo.name for photo in photos], return_inverse=True)
    left, right = np.triu_indices(len(photos), 1)
    scores, same = (unit @ unit.T)[left, right], people[left] == people[right]
    return equal_error_rate(roc_of_sorted(np.sort(scores[same]), np.sort(scores[~same])))


def eer(pairs: list[Pair], photos: list[Photo], vectors: NDArray[np.float32]) -> float:
    """The EER of the cosines of those pairs, `vectors` (N, 512) in the order of `photos`, of any length."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    place = {photo: number for number, photo in enumerate(photos)}
    a, b = (np.array([place[getattr(pair, side)] for pair in pairs]) for side in ("a", "b"))
    scores = np.einsum("ij,ij->i", unit[a], unit[b])
    return equal_error_rate(roc(scores, np.array([pair.same for pair in pairs])))
