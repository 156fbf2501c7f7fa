"""Search in a million templates: how long it takes, and how often it finds what comparing everybody finds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.bench.galleries import index_of, space_of
from core.bench.material import Material
from core.bench.measure import in_turns
from core.bench.row import Row
from core.gallery.sketch import build_sketch
from core.images import RGB, read_image, resize
from core.settings import CROP_PX, VLR_SIZES_PX

FLAT = "faiss.IndexFlatIP(512).add(templates); index.search(query, 5)"
Vectors = NDArray[np.float32]


def rows(material: Material) -> Iterator[Row]:
    """One row for each kind of query: another photograph of somebody, of full size and at 32, 24 and 16 px.

    The templates have the covariance of real embeddings, and a query is as far from its template as two photographs of
    one person were measured to be. Recall@1: the share of queries for which it finds whom comparing everybody finds.
    """
    import faiss

    size = material.size(1_000_000, 20_000)
    material.on_step("cosines of two photographs of a person")
    measured = genuine_cosines(material)
    material.on_step(f"search in {size:,} templates")
    templates = material.templates(size)
    flat = faiss.IndexFlatIP(templates.shape[1])
    flat.add(templates)
    index = index_of(templates, space_of(material))
    build_sketch(templates)
    for px, cosines in measured.items():
        meant, queries = other_looks(material, templates, cosines, material.size(500, 50), seed=px)
        best = flat.search(queries, 1)[1][:, 0]
        found = np.array([row[0].identity_id - 1 for row in index.search(queries, 1)])
        recall, right = float(np.mean(found == best)), float(np.mean(best == meant))
        turn = iter(range(10**9))
        times = in_turns(
            {
                "ours": lambda q=queries, t=turn: index.search(q[next(t) % len(q)], 5),  # type: ignore[misc]
                "faiss": lambda q=queries, t=turn: flat.search(q[next(t) % len(q)][None], 5),  # type: ignore[misc]
            },
            rounds=material.size(50, 5),
            warm_up=2,
            most_s=30,
        )
        ours, base = 1e3 * times["ours"].median, 1e3 * times["faiss"].median
        where = "at full size" if px == CROP_PX else f"at {px} px"
        yield Row(
            f"search-{size}-{px}px",
            f"Search in {size:,} templates, probes {where}",
            "ms",
            ours,
            base,
            base / ours,
            "<= 5 ms at recall@1 >= 0.99",
            ours <= 5 and recall >= 0.99,
            FLAT,
            f"recall@1 {recall:.3f} of {len(queries)} queries at cosine {cosines.mean():.2f} +- {cosines.std():.2f} "
            f"(two photographs of {len(cosines)} people, {material.encoder.name}); comparing everybody names the right "
            f"one for {right:.3f}",
        )


def genuine_cosines(material: Material) -> dict[int, NDArray[np.float64]]:
    """Cosines of one photograph at full size with another of the same person, by the other's size in px (112: full)."""
    pairs = [pair for person in _people(material) if len(pair := _crops(person[:2])) == 2]
    full = material.encoder.encode(np.stack([first for first, _ in pairs]))
    found: dict[int, NDArray[np.float64]] = {}
    for px in (*VLR_SIZES_PX, CROP_PX):
        small = [second if px == CROP_PX else resize(resize(second, px), CROP_PX) for _, second in pairs]
        found[px] = (full * material.encoder.encode(np.stack(small))).sum(axis=1).astype(np.float64)
    return found


def _people(material: Material) -> list[list[object]]:
    by_person: dict[str, list[object]] = {}
    for person, path in material.photographs:
        by_person.setdefault(person, []).append(path)
    several = [paths for paths in by_person.values() if len(paths) > 1]
    wanted = material.size(200, 6)
    return several[:: max(1, len(several) // wanted)][:wanted]


def _crops(paths: list[object]) -> list[RGB]:
    from core.faces.align import align
    from core.faces.detect import Detector

    detector, found = Detector(), []
    for path in paths:
        rgb = read_image(path)  # type: ignore[arg-type]
        face = detector.detect_one(rgb, "centre")
        if face is not None:
            found.append(align(rgb, face.landmarks, CROP_PX))
        elif rgb.shape[:2] == (CROP_PX, CROP_PX):
            found.append(resize(rgb, CROP_PX))
    return found


def other_looks(
    material: Material, templates: Vectors, cosines: NDArray[np.float64], count: int, seed: int
) -> tuple[NDArray[np.int64], Vectors]:
    """(rows (count,) asked for, queries (count, 512)): each at one of the `cosines` from its template, in a direction
    in which templates differ from one another."""
    rng = np.random.default_rng(seed)
    asked = rng.choice(len(templates), count, replace=False)
    base, away = templates[asked], material.templates(count, seed + 1_000)
    away -= (away * base).sum(1, keepdims=True) * base
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    cosine = np.clip(rng.choice(cosines, (count, 1)), -0.99, 0.99).astype(np.float32)
    return asked, (cosine * base + np.sqrt(1 - cosine**2) * away).astype(np.float32)
