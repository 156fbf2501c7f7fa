"""What a training run tells, as values: plan, progress, alarms, figures; read tolerantly from an event's data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from core.jobs.events import Event

Severity = Literal["error", "warning", "notice"]
SEVERITIES: dict[str, Severity] = {"error": "error", "warning": "warning", "notice": "notice"}


@dataclass(frozen=True)
class Progress:
    """The last thing said about where the run is. `share` of the whole run in [0, 1]; `epoch` counts over all stages,
    from 1; `done` of `total` batches or images of this step; `left_s` seconds for the whole run."""

    at: datetime
    step: str = ""
    stage: str = ""
    epoch: int | None = None
    epochs: int | None = None
    done: float = 0.0
    total: float = 0.0
    per_second: float | None = None
    left_s: float | None = None
    share: float | None = None
    loss: float | None = None


@dataclass(frozen=True)
class Alarm:
    """Something that a person should look at: what is wrong, why, and what to do. `times` it was raised in the same
    attempt; `attempt` counts from 1 and grows with every resume."""

    code: str
    severity: Severity
    what: str
    cause: str = ""
    next_step: str = ""
    at: datetime | None = None
    attempt: int = 1
    times: int = 1


@dataclass(frozen=True)
class Stage:
    """A stage as planned: what it trains, and for how many epochs at most."""

    name: str
    title: str
    epochs: int
    trains: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What the run said at its start. None where it didn't say. `chance` = 1 / identities, the accuracy of guessing."""

    stages: tuple[Stage, ...] = ()
    epochs: int | None = None
    train_images: int | None = None
    val_images: int | None = None
    identities: int | None = None
    shared_identities: int | None = None
    chance: float | None = None
    device: str = ""
    precision: str = ""
    threads: int | None = None
    estimate_s: float | None = None
    upscaler: str = ""
    encoder: str = ""


def figures_of(value: Any) -> dict[str, float]:
    """Nested figures as {"val.eer": ..., "val.by_size.16.eer": ...}; what is no number is left out."""
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


def plan_of(data: Mapping[str, Any]) -> Plan:
    """The plan that an event of that kind tells."""
    stages = data.get("stages")
    numbers = {name: whole_of(data.get(name)) for name in ("epochs", "train_images", "val_images", "identities")}
    return Plan(
        **numbers,
        stages=tuple(stage_of(each) for each in stages if isinstance(each, Mapping))
        if isinstance(stages, list)
        else (),
        shared_identities=whole_of(data.get("shared_identities")),
        chance=number_of(data.get("chance")),
        device=text_of(data.get("device")),
        precision=text_of(data.get("precision")),
        threads=whole_of(data.get("threads")),
        estimate_s=number_of(data.get("estimate_s")),
        upscaler=text_of(data.get("upscaler")),
        encoder=text_of(data.get("encoder")),
    )


def stage_of(data: Mapping[str, Any]) -> Stage:
    """One stage of a plan."""
    trains = data.get("trains")
    name = text_of(data.get("name"))
    return Stage(
        name,
        text_of(data.get("title")) or name,
        whole_of(data.get("epochs")) or 0,
        tuple(map(text_of, trains)) if isinstance(trains, list) else (),
    )


def progress_of(event: Event) -> Progress:
    """Where the run is, as an event of that kind tells it."""
    data = event.data
    share = number_of(data.get("share"))
    return Progress(
        event.at,
        text_of(data.get("step")),
        text_of(data.get("stage")),
        whole_of(data.get("epoch")),
        whole_of(data.get("epochs")),
        number_of(data.get("done")) or 0.0,
        number_of(data.get("total")) or 0.0,
        number_of(data.get("per_second")),
        number_of(data.get("left_s")),
        None if share is None else min(1.0, max(0.0, share)),
        number_of(data.get("loss")),
    )


def number_of(value: Any) -> float | None:
    """`value` where it is a finite number, else None: a page never meets a text where it draws."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def whole_of(value: Any) -> int | None:
    """`value` as a whole number, where it is a finite one."""
    number = number_of(value)
    return None if number is None else int(number)


def text_of(value: Any) -> str:
    """`value` where it is a text, else ""."""
    return value if isinstance(value, str) else ""
