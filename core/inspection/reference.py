"""People to search a face among: the gallery, or the HR images of a data set without the face's own image.

The rule is the evaluation's (core.evaluation.identification): an identity's score is its highest cosine over its means,
and a rank is 1 + how many others score at least as high, so that a tie counts against the probe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.evaluation.embedding import Embedded
from core.evaluation.pictures import Picture, codes_of
from core.gallery.match import Index, weights_of
from core.inspection.values import Neighbour, Ranking
from core.system.text import count

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Reference:
    """People to search among. `matrix` (M, D) holds unit means, `starts` (I,) where each person's begin, `names` (I,).

    A data set's also keeps its pictures, so that one can be left out of its person's mean: `vectors` (P, D), `people`
    (P,) and `at`, which maps a picture's SHA-256 to its row.
    """

    label: str
    names: tuple[str, ...]
    matrix: Vectors
    starts: NDArray[np.int64]
    vectors: Vectors | None = None
    people: NDArray[np.int64] | None = None
    at: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many people there are."""
        return len(self.names)

    def search(self, vectors: Vectors, identity: str = "", sha256: str = "", k: int = 5) -> list[Ranking]:
        """Return a ranking for each row of `vectors` (V, D), unit rows. `identity` is the true person, "" where
        unknown; `sha256` the picture that is left out of their mean."""
        if not self.size or not len(vectors):
            return [Ranking((), 0) for _ in vectors]
        scores = self.scores(vectors)  # (V, I)
        person = self._place(identity)
        if person is not None and (row := self.at.get(sha256)) is not None:
            scores[:, person] = self._without(vectors, person, row)
        return [self._ranking(row, person, k) for row in scores]

    def scores(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return the score of every person for each row, (V, I) float32 in [-1, 1]."""
        products = np.clip(vectors @ self.matrix.T, -1, 1)  # (V, D) x (D, M) -> (V, M)
        return np.asarray(np.maximum.reduceat(products, self.starts, axis=1), dtype=np.float32)

    def mean_of(self, identity: str, sha256: str = "") -> Vectors | None:
        """Return a person's mean direction (D,) without one picture; None for an unknown person or without another
        picture."""
        person = self._place(identity)
        if person is None:
            return None
        if (row := self.at.get(sha256)) is not None:
            return _unit(self._others(person, row))
        return _unit(self.matrix[self._rows(person)])

    def _place(self, identity: str) -> int | None:
        return self.names.index(identity) if identity and identity in self.names else None

    def _rows(self, person: int) -> slice:
        end = int(self.starts[person + 1]) if person + 1 < len(self.starts) else len(self.matrix)
        return slice(int(self.starts[person]), end)

    def _others(self, person: int, row: int) -> Vectors:
        assert self.vectors is not None and self.people is not None
        mine = self.people == person
        mine[row] = False
        result: Vectors = self.vectors[mine]
        return result

    def _without(self, vectors: Vectors, person: int, row: int) -> NDArray[np.float32]:
        """The person's scores (V,) without one picture; -inf where none is left."""
        mean = _unit(self._others(person, row))
        if mean is None:
            return np.full(len(vectors), -np.inf, np.float32)
        return np.asarray(np.clip(vectors @ mean, -1, 1), dtype=np.float32)

    def _ranking(self, scores: NDArray[np.float32], person: int | None, k: int) -> Ranking:
        there = np.isfinite(scores)
        order = [int(place) for place in np.argsort(-scores, kind="stable")[: k + 1] if there[place]][:k]
        nearest = tuple(Neighbour(self.names[place], float(scores[place])) for place in order)
        people = int(there.sum())
        if person is None or not there[person]:
            return Ranking(nearest, people)
        others = np.delete(scores, person)
        return Ranking(nearest, people, 1 + int((others >= scores[person]).sum()), float(scores[person]))


def reference_of_index(index: Index) -> Reference:
    """The gallery, as its index in one space is at this moment."""
    names = tuple(index.names)
    return Reference(f"the gallery, {count(len(names), 'person', 'people')}", names, index.matrix, index.starts)


def reference_of_pictures(pictures: Sequence[Picture], vectors: Vectors, label: str) -> Reference:
    """The HR images of a data set: `vectors` (P, D) are theirs in the order of `pictures`, unit rows or, as in
    `weighed`, rows of the length of their weight in a mean."""
    codes, names = codes_of(pictures)
    sums = np.zeros((len(names), vectors.shape[1]), np.float64)
    np.add.at(sums, codes, vectors)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    means = np.where(lengths > 1e-6, sums / np.maximum(lengths, 1e-12), 0).astype(np.float32)
    return Reference(
        label=f"{label}, HR images of {count(len(names), 'person', 'people')}, this one left out",
        names=tuple(names),
        matrix=means,
        starts=np.arange(len(names), dtype=np.int64),
        vectors=vectors,
        people=codes,
        at={picture.sha256: row for row, picture in enumerate(pictures)},
    )


def weighed(embedded: Embedded) -> Vectors:
    """Embeddings (P, D), each as long as the gallery weighs it in a mean."""
    weights = weights_of(embedded.measure("recognisability").astype(np.float64))
    return np.asarray(embedded.vectors * weights[:, None], dtype=np.float32)


def _unit(vectors: Vectors) -> Vectors | None:
    """The mean direction of unit rows (n, D); None where there are none or they cancel out."""
    if not len(vectors):
        return None
    total = vectors.astype(np.float64).sum(axis=0)
    length = float(np.linalg.norm(total))
    return (total / length).astype(np.float32) if length > 1e-6 else None
