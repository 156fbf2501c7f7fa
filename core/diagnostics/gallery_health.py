"""Gallery health: photographs under the wrong name, one person under two names, too few or too similar photographs.

The rules are those of enrolment (`core.gallery.review`), applied to stored templates. Nothing is changed: a finding
names the templates and the people, and its `remedies`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.diagnostics.cloud import photograph_of
from core.diagnostics.gallery_troubles import ORDER, GalleryHealth, Photo, Trouble
from core.gallery.dismissed_findings import read_dismissed
from core.gallery.match import Index, mean_of
from core.gallery.operating_points import Decision, choose_threshold, operating_points
from core.gallery.records import Space, StoredTemplate
from core.gallery.review import (
    ADVISED_PHOTOGRAPHS,
    SAME_ABOVE,
    SAME_PHOTOGRAPH,
    UNLIKE_BELOW,
    unlike_one_another,
)
from core.gallery.store import Gallery
from core.gallery.top_k import reaches
from core.settings import UNCALIBRATED_THRESHOLD

ALIKE_ABOVE = 0.90
"""Mean cosine of a person's photographs with one another above which they add little. Of 636 LFW people with three
photographs or more (official XXS) half stay below 0.63, 999 in 1,000 below 0.873, and all below 0.878.
"""


@dataclass(frozen=True, eq=False)
class _Person:
    id: int
    name: str
    photos: tuple[Photo, ...]
    vectors: NDArray[np.float32]  # (photographs, D): a template each, of full size where there is one
    sizes_px: tuple[float, ...]


def examine(
    gallery: Gallery,
    space: Space,
    *,
    threshold: float = UNCALIBRATED_THRESHOLD,
    on_progress: Callable[[int, int], None] | None = None,
) -> GalleryHealth:
    """Examine every person that `space` can find. `threshold` applies where the gallery has no calibrated one for the
    photograph's size. Raises GalleryError, StorageFailed."""
    listed = [identity for identity in gallery.identities(space=space) if identity.in_space]
    people: list[_Person] = []
    for position, identity in enumerate(listed):
        people.append(_person(identity.id, identity.name, gallery.templates(identity.id, space=space)))
        if on_progress is not None:
            on_progress(position + 1, len(listed))
    points, index = operating_points(gallery, space), gallery.index(space)

    def decide(probe_px: float) -> Decision:
        return choose_threshold(points, "fpir", probe_px, len(people), otherwise=threshold, mix=index.mix)

    by_id = {person.id: person for person in people}
    twins = _two_names(people, index, by_id)
    joined = {frozenset((each.person, each.other)) for each in twins}
    troubles: list[Trouble] = list(twins)
    for person in people:
        troubles += _merged(_within(person), _like_others(person, index, by_id, joined, decide))
    ordered = sorted(troubles, key=lambda each: (not each.serious, ORDER.index(each.code), each.name.casefold()))
    full = decide(112.0)
    photographs = sum(len(person.photos) for person in people)
    reviewed = read_dismissed(gallery)
    return GalleryHealth(
        space,
        len(people),
        photographs,
        full.threshold,
        full.calibrated,
        troubles=tuple(each for each in ordered if each.key not in reviewed),
        left=tuple((each, reviewed[each.key]) for each in ordered if each.key in reviewed),
    )


def _person(number: int, name: str, templates: Sequence[StoredTemplate]) -> _Person:
    groups: dict[str, list[StoredTemplate]] = {}
    for template in templates:
        groups.setdefault(photograph_of(template), []).append(template)
    # The largest version of each photograph counts: an enlarged small one is less similar to anybody.
    chosen = [max(group, key=lambda each: (each.kind == "hr", each.size_px or 0)) for group in groups.values()]
    photos = tuple(Photo(number, name, tuple(each.id for each in group)) for group in groups.values())
    vectors = np.stack([template.vector for template in chosen])
    return _Person(number, name, photos, vectors, tuple(template.probe_px for template in chosen))


def _within(person: _Person) -> list[Trouble]:
    """Findings among one person's photographs."""
    cosines = person.vectors @ person.vectors.T
    upper = np.triu_indices(len(person.photos), k=1)
    twins = [(int(a), int(b)) for a, b in zip(*upper, strict=True) if float(cosines[a, b]) > SAME_PHOTOGRAPH]
    copies = sorted({b for _, b in twins})
    fresh = [row for row in range(len(person.photos)) if row not in copies]
    found = [*_copies(person, twins), *_unlike(person, fresh)]
    fewest, most = ADVISED_PHOTOGRAPHS
    if len(fresh) < fewest:
        counted = "1 photograph" if len(fresh) == 1 else f"{len(fresh)} different photographs"
        text = f"“{person.name}” has {counted}: {fewest} to {most} of different days, light and pose are steadier."
        found.append(Trouble("few", person.id, person.name, text, _some(person, fresh)))
    elif not any(each.code.startswith("unlike") for each in found):
        among = cosines[np.ix_(fresh, fresh)][np.triu_indices(len(fresh), k=1)]
        mean = float(among.mean())
        if mean >= ALIKE_ABOVE:
            text = (
                f"The photographs of “{person.name}” are nearly the same (mean cosine {mean:.2f}, usual is less than "
                f"{ALIKE_ABOVE:.2f}): add some of another day, light or pose."
            )
            found.append(
                Trouble("alike", person.id, person.name, text, _some(person, fresh), score=mean, limit=ALIKE_ABOVE)
            )
    return found


def _copies(person: _Person, twins: Sequence[tuple[int, int]]) -> list[Trouble]:
    found, reported = [], set()
    for first, copy in twins:
        if copy not in reported:
            reported.add(copy)
            text = f"A photograph of “{person.name}” is stored twice: the second adds nothing."
            found.append(
                Trouble(
                    "same_photograph",
                    person.id,
                    person.name,
                    text,
                    (person.photos[copy],),
                    beside=(person.photos[first],),
                    score=float(person.vectors[first] @ person.vectors[copy]),
                    limit=SAME_PHOTOGRAPH,
                )
            )
    return found


def _unlike(person: _Person, fresh: Sequence[int]) -> list[Trouble]:
    """Photographs unlike the others, repeated without those found, since two of one stranger hide each other."""
    left = list(fresh)
    found: list[Trouble] = []
    while len(left) > 1:
        findings = unlike_one_another(person.vectors[left])
        groups = [each for each in findings if each.photo is None or len(left) == 2]
        if groups:
            score = float("nan") if groups[0].score is None else groups[0].score
            return [*found, _groups(person, left, score)]
        rows = [left[each.photo] for each in findings if each.photo is not None]
        if not rows:
            break
        left = [row for row in left if row not in rows]
        for row, finding in zip(rows, findings, strict=True):
            found.append(_stranger(person, row, left, float("nan") if finding.score is None else finding.score))
    return found


def _groups(person: _Person, rows: Sequence[int], score: float) -> Trouble:
    text = (
        f"The photographs of “{person.name}” don't resemble one another: two people may be under this name. Look at "
        "them, and remove those of another person."
    )
    return Trouble("unlike_groups", person.id, person.name, text, _some(person, rows), score=score, limit=UNLIKE_BELOW)


def _stranger(person: _Person, row: int, others: Sequence[int], score: float) -> Trouble:
    text = (
        f"A photograph of “{person.name}” doesn't resemble the others: {score:.2f}, expected {UNLIKE_BELOW:.2f} or "
        "more. Does it show another person?"
    )
    return Trouble(
        "unlike_own",
        person.id,
        person.name,
        text,
        (person.photos[row],),
        beside=_some(person, others),
        score=score,
        limit=UNLIKE_BELOW,
    )


def _two_names(people: Sequence[_Person], index: Index, by_id: dict[int, _Person]) -> list[Trouble]:
    """Pairs whose means score SAME_ABOVE or more against one another, each pair once, the earlier identity first."""
    if len(people) < 2:
        return []
    means = np.stack([mean_of(person.vectors) for person in people])
    found: dict[frozenset[int], Trouble] = {}
    for person, scores in zip(people, index.scores(means), strict=True):
        for position in np.flatnonzero(reaches(scores, SAME_ABOVE)):
            other = by_id.get(int(index.ids[position]))
            if other is None or other.id == person.id:
                continue
            first, second = sorted((person, other), key=lambda each: each.id)
            score = float(scores[position])
            pair = frozenset((first.id, second.id))
            if pair in found and found[pair].score >= score:
                continue
            text = (
                f"“{first.name}” and “{second.name}” look like one person under two names: {score:.2f}, different "
                f"people stay below {SAME_ABOVE:.2f}."
            )
            found[pair] = Trouble(
                "two_names",
                first.id,
                first.name,
                text,
                first.photos,
                second.id,
                second.name,
                second.photos,
                score,
                SAME_ABOVE,
            )
    return list(found.values())


def _like_others(
    person: _Person,
    index: Index,
    by_id: dict[int, _Person],
    joined: set[frozenset[int | None]],
    decide: Callable[[float], Decision],
) -> list[Trouble]:
    """Photographs that score the threshold or more against another person, except pairs reported as one person."""
    found = []
    scores = index.scores(person.vectors)
    for row, photo in enumerate(person.photos):
        decision = decide(person.sizes_px[row])
        for position in np.argsort(-scores[row], kind="stable"):
            score, other = float(scores[row, position]), by_id.get(int(index.ids[position]))
            if score < decision.threshold:
                break
            if other is None or other.id == person.id or frozenset((person.id, other.id)) in joined:
                continue
            how = "calibrated" if decision.calibrated else "uncalibrated"
            text = (
                f"A photograph of “{person.name}” would be taken for “{other.name}”: {score:.2f}, at or above the "
                f"threshold of {decision.threshold:.2f} ({how})."
            )
            found.append(
                Trouble(
                    "looks_like_other",
                    person.id,
                    person.name,
                    text,
                    (photo,),
                    other.id,
                    other.name,
                    other.photos,
                    score,
                    decision.threshold,
                )
            )
            break
    return found


def _merged(within: Sequence[Trouble], like_others: Sequence[Trouble]) -> list[Trouble]:
    """Merge findings of a photograph that is unlike its own person and like another."""
    like = {each.photos: each for each in like_others}
    merged: list[Trouble] = []
    for each in within:
        other = like.pop(each.photos, None) if each.code == "unlike_own" else None
        if other is None:
            merged.append(each)
        else:
            text = f"{each.text} It looks like “{other.other_name}” ({other.score:.2f})."
            merged.append(replace(each, text=text, other=other.other, other_name=other.other_name))
    return [*merged, *like.values()]


def _some(person: _Person, rows: Sequence[int]) -> tuple[Photo, ...]:
    return tuple(person.photos[row] for row in rows)
