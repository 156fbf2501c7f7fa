"""Thresholds of a calibration: read from its run, stored in a gallery, and those that a gallery uses. Needs no
torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from core.errors import StorageFailed
from core.evaluation.result import Evaluation, ReportUnreadable
from core.gallery.operating_points import Decision, Measure, OperatingPoint, choose_threshold, save_operating_point
from core.gallery.records import Space
from core.gallery.store import Gallery
from core.gallery.template_mix import TemplateMix
from core.jobs.run_dir import Run
from core.settings import UNCALIBRATED_THRESHOLD

FILE = "operating_points.json"
SIZES: tuple[tuple[str, float], ...] = (("HR", 112.0), ("32 px", 32.0), ("24 px", 24.0), ("16 px", 16.0))
"""Probe sizes that thresholds are listed for."""


@dataclass(frozen=True)
class ThresholdInUse:
    """The threshold that a gallery uses for probes of a size."""

    probe: str
    measure: Measure
    decision: Decision


def points_of(run: Run) -> list[OperatingPoint]:
    """Return the thresholds of a calibration; [] where there were too few data. Raises ReportUnreadable,
    StorageFailed."""
    known = {field.name for field in fields(OperatingPoint)} - {"at"}
    try:
        rows = json.loads((run.path / FILE).read_bytes())
        return [OperatingPoint(**{name: value for name, value in row.items() if name in known}) for row in rows]
    except FileNotFoundError as error:
        raise ReportUnreadable(f"{run.id} has no thresholds.", "Calibrate again.") from error
    except OSError as error:
        raise StorageFailed(f"{run.path / FILE} can't be read: {error.strerror}.", "Check its permissions.") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise ReportUnreadable(f"The thresholds of {run.id} are damaged.", "Calibrate again.") from error


def space_of(evaluation: Evaluation) -> Space:
    """Return the space of the first system's templates. Raises ReportUnreadable where the report doesn't name it."""
    try:
        system = evaluation.protocol["systems"][0]
        name = str(system.get("encoder") or system["name"])
        return Space(name, str(system["weights_sha256"]), str(system["upscaler_id"]), bool(system["flip_tta"]))
    except (KeyError, IndexError, TypeError) as error:
        raise ReportUnreadable("The evaluation names no weights.", "Calibrate again.") from error


def store_thresholds(
    gallery: Path | str, evaluation: Evaluation, points: Sequence[OperatingPoint], *, actor: str = "local"
) -> int:
    """Store thresholds in an existing gallery and return their number.

    Identification with the same weights and upscaler uses them from then on. Raises GalleryError, ReportUnreadable,
    StorageFailed.
    """
    space = space_of(evaluation)
    with Gallery.open(gallery, create=False) as opened:
        for point in points:
            save_operating_point(opened, space, point, actor=actor)
    return len(points)


def thresholds_in_use(
    points: Sequence[OperatingPoint],
    people: int,
    *,
    measure: Measure,
    mix: TemplateMix | None = None,
    otherwise: float = UNCALIBRATED_THRESHOLD,
) -> list[ThresholdInUse]:
    """Return the threshold for each of SIZES in a gallery of `people` who are enrolled by the templates of `mix`."""
    return [
        ThresholdInUse(probe, measure, choose_threshold(points, measure, px, people, otherwise=otherwise, mix=mix))
        for probe, px in SIZES
    ]
