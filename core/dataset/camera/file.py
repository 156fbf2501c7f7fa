"""The file of a camera's estimate: JSON that a training reads. It holds no face."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from core.dataset.camera.estimate import CameraEstimate
from core.dataset.errors import CameraUnclear
from core.errors import SettingsInvalid
from core.system.atomic_file import write_atomically
from core.system.validated import first_fault

CAMERA_FORMAT = "edgeface-studio-camera-1"
_MAX_BYTES = 100_000
_ESTIMATE: TypeAdapter[CameraEstimate] = TypeAdapter(CameraEstimate)


def write_camera(path: Path, estimate: CameraEstimate) -> None:
    """Write an estimate as JSON, whole or not at all. Raises StorageFailed."""
    write_atomically(path, (json.dumps(camera_values(estimate), indent=2) + "\n").encode())


def camera_values(estimate: CameraEstimate) -> dict[str, Any]:
    """The content of the file."""
    return {"format": CAMERA_FORMAT, **asdict(estimate)}


def read_camera(path: Path) -> CameraEstimate:
    """The estimate in a file. Raises CameraUnclear for a file that holds none."""
    remedy = "Choose a file that `edgeface-studio train camera` has written."
    try:
        content = path.read_bytes() if path.stat().st_size <= _MAX_BYTES else b""
        values = json.loads(content)
    except OSError as error:
        raise CameraUnclear(f"The camera file {path} can't be read: {error.strerror}.", "Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise CameraUnclear(f"{path.name} isn't a camera's estimate.", remedy) from error
    if not isinstance(values, dict) or values.pop("format", None) != CAMERA_FORMAT:
        raise CameraUnclear(f"{path.name} isn't a camera's estimate.", remedy)
    try:
        estimate = _ESTIMATE.validate_python(values)
    except ValidationError as error:
        raise CameraUnclear(f"{path.name} is damaged: {first_fault(error)}", remedy) from error
    except SettingsInvalid as error:
        raise CameraUnclear(f"{path.name} is damaged: {error.what}", remedy) from error
    if not estimate.sizes_px or not all(0 < size < math.inf for size in estimate.sizes_px):
        raise CameraUnclear(f"{path.name} is damaged: its sizes_px are no sizes of faces.", remedy)
    return estimate
