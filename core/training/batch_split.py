"""Gradient accumulation of a resumed run, stored with the checkpoints, as a run's configuration is never edited."""

from __future__ import annotations

import json
from pathlib import Path

from core.access.actor import require
from core.access.roles import Permission
from core.errors import SettingsInvalid
from core.system.atomic_file import write_atomically

NAME = "accumulate.json"


def accumulation(checkpoints: Path, configured: int) -> int:
    """Return the number of parts of a batch: as configured, or as the last resume requested."""
    try:
        said = json.loads((checkpoints / NAME).read_text(encoding="ascii"))["accumulate"]
        return max(configured, int(said))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return configured


def halve_batch(checkpoints: Path, *, batch_size: int, processes: int, configured: int) -> int:
    """Halve the images processed at once from the next resume on; the effective batch stays.

    Returns the new number of parts. Raises SettingsInvalid when the batch can't be halved.
    """
    require(Permission.RUN)
    parts = accumulation(checkpoints, configured) * 2
    if batch_size % (parts * processes):
        raise SettingsInvalid(
            f"A batch of {batch_size} can't be halved further (it is processed in {parts // 2} parts).",
            "Start a new run with a smaller batch size.",
        )
    write_atomically(checkpoints / NAME, json.dumps({"accumulate": parts}).encode("ascii"))
    return parts
