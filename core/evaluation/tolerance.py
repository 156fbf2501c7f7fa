"""How many scores may reach a threshold so that a rate holds, on the people it is chosen on or with a confidence.

A threshold that k of n strangers reach gives (k + 1) / (n + 1) of new ones a name on average, and more than that for
about every second choice of people. The order statistic that meets the rate with a confidence is a stricter one: Wilks'
tolerance bound (Ann. Math. Stat. 1941). Where observations depend on one another n is the effective sample size, as in
Korn and Graubard's interval (Survey Methodology 1998).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import betainc  # scipy.stats takes half a second to import

from core.evaluation.scores import Side, every_pair
from core.gallery.top_k import reaches

ENOUGH = 10
"""The least photographs or pairs that must be accepted at a rate for it to be reported."""

ENOUGH_PEOPLE = 3
"""The least people, or pairs of people: were none of 3 / rate people accepted, a rate above it
would still be possible at 95 % (rule of three). One person's photographs are accepted together, so many photographs of
few people carry little information."""


def enough(observations: int, people: int, rate: float) -> bool:
    """Whether there are enough observations, of enough independent people or pairs of people, to estimate a rate."""
    return observations * rate >= ENOUGH and people * rate >= ENOUGH_PEOPLE


def tolerated(independent: float, rate: float, confidence: float) -> int | None:
    """How many of so many independent scores may reach a threshold that, with `confidence`, at most the share `rate`
    of all others reaches: the largest k with P(Binomial(n, rate) <= k) <= 1 - confidence. None where even 0 are too
    many."""
    if independent <= 0 or betainc(independent, 1, 1 - rate) > 1 - confidence:
        return None
    low, high = 0, math.ceil(independent)
    while high - low > 1:  # the chance rises with k
        middle = (low + high) // 2
        few = middle < independent and betainc(independent - middle, middle + 1, 1 - rate) <= 1 - confidence
        low, high = (middle, high) if few else (low, middle)
    return low


def tolerated_share(independent: float, rate: float, confidence: float) -> float | None:
    """`tolerated` as a share of the scores."""
    allowed = tolerated(independent, rate, confidence)
    return None if allowed is None else allowed / independent


def effective_pairs(probe: Side, other: Side, threshold: float, *, ordered: bool) -> float:
    """Return the effective number of independent impostor pairs for the FAR at a threshold; the pairs share people.

    Variance by each person's part in it (Hoeffding's first term: sum over people of (accepted - FAR * pairs)^2, by the
    squared number of pairs). At most the number of pairs; the number of disjoint pairs where there is no variance.
    """
    people = int(max(probe.people.max(initial=0), other.people.max(initial=0))) + 1
    accepted, pairs = np.zeros(people), np.zeros(people)
    for each in every_pair(probe, other, ordered=ordered):
        hit = reaches(each.impostor, threshold)
        accepted += np.bincount(each.people[hit], minlength=people)
        pairs += np.bincount(each.people, minlength=people)
        accepted[each.person] += hit.sum()
        pairs[each.person] += len(hit)
    total = pairs.sum() / 2
    far = accepted.sum() / pairs.sum() if total else 0.0
    spread = float(((accepted - far * pairs) ** 2).sum())
    if spread <= 0:
        return float(len(np.unique(probe.people)) // 2)
    result: float = min(float(total), far * (1 - far) * total**2 / spread)
    return result
