"""Two-dimensional maps of embeddings by PCA or t-SNE, and how well they preserve nearest neighbours.

PCA shows the two directions in which embeddings differ most; with hundreds of people that is a small part of what tells
them apart. t-SNE keeps neighbours together and says nothing of far distances. Both by scikit-learn.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import SettingsInvalid
from core.system.atomic_file import write_atomically

Method = Literal["pca", "tsne"]
METHODS: dict[Method, str] = {"pca": "PCA", "tsne": "t-SNE"}

LEAST_POINTS = 3
PERPLEXITY = 30.0
KEPT_MAPS = 24
"""Maps kept on disk; beyond it the oldest go. One of 10,000 points has 80 KB."""


@dataclass(frozen=True, eq=False)
class Layout:
    """`points` (N, 2) float32. `explained`: the share of the variance that PCA's two directions hold, NaN for t-SNE.

    `near_here`, `near_there`: the share of points whose nearest neighbour is the same person, on the map and among the
    full embeddings; of those whose person has another point. NaN where nobody has two, or it wasn't asked for.
    """

    points: NDArray[np.float32]
    method: Method
    explained: float = float("nan")
    near_here: float = float("nan")
    near_there: float = float("nan")

    @property
    def line(self) -> str:
        """The quality of this map, in a sentence or two."""
        said = []
        if np.isfinite(self.explained):
            said.append(f"These two directions hold {self.explained * 100:.0f} % of the variance.")
        if np.isfinite(self.near_here):
            said.append(
                f"The nearest neighbour is the same person for {self.near_here * 100:.1f} % of the points on the map, "
                f"and for {self.near_there * 100:.1f} % in all dimensions, of those who have another photograph."
            )
        return " ".join(said)


def pca(vectors: NDArray[np.float32]) -> Layout:
    """The two directions of most variance; signs are fixed, so that the same vectors give the same map.

    vectors: (N, D), N >= 3. Raises SettingsInvalid for fewer.
    """
    from sklearn.decomposition import PCA

    _require(vectors)
    model = PCA(n_components=2, svd_solver="covariance_eigh")
    with np.errstate(invalid="ignore"):  # vectors that are all alike have no variance to share
        points = model.fit_transform(np.asarray(vectors, dtype=np.float32))
    explained = model.explained_variance_ratio_
    share = float(np.nansum(explained)) if np.isfinite(explained).any() else float("nan")
    return Layout(np.nan_to_num(points).astype(np.float32), "pca", share)


def tsne(vectors: NDArray[np.float32], people: NDArray[np.int64], *, seed: int = 0) -> Layout:
    """t-SNE from PCA's map (Barnes-Hut, perplexity 30 or a third of the points), with its neighbours counted.

    vectors: (N, D) unit rows, N >= 3; people: (N,). The same seed gives the same map on the same machine. Raises
    SettingsInvalid for fewer points.
    """
    from sklearn.manifold import TSNE

    _require(vectors)
    rows = np.asarray(vectors, dtype=np.float32)
    perplexity = min(PERPLEXITY, max(1.0, (len(rows) - 1) / 3))
    # Vectors that are all alike (a collapsed encoder) have no main directions to begin from.
    init = "pca" if float(rows.std(axis=0).max()) > 1e-6 else "random"
    points = TSNE(2, perplexity=perplexity, init=init, random_state=seed, n_jobs=None).fit_transform(rows)
    here, there = nearest_same(points, people), nearest_same(rows, people)
    return Layout(np.nan_to_num(points).astype(np.float32), "tsne", near_here=here, near_there=there)


def nearest_same(points: NDArray[np.float32], people: NDArray[np.int64]) -> float:
    """The share of points whose nearest other point is of the same person, of those whose person has another; NaN when
    there is none such. points: (N, any)."""
    from sklearn.neighbors import NearestNeighbors

    counts = np.bincount(people)
    asked = np.flatnonzero(counts[people] > 1)
    if not len(asked):
        return float("nan")
    near = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points[asked], return_distance=False)
    other = np.where(near[:, 0] == asked, near[:, 1], near[:, 0])  # twins may come before the point itself
    return float((people[other] == people[asked]).mean())


class LayoutStore:
    """A cache of maps in a folder, keyed by their embeddings. A damaged map is rebuilt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str, method: Method) -> Path:
        return self.folder / f"{key[:32]}-{method}.npz"

    def read(self, key: str, method: Method, count: int) -> Layout | None:
        """The map of these embeddings, or None."""
        try:
            with np.load(self.path(key, method), allow_pickle=False) as kept:
                points, numbers = kept["points"], kept["numbers"]
        except (OSError, ValueError, KeyError, EOFError):
            return None
        if points.shape != (count, 2) or numbers.shape != (3,):
            return None
        return Layout(points, method, *map(float, numbers))

    def write(self, key: str, layout: Layout) -> None:
        """Keep a map; the oldest go beyond KEPT_MAPS. Raises StorageFailed."""
        buffer = io.BytesIO()
        numbers = np.array([layout.explained, layout.near_here, layout.near_there])
        np.savez(buffer, points=layout.points, numbers=numbers)
        write_atomically(self.path(key, layout.method), buffer.getvalue())
        kept = sorted(self.folder.glob("*.npz"), key=_changed, reverse=True)
        for old in kept[KEPT_MAPS:]:
            old.unlink(missing_ok=True)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _require(vectors: NDArray[np.float32]) -> None:
    if len(vectors) < LEAST_POINTS:
        raise SettingsInvalid(
            f"A map needs at least {LEAST_POINTS} embeddings, here are {len(vectors)}.", "Choose more pictures."
        )
