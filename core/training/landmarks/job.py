"""The job of the kind `landmarks`: from a run's config to its report."""

from __future__ import annotations

from typing import Any

from core.jobs.context import JobContext
from core.settings import load_settings
from core.training.landmarks.config import make_landmarks_config


def run(context: JobContext) -> dict[str, Any]:
    """Train as the run's config says, from its last checkpoint if any. Raises CoreErrors, JobStopped."""
    from core.training.landmarks.engine import train_landmarks

    config = make_landmarks_config(context.config)
    return train_landmarks(config, load_settings(), context.run.checkpoints, hooks=context.hooks)
