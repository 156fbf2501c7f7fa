"""Review of photographs before enrolment: another person's, somebody enrolled already, duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import SettingsInvalid
from core.gallery.match import mean_of
from core.gallery.records import Candidate, Space, StoredTemplate
from core.gallery.store import Gallery
from core.gallery.top_k import reaches
from core.gallery.validation import unit_rows

Code = Literal["unlike_others", "already_enrolled", "few_photographs", "duplicate_photograph"]

SAME_PHOTOGRAPH = 0.9999
"""Cosine above which two embeddings come from the same photograph: different ones of a person stay well below."""

UNLIKE_BELOW = 0.25
"""A photograph's cosine to the mean of its person's others. Measured with the official XXS, flip TTA, on five LFW
photographs each of 150 people: 99 in 100 genuine ones score above 0.43 (of two photographs alone: above 0.23), 999 in
1,000 strangers below 0.27.
"""

SAME_ABOVE = 0.5
"""A score against another identity. On the same 150 people, enrolled with three photographs each, the best of
a person's further photographs scored 0.53 or more (median 0.84), and nobody above 0.47 against anybody else.
"""

ADVISED_PHOTOGRAPHS = (3, 7)

_MOST_ALIKE = 50
"""Enrolled people that a photograph is compared with at most: the most similar ones."""


@dataclass(frozen=True)
class Finding:
    """A finding to review before enrolling. Nothing is blocked here: the operator decides.

    photo: index among the new photographs, None when it is about all of them. other: whom it resembles.
    score: the cosine that led to it, None where none did.
    """

    code: Code
    photo: int | None
    text: str
    other: str | None = None
    score: float | None = None

    @property
    def serious(self) -> bool:
        """True where the template could end up under the wrong name: enrol only after a person has looked."""
        return self.code in ("unlike_others", "already_enrolled")


def review_enrolment(
    gallery: Gallery,
    space: Space,
    name: str,
    vectors: np.ndarray,
    *,
    unlike_below: float = UNLIKE_BELOW,
    same_above: float = SAME_ABOVE,
    image_sha256s: Sequence[str] | None = None,
) -> list[Finding]:
    """Return findings about enrolling `name` with these photographs; [] without any.

    vectors: (N, dim) float32 unit rows, one for each photograph. unlike_below: a photograph is "unlike the others"
    when its cosine to their mean is below it; when `name` is enrolled already, the others are those stored.
    same_above: a score at or above it against another identity is "already enrolled". image_sha256s: of the files,
    to know the same file again.
    Raises SpaceMismatch, TemplateInvalid (vectors), SettingsInvalid (limits outside [-1, 1], wrong number of hashes).
    """
    rows = unit_rows(vectors, space.dim)
    hashes = list(image_sha256s) if image_sha256s is not None else [""] * len(rows)
    if len(hashes) != len(rows) or not (-1 <= unlike_below <= 1 and -1 <= same_above <= 1):
        raise SettingsInvalid(
            f"Expected limits in [-1, 1] and one hash for each of {len(rows)} photographs, got {unlike_below}, "
            f"{same_above} and {len(hashes)} hashes.",
            "Give cosines as limits.",
        )
    identity = gallery.find(name)
    stored = _photographs(gallery.templates(identity.id, space=space)) if identity is not None else []
    duplicates = _duplicates(rows, hashes, stored)
    repeated = {finding.photo for finding in duplicates}
    fresh = [index for index in range(len(rows)) if index not in repeated]
    return [
        *duplicates,
        *_unlike(rows, fresh, np.reshape([t.vector for t in stored], (-1, space.dim)), unlike_below),
        *_enrolled_already(gallery, space, rows, identity.id if identity is not None else None, same_above),
        *_few(len(fresh) + len(stored)),
    ]


def unlike_one_another(vectors: np.ndarray, *, unlike_below: float = UNLIKE_BELOW) -> list[Finding]:
    """Which photographs of one person don't resemble the others, by the rule of `review_enrolment`.

    vectors: (N, dim) float32 unit rows, a photograph each. A finding's `photo` is None where groups or all differ.
    """
    rows = np.asarray(vectors)
    return _unlike(rows, list(range(len(rows))), np.zeros((0, rows.shape[1]), np.float32), unlike_below)


def _photographs(templates: list[StoredTemplate]) -> list[StoredTemplate]:
    """One template for each photograph: the full-size ones, or all when there is none."""
    full = [template for template in templates if template.kind == "hr"] or templates
    seen: set[str] = set()
    kept = []
    for template in full:
        if not template.image_sha256 or template.image_sha256 not in seen:
            kept.append(template)
        seen.add(template.image_sha256)
    return kept


def _duplicates(rows: np.ndarray, hashes: list[str], stored: list[StoredTemplate]) -> list[Finding]:
    findings = []
    for index, row in enumerate(rows):
        for earlier in range(index):
            score = float(row @ rows[earlier])
            if score > SAME_PHOTOGRAPH or (hashes[index] and hashes[index] == hashes[earlier]):
                text = f"Photograph {index + 1} is the same as photograph {earlier + 1}: it isn't stored again."
                findings.append(Finding("duplicate_photograph", index, text, score=score))
                break
        else:
            for template in stored:
                score = float(row @ template.vector)
                if score > SAME_PHOTOGRAPH or (hashes[index] and hashes[index] == template.image_sha256):
                    text = f"Photograph {index + 1} is stored for this person already: it isn't stored again."
                    findings.append(Finding("duplicate_photograph", index, text, score=score))
                    break
    return findings


def _unlike(rows: np.ndarray, fresh: list[int], stored: np.ndarray, unlike_below: float) -> list[Finding]:
    """Each new photograph against the mean of what is stored, else of the other new ones (leave one out)."""
    if len(stored):
        reference = mean_of(stored)
        scores = {index: float(rows[index] @ reference) for index in fresh}
        against = "what is stored for this person"
    elif len(fresh) > 1:
        scores = {index: float(rows[index] @ mean_of(rows[[i for i in fresh if i != index]])) for index in fresh}
        against = "the others"
    else:
        return []
    low = [index for index in fresh if scores[index] < unlike_below]
    if len(low) > 1 and len(low) == len(fresh):
        return [_all_unlike(fresh, max(scores.values()), to_stored=len(stored) > 0)]
    if not low and not len(stored):
        return _groups(rows, fresh, unlike_below)
    return [
        Finding(
            "unlike_others",
            index,
            f"Photograph {index + 1} doesn't resemble {against}: {scores[index]:.2f}, expected {unlike_below:.2f} or "
            "more. Is it of the same person?",
            score=scores[index],
        )
        for index in low
    ]


def _all_unlike(fresh: list[int], best: float, *, to_stored: bool) -> Finding:
    if to_stored:
        text = (
            f"None of these photographs resembles what is stored for this person (best {best:.2f}). Is the name right?"
        )
    elif len(fresh) == 2:
        text = (
            f"Photographs {_list(fresh)} don't resemble each other ({best:.2f}). Are both of the same person? "
            "A third one would show which is odd."
        )
    else:
        text = f"No photograph resembles the others (best {best:.2f}). Are they all of the same person?"
    return Finding("unlike_others", None, text, score=best)


def _groups(rows: np.ndarray, fresh: list[int], unlike_below: float) -> list[Finding]:
    """Two people in equal shares hide from leave-one-out: look for groups without a link between them."""
    alike = reaches(rows @ rows.T, unlike_below)
    groups: list[list[int]] = []
    left = set(fresh)
    while left:
        group, reached = [], [min(left)]
        left.discard(reached[0])
        while reached:
            index = reached.pop()
            group.append(index)
            linked = [other for other in left if alike[index, other]]
            left.difference_update(linked)
            reached += linked
        groups.append(sorted(group))
    if len(groups) < 2:
        return []
    listed = "; ".join(_list(group) for group in groups)
    text = f"The photographs fall into groups that don't resemble each other: {listed}. Are all of the same person?"
    return [Finding("unlike_others", None, text)]


def _enrolled_already(
    gallery: Gallery, space: Space, rows: np.ndarray, own_id: int | None, same_above: float
) -> list[Finding]:
    """Other identities that the mean, or any one photograph, scores at least `same_above` against; best first."""
    if not len(rows):
        return []
    best: dict[int, tuple[float, int, Candidate]] = {}
    found = gallery.search(np.concatenate([mean_of(rows)[None], rows]), space, _MOST_ALIKE)  # 1 + N probes
    for probe, candidates in enumerate(found):
        for each in candidates:
            if each.identity_id not in best or each.score > best[each.identity_id][0]:
                best[each.identity_id] = (each.score, probe, each)
    of_mean = {each.identity_id for each in found[0] if each.score >= same_above}
    findings = []
    for number, (score, probe, candidate) in sorted(best.items()):
        if score < same_above or number == own_id:
            continue
        all_of_them = number in of_mean
        subject = "This person" if all_of_them or len(rows) == 1 else f"Photograph {probe}"
        text = f"{subject} looks like “{candidate.name}”, who is enrolled already ({score:.2f}). Is it the same person?"
        photo = None if all_of_them else probe - 1
        findings.append(Finding("already_enrolled", photo, text, other=candidate.name, score=score))
    return sorted(findings, key=lambda finding: -(finding.score or 0.0))


def _few(photographs: int) -> list[Finding]:
    fewest, most = ADVISED_PHOTOGRAPHS
    if photographs >= fewest:
        return []
    counted = "1 photograph" if photographs == 1 else f"{photographs} photographs"
    return [
        Finding(
            "few_photographs",
            None,
            f"{counted} in all: {fewest} to {most} of different days, light and pose make recognition steadier.",
        )
    ]


def _list(indexes: list[int]) -> str:
    numbers = [str(index + 1) for index in indexes]
    return numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
