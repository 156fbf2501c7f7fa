"""The template mix of a gallery: which kinds of templates, and how many photographs per person.

A threshold for strangers depends on both: each further kind is another chance for a stranger to score high, so a
threshold calibrated with full-size templates alone is too low where matched ones are stored too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import SettingsInvalid
from core.settings import VLR_SIZES_PX

HR = "HR"
FULL_SIZE = 0
"""The size of full-size templates, where sizes are numbers."""

PHOTOGRAPHS_APART = 1.5
"""A threshold fits galleries of up to so many times as many photographs a person, or as few. Means of more photographs
let strangers score higher: of LFW people (official XXS, galleries of 50, FPIR 1 % by one photograph) a threshold for
one photograph gave 1.3 % with two, 1.4 to 1.5 % with three and 1.6 to 1.7 % with six; one for four gave 1.1 % with six.
"""

_OFFERED = (FULL_SIZE, *sorted(VLR_SIZES_PX, reverse=True))
EVERY_KIND = "HR,32,24,16"


@dataclass(frozen=True)
class TemplateMix:
    """`templates`: sizes as `format_template_sizes` writes them; `photographs`: their rounded mean per person."""

    templates: str = HR
    photographs: int = 1

    def __str__(self) -> str:
        return f"{describe_templates(self.templates)} from {describe_photographs(self.photographs)} a person"

    def fits(self, templates: str, photographs: int) -> bool:
        """Whether a threshold calibrated with these is one for this mix."""
        ratio = max(self.photographs, photographs) / max(1, min(self.photographs, photographs))
        return self.templates == templates and ratio <= PHOTOGRAPHS_APART


def format_template_sizes(sizes: Iterable[int]) -> str:
    """The text of sizes: {0, 16, 32} -> "HR,32,16", full size first, then from large to small."""
    distinct = set(sizes)
    small = sorted(distinct - {FULL_SIZE}, reverse=True)
    return ",".join([HR] * (FULL_SIZE in distinct) + [str(size) for size in small])


def parse_template_sizes(text: str) -> tuple[int, ...]:
    """The sizes in a text: "HR,32,16" -> (0, 32, 16). Raises SettingsInvalid for sizes that no template has."""
    words = [word.strip().upper() for word in text.split(",")]
    names = {format_template_sizes([size]): size for size in _OFFERED}
    if wrong := [word for word in words if word not in names]:
        raise SettingsInvalid(
            f"There are no templates of the size '{wrong[0]}'.", f"Choose from {EVERY_KIND}, with commas between."
        )
    return tuple(size for size in _OFFERED if format_template_sizes([size]) in words)


def describe_templates(text: str) -> str:
    """In words: "full-size templates", "full-size templates and matched ones at 32, 24 and 16 px"."""
    sizes = [f"{word}" for word in text.split(",") if word and word != HR]
    full = HR in text.split(",")
    if not sizes:
        return "full-size templates"
    listed = sizes[0] if len(sizes) == 1 else f"{', '.join(sizes[:-1])} and {sizes[-1]}"
    return f"full-size templates and matched ones at {listed} px" if full else f"templates at {listed} px alone"


def describe_photographs(number: int) -> str:
    return "1 photograph" if number == 1 else f"{number:,} photographs"
