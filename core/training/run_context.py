"""The state that the steps of one training run share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.settings import Settings
from core.training.accelerator import Runner
from core.training.config import TrainingConfig
from core.training.data import TrainingData
from core.training.estimate import Amounts
from core.training.feature_cache import FeatureCache
from core.training.networks import Networks
from core.training.progress_state import RunProgress
from core.training.reporter import Reporter
from core.training.stage_losses import Parts
from core.training.validate import Validator


@dataclass
class RunContext:
    """Configuration, data, networks and progress of one run, passed to every step of it.

    `stage_s` holds the seconds of an epoch's training and of its validation, by stage; `resumed` the checkpoint's state
    that the current stage still has to restore its optimizer from.
    """

    config: TrainingConfig
    settings: Settings
    folder: Path
    runner: Runner
    reporter: Reporter
    should_stop: Callable[[], bool]
    data: TrainingData
    networks: Networks
    parts: Parts
    cache: FeatureCache
    validator: Validator | None
    progress: RunProgress
    accumulate: int
    amounts: Amounts
    stage_s: dict[str, tuple[float, float]] = field(default_factory=dict)
    resumed: dict[str, Any] | None = None
