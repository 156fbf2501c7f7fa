"""How far a run has come, as plain values that a checkpoint keeps, and what counts as better. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Standing:
    """`stage` (from 0), its finished `epoch`s, the finished `batch`es of the epoch at work and its `sums`; `step`
    counts finished epochs over all stages, `waited` those without a better criterion, `said` the alarms given."""

    stage: int = 0
    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    waited: int = 0
    said: list[str] = field(default_factory=list)
    best: dict[str, Any] | None = None
    last: dict[str, Any] | None = None
    start: dict[str, Any] | None = None
    bicubic: dict[str, Any] | None = None
    cosine_at_start: float | None = None
    seconds: float = 0.0
    epoch_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Standing:
        known = {each.name for each in fields(Standing)}
        return Standing(**{name: value for name, value in values.items() if name in known})

    def has_ended(self, epochs: int, patience: int) -> bool:
        """Whether the stage, of at most `epochs`, is over: all are done, or `patience` (0: endless) has run out."""
        return self.epoch >= epochs or (patience > 0 and self.waited >= patience)

    def next_stage(self) -> None:
        self.stage, self.epoch, self.batch, self.waited = self.stage + 1, 0, 0, 0
        self.sums, self.epoch_seconds = {}, 0.0


def criterion_value(name: str, figures: Mapping[str, Any]) -> tuple[str, float | None]:
    """(the criterion's name, its value): "eer" is the mean of VLR-HR and VLR-VLR over sizes; where val has no genuine
    pairs, similarity stands in. None without validation."""
    if name == "eer":
        known = [figures[key] for key in ("eer", "eer_vlr_vlr") if figures.get(key) is not None]
        if known:
            return "eer", sum(known) / len(known)
        name = "similarity"
    if name == "psnr" and figures.get("psnr_db") is None:
        name = "similarity"
    return name, figures.get("psnr_db" if name == "psnr" else name)


def is_better(name: str, figures: Mapping[str, Any], than: Mapping[str, Any] | None) -> bool:
    """Whether an epoch's figures beat the best ones so far: by the criterion, and at equal EER by similarity."""
    if than is None:
        return True
    kind, value = criterion_value(name, figures)
    other_kind, other = criterion_value(name, than)
    if value is None or other is None or kind != other_kind:
        return other is None or value is not None
    if value != other:
        return value < other if kind == "eer" else value > other
    return (figures.get("similarity") or 0.0) > (than.get("similarity") or 0.0)
