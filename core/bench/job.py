"""The job of the kind `bench`: a measurement in a process of its own, started by the Speed page.

config: only (names of parts, all when empty), quick, large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.bench.row import Row
from core.bench.run import BenchHooks, run_bench
from core.jobs.context import JobContext
from core.settings import load_settings

KIND = "bench"


def run(context: JobContext) -> Mapping[str, Any]:
    """Measure the parts in the config. Raises SettingsInvalid, StorageFailed, and JobStopped between two parts."""
    config = context.config

    def on_part(part: str, done: int, total: int) -> None:
        context.check_stop()
        context.on_event("progress", step=part, done=done, total=total)

    def on_row(row: Row) -> None:
        result = row.skipped or f"{row.ours:,.4g} {row.unit}"
        context.on_event("log", text=f"{row.what}: {result}")

    outcome = run_bench(
        load_settings(),
        only=tuple(config.get("only") or ()),
        quick=bool(config.get("quick")),
        large=bool(config.get("large")),
        hooks=BenchHooks(on_part=on_part, on_row=on_row),
    )
    measured = sum(row.ours is not None for row in outcome.rows)
    return {
        "text": f"{measured} of {len(outcome.rows)} figures measured.",
        "seconds": outcome.seconds,
        "at": outcome.at,
    }
