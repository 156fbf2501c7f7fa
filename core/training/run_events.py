"""Events of a training run as tolerant records: plan, progress, alarms and figures.

A field that is missing or of another type takes its default, so that a page reads runs of every version.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, field_validator

from core.system.validated import Record

Severity = Literal["error", "warning", "notice"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Most severe first."""
PEOPLE_ALIKE, ALL_PAIRS = "people alike", "all pairs"
"""What validation's error rates are over: every person and every two people count once, or every pair does (runs of
earlier versions)."""


def number_of(value: Any) -> float | None:
    """Return a finite number as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def whole_of(value: Any) -> int | None:
    """Return a finite number as an int; None for anything else."""
    number = number_of(value)
    return None if number is None else int(number)


def text_of(value: Any) -> str:
    """Return a text; "" for anything else."""
    return value if isinstance(value, str) else ""


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


Number = Annotated[float | None, BeforeValidator(number_of)]
Amount = Annotated[float, BeforeValidator(lambda value: number_of(value) or 0.0)]
Share = Annotated[Number, AfterValidator(lambda share: None if share is None else min(1.0, max(0.0, share)))]
Whole = Annotated[int | None, BeforeValidator(whole_of)]
Text = Annotated[str, BeforeValidator(text_of)]


class Progress(Record):
    """Position of a run. `share` of the whole run in [0, 1]; `epoch` counts over all stages, from 1; `done` of `total`
    images of this step; `left_s` seconds for the whole run."""

    at: datetime
    step: Text = ""
    stage: Text = ""
    epoch: Whole = None
    epochs: Whole = None
    done: Amount = 0.0
    total: Amount = 0.0
    per_second: Number = None
    left_s: Number = None
    share: Share = None
    loss: Number = None


class Alarm(Record):
    """A problem that needs attention: what is wrong, its cause, and the next step.

    `times` it was raised in the same attempt; `attempt` counts from 1 and grows with every resume.
    """

    code: Annotated[str, BeforeValidator(lambda value: text_of(value) or "unknown")] = "unknown"
    severity: Annotated[Severity, BeforeValidator(lambda value: value if value in SEVERITIES else "warning")] = (
        "warning"
    )
    what: Annotated[str, BeforeValidator(lambda value: text_of(value) or "The run raised an alarm.")] = (
        "The run raised an alarm."
    )
    cause: Text = ""
    next_step: Text = ""
    at: datetime | None = None
    attempt: int = 1
    times: int = 1


class PlannedStage(Record):
    """A stage as planned: the parts it trains, and its maximum number of epochs."""

    name: Text = ""
    title: Text = ""
    epochs: Annotated[int, BeforeValidator(lambda value: whole_of(value) or 0)] = 0
    trains: Annotated[tuple[Text, ...], BeforeValidator(_list_of)] = ()


class Plan(Record):
    """The plan that a run reports at its start; None where it didn't say. `chance` = 1 / identities, the accuracy of
    guessing. `pairs`: what validation's error rates are over; earlier runs, which don't say, measured all pairs."""

    stages: tuple[PlannedStage, ...] = ()
    epochs: Whole = None
    train_images: Whole = None
    val_images: Whole = None
    identities: Whole = None
    shared_identities: Whole = None
    chance: Number = None
    device: Text = ""
    precision: Text = ""
    threads: Whole = None
    estimate_s: Number = None
    upscaler: Text = ""
    encoder: Text = ""
    pairs: Text = ""

    @property
    def alike(self) -> bool:
        """Whether validation's error rates are with people alike."""
        return self.pairs == PEOPLE_ALIKE

    @field_validator("stages", mode="before")
    @classmethod
    def _stages(cls, value: Any) -> list[Any]:
        return [
            {**stage, "title": text_of(stage.get("title")) or stage.get("name")}
            for stage in _list_of(value)
            if isinstance(stage, Mapping)
        ]


def figures_of(value: Any) -> dict[str, float]:
    """Flatten nested figures to {"val.eer": ..., "val.by_size.16.eer": ...}; anything but numbers is left out."""
    found: dict[str, float] = {}
    todo: list[tuple[str, Any]] = [("val", value)]
    while todo:
        name, each = todo.pop()
        number = number_of(each)
        if isinstance(each, Mapping):
            todo += [(f"{name}.{key}", inner) for key, inner in each.items()]
        elif number is not None:
            found[name] = number
    return found
