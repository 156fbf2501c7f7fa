"""Progress of a run as plain values that a checkpoint stores, and the judgement of an epoch. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from core.training.alarms import Alarm, Signals, epoch_alarms
from core.training.run_events import ALL_PAIRS, PEOPLE_ALIKE

_ERROR_RATES = ("eer", "eer_vlr_vlr", "eer_camera", "eer_camera_vlr_vlr")


@dataclass
class RunProgress:
    """Counters and records of a run.

    `stage` (from 0), its finished `epoch`s, the finished `batch`es of the current epoch and their `sums`. `step` counts
    finished epochs over all stages, `waited` those since the criterion last improved. `said` holds the keys of the
    alarms raised, `best` and `last` the records of those epochs, `start` and `bicubic` the figures before training,
    `averages` those of averages with the start by share of the trained encoder (None: collapsed). `pairs` is what error
    rates are over, one measure for the whole run.
    """

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
    averages: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    cosine_at_start: float | None = None
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    pairs: str = PEOPLE_ALIKE

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> RunProgress:
        """Read a checkpoint's progress. One of an earlier version has no `pairs`: it goes on over all pairs."""
        known = {each.name for each in fields(RunProgress)}
        return RunProgress(**{"pairs": ALL_PAIRS, **{name: v for name, v in values.items() if name in known}})

    def has_ended(self, epochs: int, patience: int) -> bool:
        """Whether a stage of at most `epochs` is over: all are done, or `patience` (0: unlimited) has run out."""
        return self.epoch >= epochs or (patience > 0 and self.waited >= patience)

    def end_epoch(self, record: dict[str, Any], *, seconds: float, is_best: bool) -> None:
        """Store the record of a finished epoch and reset the sums of its batches."""
        self.epoch, self.step, self.last = record["epoch"], record["step"], record
        self.seconds += seconds
        self.batch, self.sums, self.epoch_seconds = 0, {}, 0.0
        self.waited = 0 if is_best else self.waited + 1
        if is_best:
            self.best = record

    def next_stage(self) -> None:
        self.stage, self.epoch, self.batch, self.waited = self.stage + 1, 0, 0, 0
        self.sums, self.epoch_seconds = {}, 0.0


@dataclass(frozen=True)
class EpochVerdict:
    """Judgement of an epoch: whether it is the best so far, its criterion, and the alarms that its figures raise."""

    is_best: bool
    criterion: str
    value: float | None
    alarms: tuple[Alarm, ...] = ()


def judge_epoch(
    criterion: str,
    train: Mapping[str, float | None],
    val: Mapping[str, Any] | None,
    signals: Signals | None,
    best_so_far: Mapping[str, Any] | None,
) -> EpochVerdict:
    """Compare an epoch's validation figures with the best ones so far and find its alarms.

    Without validation every epoch is the best. An epoch whose embeddings have collapsed never is.
    """
    name, value = criterion_value(criterion, val or {})
    if val is None or signals is None:
        return EpochVerdict(True, name, value)
    is_best = not signals.collapsed and is_better(criterion, val, best_so_far)
    return EpochVerdict(is_best, name, value, tuple(epoch_alarms(train, val, signals)))


def criterion_value(name: str, figures: Mapping[str, Any]) -> tuple[str, float | None]:
    """Return the criterion's name and value.

    "eer" is the mean of VLR-HR and VLR-VLR over sizes, with people alike (unless `RunProgress.pairs` says otherwise),
    under both degradations where the camera's was measured. Similarity replaces it where val has no genuine pairs, and
    replaces "psnr" where no PSNR was measured. The value is None without validation.
    """
    if name == "eer":
        known = [figures[key] for key in _ERROR_RATES if figures.get(key) is not None]
        if known:
            return "eer", sum(known) / len(known)
        name = "similarity"
    if name == "psnr" and figures.get("psnr_db") is None:
        name = "similarity"
    return name, figures.get("psnr_db" if name == "psnr" else name)


def is_better(name: str, figures: Mapping[str, Any], than: Mapping[str, Any] | None) -> bool:
    """Whether figures beat the best ones so far by the criterion, and at equal criterion by similarity.

    Only error rates that both have count: the best ones of a run that was begun by an earlier version may lack the
    camera's.
    """
    if than is None:
        return True
    figures, than = _without_lone_rates(figures, than), _without_lone_rates(than, figures)
    kind, value = criterion_value(name, figures)
    other_kind, other = criterion_value(name, than)
    if value is None or other is None or kind != other_kind:
        return other is None or value is not None
    if value != other:
        return value < other if kind == "eer" else value > other
    return (figures.get("similarity") or 0.0) > (than.get("similarity") or 0.0)


def _without_lone_rates(figures: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """`figures` without the camera's error rates where `other` has none of them."""
    lone = {name for name in _ERROR_RATES if "camera" in name and other.get(name) is None}
    return {name: value for name, value in figures.items() if name not in lone}
