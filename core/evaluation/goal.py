"""The goal of a calibration: a rate, its confidence, and the gallery that it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import SettingsInvalid
from core.evaluation.views import View
from core.gallery.template_mix import FULL_SIZE, HR, format_template_sizes, parse_template_sizes

Measure = Literal["fpir", "far"]
CONFIDENCE = 0.9


@dataclass(frozen=True)
class Goal:
    """`target` rate as a fraction, and the `confidence` with which people outside the data stay within it (0: the
    rate is met on the data alone). For fpir also `gallery_size`, `enrol` photographs a person as `templates`
    (`core.gallery.template_mix`), `draws` galleries of each half, and `frames` pooled into a probe."""

    measure: Measure
    target: float
    gallery_size: int = 0
    enrol: int = 1
    draws: int = 20
    templates: str = HR
    confidence: float = CONFIDENCE
    frames: int = 1

    def __post_init__(self) -> None:
        if self.measure not in ("fpir", "far"):
            raise SettingsInvalid(f"There is no measure '{self.measure}'.", "Choose fpir (1:N) or far (1:1).")
        if not 0 < self.target < 1:
            raise SettingsInvalid(f"A target rate is between 0 and 1, not {self.target}.", "0.01 is 1 %.")
        if self.measure == "fpir" and self.gallery_size < 1:
            raise SettingsInvalid("FPIR belongs to a gallery size.", "Name the number of people in the gallery.")
        if not 0 <= self.confidence < 1:
            raise SettingsInvalid(
                f"A confidence is less than 1, not {self.confidence}.", "0.9 is 90 %; 0 asks for none."
            )
        if self.enrol < 1 or self.draws < 1 or self.frames < 1:
            raise SettingsInvalid("Photographs, draws and frames are counted from 1.", "Choose 1 or more.")
        object.__setattr__(self, "templates", format_template_sizes(parse_template_sizes(self.templates)))

    @property
    def enrolled_views(self) -> list[View]:
        """The views to enrol besides HR: matched templates are made from aligned crops, as enrolment makes them."""
        small = [size for size in parse_template_sizes(self.templates) if size != FULL_SIZE]
        return [View("aligned", size) for size in small] if self.measure == "fpir" else []


STRANGERS_VARY = "Intervals are over the people who ask, with the galleries as they were drawn."
"""Who is enrolled varies too. Simulated with people who differ much in how alike they are to others, intervals of FPIR
held the truth in 68 to 84 % of samples (30 to 200 people, galleries of 10 to 50), without such differences in 92 to 98.
"""


def meaning(goal: Goal) -> str:
    """Explain in sentences what "at most" means for these thresholds, and what intervals of FPIR leave out."""
    rate = f"{goal.target * 100:g} %"
    over = f" {STRANGERS_VARY}" if goal.measure == "fpir" else ""
    if goal.confidence:
        return (
            f"At {goal.confidence * 100:g} % confidence at most {rate} of people outside the data are accepted.{over}"
        )
    return f"At most {rate} of the people it was chosen on were accepted; expect somewhat more of others.{over}"
