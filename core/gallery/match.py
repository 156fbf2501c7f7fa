"""Search: the identities most similar to each probe, by an exact matrix product over means held in memory.

Beyond some hundred thousand means a sketch selects the candidates (`core.gallery.sketch`), which are compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.errors import SettingsInvalid
from core.gallery.records import Candidate, Kind, Space
from core.gallery.sketch import Sketch, sketch_of
from core.gallery.template_mix import TemplateMix, format_template_sizes
from core.gallery.top_k import top_k
from core.gallery.validation import unit_rows

_BLOCK_BYTES = 64_000_000
"""Largest size of the score matrix; more probes are searched in several blocks."""

_SKETCH_MAX_K = 100
"""Largest k that a sketch serves; for more, all identities are compared."""

LEAST_WEIGHT = 0.02
"""Weight of a vector whose face can hardly be recognised: a mean of such vectors alone is still one."""

Group = tuple[Kind, int | None]


@dataclass(frozen=True)
class Population:
    """Whom a space can find: how many identities, and of which templates (None: nobody is there)."""

    size: int
    mix: TemplateMix | None


@dataclass(frozen=True, eq=False)
class Index:
    """A snapshot of a gallery in one space.

    `everyone` (E,) int64 are the numbers of all identities, ascending, and `revisions` (E,) their revisions, including
    identities without a mean here. `ids` (I,) and `names` are the identities that can be found. `matrix` (M, dim)
    float32 holds every mean, identity by identity; `starts` (I,) is where each identity's rows begin, `sizes` (M,) each
    mean's size_px, 0 for full size, and `counts` (M,) the number of templates behind it (None: one each).
    """

    space: Space
    everyone: np.ndarray
    revisions: np.ndarray
    ids: np.ndarray
    names: list[str]
    starts: np.ndarray
    sizes: np.ndarray
    matrix: np.ndarray
    counts: np.ndarray | None = None

    @cached_property
    def mix(self) -> TemplateMix | None:
        """The kinds of templates here and the mean number of photographs per person; None for an empty index."""
        if not self.size:
            return None
        most = 1.0 if self.counts is None else np.maximum.reduceat(self.counts, self.starts).mean()
        return TemplateMix(format_template_sizes(np.unique(self.sizes).tolist()), max(1, round(float(most))))

    @property
    def population(self) -> Population:
        """Whom a search here can find."""
        return Population(self.size, self.mix)

    @property
    def size(self) -> int:
        """Number of identities that can be found."""
        return len(self.ids)

    def means(self, position: int) -> tuple[np.ndarray, list[Group]]:
        """Return the means (m, dim) of the identity at `position` in `ids`, and the kind and size of each."""
        first, end = self._rows(position)
        return self.matrix[first:end], [_group(size) for size in self.sizes[first:end].tolist()]

    def _rows(self, position: int) -> tuple[int, int]:
        end = int(self.starts[position + 1]) if position + 1 < self.size else len(self.matrix)
        return int(self.starts[position]), end

    def search(self, probes: np.ndarray, k: int = 5) -> list[list[Candidate]]:
        """Return the k best candidates for each probe, best first; equal scores by number.

        probes: (N, dim) float32 unit rows, or (dim,). An identity's score is its highest cosine over its means. A
        smaller gallery gives fewer candidates. Raises SpaceMismatch or TemplateInvalid (probes), SettingsInvalid
        (k below 1).
        """
        if k < 1:
            raise SettingsInvalid(f"k must be 1 or more, got {k}.", "Ask for at least one candidate.")
        rows = unit_rows(probes, self.space.dim)
        if not self.size:
            return [[] for _ in rows]
        if k <= _SKETCH_MAX_K and (sketch := sketch_of(self.matrix)) is not None:
            return [self._search_candidates(sketch, row, k) for row in rows]
        block = max(1, _BLOCK_BYTES // (4 * len(self.matrix)))
        found: list[list[Candidate]] = []
        for first in range(0, len(rows), block):
            found += self._search_block(rows[first : first + block], k)
        return found

    def scores(self, probes: np.ndarray) -> np.ndarray:
        """Return the score of every identity: (N, I) float32 in [-1, 1], columns in the order of `ids`."""
        scores = self._reduce(self._products(unit_rows(probes, self.space.dim)))
        result: np.ndarray = np.maximum(scores, -1.0, out=scores)
        return result

    def _products(self, rows: np.ndarray) -> np.ndarray:
        """(N, M) cosines, clipped to 1 where rounding exceeds it."""
        if len(rows) == 1:  # matrix times vector reads the matrix in memory order
            products: np.ndarray = (self.matrix @ rows[0])[None]
        else:
            products = rows @ self.matrix.T  # (N, dim) x (dim, M) -> (N, M)
        result: np.ndarray = np.minimum(products, 1.0, out=products)
        return result

    def _reduce(self, products: np.ndarray) -> np.ndarray:
        if not self.size:
            return np.zeros((len(products), 0), np.float32)
        if self.size == len(self.matrix):  # one mean each
            return products
        return np.maximum.reduceat(products, self.starts, axis=1)  # (N, M) -> (N, I)

    def _search_block(self, rows: np.ndarray, k: int) -> list[list[Candidate]]:
        products = self._products(rows)
        one_each = self.size == len(self.matrix)
        # top_k overwrites the scores; with several means per identity they are a copy of the products.
        best, scores = top_k(self._reduce(products), k)
        return self._named(best, scores, best if one_each else self._best_means(products, best))

    def _named(self, best: np.ndarray, scores: np.ndarray, means: np.ndarray) -> list[list[Candidate]]:
        """Candidates from positions `best` (N, k), their scores, and the matrix rows that gave the scores."""
        names = self.names
        columns = (self.ids[best].tolist(), best.tolist(), scores.tolist(), self.sizes[means].tolist())
        return [
            [
                Candidate(number, names[position], max(-1.0, score), "sr" if size else "hr", size or None)
                for number, position, score, size in zip(*row, strict=True)
            ]
            for row in zip(*columns, strict=True)
        ]

    def _search_candidates(self, sketch: Sketch, probe: np.ndarray, k: int) -> list[Candidate]:
        """Search among the means that the sketch selects; others aren't found."""
        means, scores = sketch.nearest(self.matrix, probe)
        scores = np.minimum(scores, 1.0)
        positions = np.searchsorted(self.starts, means, side="right") - 1
        order = np.lexsort((positions, -scores))
        _, firsts = np.unique(positions[order], return_index=True)  # of each identity its best mean
        best = order[np.sort(firsts)[:k]]
        return self._named(positions[best][None], scores[best][None], means[best][None])[0]

    def _best_means(self, products: np.ndarray, best: np.ndarray) -> np.ndarray:
        """The matrix row whose mean gave each of the best identities (N, k) its score."""
        found = np.empty_like(best)
        for number, positions in enumerate(best.tolist()):
            spans = [self._rows(position) for position in positions]
            found[number] = [first + int(products[number, first:end].argmax()) for first, end in spans]
        return found


def _group(size: int) -> Group:
    return ("sr", size) if size else ("hr", None)


def weights_of(recognisability: np.ndarray, starts: Sequence[int] | np.ndarray = (0,)) -> np.ndarray:
    """Return the weight (N,) of each template in its mean: its recognisability (N,), at least 0.02.

    The templates of a mean are neighbours, and `starts` is where those of each mean begin. One that wasn't measured
    (NaN) weighs as much as the others of its mean on average; where none was, all weigh 1.
    """
    known = ~np.isnan(recognisability)
    if not known.any():
        return np.ones(len(recognisability))
    weights = np.where(known, np.maximum(recognisability, LEAST_WEIGHT), 0.0)
    counts = np.add.reduceat(known.astype(np.int64), starts)
    usual = np.where(counts > 0, np.add.reduceat(weights, starts) / np.maximum(counts, 1), 1.0)
    result: np.ndarray = np.where(known, weights, np.repeat(usual, np.diff(starts, append=len(weights))))
    return result


def mean_of(vectors: Iterable[np.ndarray], weights: Sequence[float] | np.ndarray | None = None) -> np.ndarray:
    """Return the mean direction of unit vectors (dim,), of norm 1: sum(w v) / |sum(w v)|, all alike without `weights`.

    Of vectors that cancel each other out the heaviest, and of equal ones the first.
    """
    stacked = np.stack([np.asarray(vector, dtype=np.float64) for vector in vectors])
    total = np.average(stacked, axis=0, weights=weights)
    norm = float(np.linalg.norm(total))
    direction = total / norm if norm > 1e-6 else stacked[0 if weights is None else int(np.argmax(weights))]
    result: np.ndarray = direction.astype(np.float32)
    return result
