"""All pairs with people alike: a person with many photographs counts as much as one with two.

A person with n photographs has n (n - 1) / 2 genuine pairs, so among plain pairs a few people with many photographs
decide. Here every person's genuine pairs count 1 together, and so do the impostor pairs of every two people (where the
sides differ, of every probe's and every other person). Where all people have equally many photographs, the figures are
those of plain pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.scores import Ints, Side, Vectors, count_genuine, count_photos, every_pair
from core.evaluation.verification import Floats, Roc

NOTE = (
    "People alike: every person's genuine pairs count once together, and so do the pairs of every two people. Among "
    "plain pairs a person with many images outweighs the others."
)
"""What figures with people alike are, for readers of a report."""


@dataclass(frozen=True)
class PairWeights:
    """What every pair counts, by its people: all (P,), 0 where a person has none.

    A genuine pair of person p counts `genuine[p]`, a pair of a photograph of p among the probes and one of q on the
    other side `probe[p] * other[q]`.
    """

    genuine: Floats
    probe: Floats
    other: Floats

    def impostor_pairs(self, *, ordered: bool) -> tuple[int, float]:
        """How many pairs of two people there are, and how many plain impostor pairs theirs are worth: (sum of
        weights)^2 / sum of squares (Kish). Of weights of people alike; 0 and 0 without any."""
        has, inverse = [(one > 0).astype(np.float64) for one in (self.probe, self.other)], (self.probe, self.other)
        total, squares = (float(a.sum() * b.sum() - a @ b) for a, b in (has, inverse))
        if not ordered:
            total, squares = total / 2, squares / 2
        return round(total), total * total / squares if total else 0.0


def equal_pairs(people: int) -> PairWeights:
    """Every pair counts 1."""
    ones = np.ones(people)
    return PairWeights(ones, ones, ones)


def people_alike(probe: Side, other: Side, *, ordered: bool) -> PairWeights:
    """The genuine pairs of every person count 1 together, and so do the pairs of every two people."""
    mine, theirs = count_photos(probe, other)
    return PairWeights(_inverse(count_genuine(probe, other, ordered=ordered)), _inverse(mine), _inverse(theirs))


def weighted_roc(probe: Side, other: Side, genuine: Vectors, weights: PairWeights, *, ordered: bool) -> Roc:
    """The ROC of every pair by its weight, exact; `genuine` (G,) are the genuine scores, ascending (`sorted_scores`).

    As in `roc_of_sorted` there are two points for each distinct genuine score: without and with the pairs that have it.
    The last point's threshold is -inf. Raises ValueError without a genuine or an impostor pair.
    """
    distinct = np.unique(genuine)
    edges = np.unique(np.r_[distinct, np.nextafter(distinct, np.float32(np.inf))])
    bins = len(edges) + 1
    of_genuine, of_impostor = np.zeros(bins), np.zeros(bins)
    for each in every_pair(probe, other, ordered=ordered):
        place = np.searchsorted(edges, each.genuine, side="right")
        of_genuine += np.bincount(place, minlength=bins) * weights.genuine[each.person]
        place = np.searchsorted(edges, each.impostor, side="right")
        of_impostor += np.bincount(place, weights.other[each.people], bins) * weights.probe[each.person]
    accepted = [np.cumsum(each[::-1]) for each in (of_impostor, of_genuine)]
    if not len(genuine) or not accepted[0][-1] > 0:
        raise ValueError("a ROC needs genuine and impostor pairs")
    far, tar = (np.r_[0.0, each / each[-1]] for each in accepted)
    return Roc(thresholds=np.r_[np.inf, edges[::-1].astype(np.float64), -np.inf], far=far, tar=tar)


def _inverse(counts: Ints) -> NDArray[np.float64]:
    return np.divide(1.0, counts, out=np.zeros(len(counts)), where=counts > 0)
