"""Going on with half the batch: kept beside the checkpoints, since a run's configuration is never edited. No torch."""

from __future__ import annotations

import json
from pathlib import Path

from core.access.actor import require
from core.access.roles import Permission
from core.errors import SettingsInvalid
from core.system.atomic_file import write_atomically

NAME = "accumulate.json"


def accumulation(checkpoints: Path, configured: int) -> int:
    """In how many parts a batch is worked on: as configured, or as a resume asked for."""
    try:
        said = json.loads((checkpoints / NAME).read_text(encoding="ascii"))["accumulate"]
        return max(configured, int(said))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return configured


def halve_batch(checkpoints: Path, *, batch_size: int, processes: int, configured: int) -> int:
    """Work on half as many images at once from the next resume on; the effective batch stays. Gives the new number of
    parts. Raises SettingsInvalid when a batch can't be halved any more."""
    require(Permission.RUN)
    parts = accumulation(checkpoints, configured) * 2
    if batch_size % (parts * processes):
        raise SettingsInvalid(
            f"A batch of {batch_size} can't be halved any more (it is worked on in {parts // 2} parts).",
            "Start a new run with a smaller batch size.",
        )
    write_atomically(checkpoints / NAME, json.dumps({"accumulate": parts}).encode("ascii"))
    return parts
