"""The job of the kind `bench`: the table measured in a process of its own, from the Speed page.

config: only (names of parts, all when empty), quick, large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.bench.row import Row
from core.bench.run import run_bench
from core.jobs.context import JobContext
from core.settings import load_settings

KIND = "bench"


def run(context: JobContext) -> Mapping[str, Any]:
    """Measure what the config names. Raises SettingsInvalid, StorageFailed, and JobStopped between two parts."""
    config = context.config

    def on_part(part: str, done: int, total: int) -> None:
        context.check_stop()
        context.on_event("progress", step=part, done=done, total=total)

    def on_row(row: Row) -> None:
        context.on_event("log", text=f"{row.what}: {row.skipped or _figures(row)}")

    outcome = run_bench(
        load_settings(),
        only=tuple(config.get("only") or ()),
        quick=bool(config.get("quick")),
        large=bool(config.get("large")),
        on_part=on_part,
        on_row=on_row,
    )
    judged = [row for row in outcome.rows if row.met is not None]
    met = sum(bool(row.met) for row in judged)
    return {"text": f"{met} of {len(judged)} targets met.", "seconds": outcome.seconds, "at": outcome.at}


def _figures(row: Row) -> str:
    beside = "" if row.baseline is None else f", baseline {row.baseline:,.4g}"
    return f"{row.ours:,.4g} {row.unit}{beside}"
