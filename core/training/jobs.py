"""The job of every kind of training: from a run's config to its report."""

from __future__ import annotations

import sys
from typing import Any

from core.jobs.context import JobContext, OnEvent
from core.settings import load_settings
from core.training.config import config_from_dict


def run(context: JobContext) -> dict[str, Any]:
    """Train as the run's config says; goes on from its last checkpoint. Raises CoreErrors, JobStopped."""
    from core.training.processes import train_in_processes

    config = config_from_dict(context.config)
    return train_in_processes(
        config,
        load_settings(),
        context.run,
        on_event=_aloud(context.on_event),
        should_stop=context.should_stop,
    )


def _aloud(on_event: OnEvent) -> OnEvent:
    """Events passed on, and the log's lines written to the process's output: output.log is what people read."""

    def tell(kind: str, /, **data: Any) -> None:
        on_event(kind, **data)
        line = data.get("text") if kind == "log" else data.get("line") if kind == "epoch" else None
        if line is not None:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    return tell
