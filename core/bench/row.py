"""Results of measurements: values written as JSON and read by the Speed page, without importing torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.settings import Settings
from core.system.atomic_file import write_atomically

FORMAT = 1


@dataclass(frozen=True)
class Row:
    """One line of the table: `ours` and `baseline` in `unit`, medians of alternating calls.

    `ratio` is how many times better ours is (above 1: better), None without a baseline. `target` states a target in
    words and `met` whether it is met; `command` is the baseline as one would run it. `skipped` is the reason why
    nothing was measured, else "".
    """

    name: str
    what: str
    unit: str = ""
    ours: float | None = None
    baseline: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    command: str = ""
    note: str = ""
    skipped: str = ""


@dataclass(frozen=True)
class Curve:
    """A cost against a size: `y` in `unit` for each `x`, and the memory held in MB where it is known."""

    name: str
    x_title: str
    unit: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    memory_mb: tuple[float, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A whole measurement. `quick`: tiny sizes, which only show that everything works."""

    at: str
    machine: Mapping[str, Any]
    quick: bool
    seconds: float
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = ()
    path: Path | None = field(default=None, compare=False)


def bench_folder(settings: Settings) -> Path:
    return settings.data_dir / "bench"


def write_outcome(outcome: Outcome, settings: Settings) -> Path:
    """data/bench/<time>.json. Raises StorageFailed."""
    values = {"format": FORMAT, **{key: value for key, value in asdict(outcome).items() if key != "path"}}
    path = bench_folder(settings) / f"{outcome.at.replace(':', '').replace('-', '')}.json"
    write_atomically(path, json.dumps(values, indent=2).encode())
    return path


def read_outcome(path: Path) -> Outcome | None:
    """The measurement in a file; None for a file of another format."""
    try:
        values = json.loads(path.read_bytes())
        if values.pop("format") != FORMAT:
            return None
        rows = tuple(Row(**row) for row in values.pop("rows"))
        curves = tuple(
            Curve(**{**each, **{key: tuple(each[key]) for key in ("x", "y", "memory_mb")}})
            for each in values.pop("curves")
        )
        datetime.fromisoformat(values["at"])
        return Outcome(rows=rows, curves=curves, path=path, **values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def outcomes(settings: Settings) -> list[Outcome]:
    """Every stored measurement, newest first; other files are ignored."""
    found = [read_outcome(path) for path in bench_folder(settings).glob("*.json")]
    return sorted((each for each in found if each is not None), key=lambda each: each.at, reverse=True)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
