"""Values of the gallery health check: photographs, findings with their remedies, and the whole result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.diagnostics.cloud import photograph_of
from core.errors import SettingsInvalid
from core.gallery.dismissed_findings import Dismissal, FindingKey
from core.gallery.errors import IdentityNotFound
from core.gallery.records import Space
from core.gallery.review import SAME_ABOVE
from core.gallery.store import Gallery
from core.system.text import count

Code = Literal["unlike_own", "unlike_groups", "looks_like_other", "two_names", "same_photograph", "alike", "few"]
Remedy = Literal["remove", "merge", "enrol"]

ORDER: tuple[Code, ...] = (
    "two_names",
    "unlike_own",
    "unlike_groups",
    "looks_like_other",
    "same_photograph",
    "alike",
    "few",
)


@dataclass(frozen=True)
class Photo:
    """A stored photograph: its templates' numbers, all of one person."""

    person: int
    name: str
    templates: tuple[int, ...]


@dataclass(frozen=True)
class Trouble:
    """One finding about `person` (`name`), who may resemble `other` (None, "" without one).

    photos: those concerned, the ones to remove first; beside: photographs to compare with. score: the cosine that led
    to it (NaN: none); limit: the value it was compared with.
    """

    code: Code
    person: int
    name: str
    text: str
    photos: tuple[Photo, ...] = ()
    other: int | None = None
    other_name: str = ""
    beside: tuple[Photo, ...] = ()
    score: float = float("nan")
    limit: float = float("nan")

    @property
    def serious(self) -> bool:
        """Whether it may cause a wrong identification."""
        return self.code in ("two_names", "unlike_own", "unlike_groups") or (
            self.code == "looks_like_other" and self.score >= SAME_ABOVE
        )

    @property
    def key(self) -> FindingKey:
        """The key of a mark on this finding: the photographs that it is based on."""
        concerned = self.photos + (self.beside if self.code == "two_names" else ())
        return FindingKey(
            self.code, self.person, self.other, tuple(sorted(number for one in concerned for number in one.templates))
        )

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """Remedies, the likeliest first."""
        if self.code == "two_names":
            return ("merge",)
        if self.code in ("unlike_own", "looks_like_other", "same_photograph"):
            return ("remove",)
        return ("enrol",)


@dataclass(frozen=True)
class GalleryHealth:
    """Findings on the people and photographs of `space`, serious ones first.

    `threshold`: the one for "looks like another person" at full size; `calibrated`: whether it was calibrated for this
    gallery. `left`: findings that a user dismissed.
    """

    space: Space
    people: int
    photographs: int
    threshold: float
    calibrated: bool
    troubles: tuple[Trouble, ...]
    left: tuple[tuple[Trouble, Dismissal], ...] = ()

    @property
    def serious(self) -> tuple[Trouble, ...]:
        return tuple(each for each in self.troubles if each.serious)

    @property
    def line(self) -> str:
        """The result in a sentence."""
        looked = f"{count(self.people, 'person', 'people')} with {count(self.photographs, 'photograph')}"
        left = f" {count(len(self.left), 'finding')} dismissed." if self.left else ""
        if not self.troubles:
            return f"No {'other ' if left else ''}problems were found among {looked}.{left}"
        others = len(self.troubles) - len(self.serious)
        return f"Among {looked}: {count(len(self.serious), 'serious finding')}, {others:,} less serious.{left}"


def remove_photograph(gallery: Gallery, photo: Photo, *, actor: str = "local") -> None:
    """Remove every template of a photograph, its small versions and those of other weights too.

    Raises SettingsInvalid when the person would be left without any, IdentityNotFound when it is gone already.
    """
    stored = gallery.templates(photo.person)
    doomed = {photograph_of(template) for template in stored if template.id in photo.templates}
    if not doomed:
        raise IdentityNotFound("That photograph isn't in the gallery any more.", "Look again.")
    numbers = [template.id for template in stored if photograph_of(template) in doomed]
    if len(numbers) == len(stored):
        raise SettingsInvalid(
            f"It is the only photograph of “{photo.name}”.", "Delete the person on the Gallery page instead."
        )
    for number in numbers:
        gallery.remove_template(number, actor=actor)
