"""The job of all trainings: from a run's config to its report."""

from __future__ import annotations

from typing import Any

from core.jobs.context import JobContext
from core.settings import load_settings
from core.training.config import config_from_dict


def run(context: JobContext) -> dict[str, Any]:
    """Train as the run's config says, from its last checkpoint if any. Raises CoreErrors, JobStopped."""
    from core.training.distributed import train_in_processes

    config = config_from_dict(context.config)
    return train_in_processes(
        config,
        load_settings(),
        context.run,
        on_event=context.on_event,
        should_stop=context.should_stop,
    )
