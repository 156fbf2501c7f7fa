"""Calibrated thresholds, kept with the gallery: each belongs to weights, upscaler, probe size and gallery size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from core.access.actor import require
from core.access.roles import Permission
from core.errors import SettingsInvalid
from core.gallery import rows
from core.gallery.store import Gallery
from core.gallery.values import Space

Measure = Literal["fpir", "far"]


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it was calibrated for; a score >= threshold is accepted.

    probe_px_min, probe_px_max: probes of these sizes, in pixels, both included. measure: "fpir" (top score against a
    gallery of gallery_size identities) or "far" (one to one). target: that rate, a fraction in (0, 1). run: the run
    that measured it. at: when it was stored.
    """

    probe_px_min: float
    probe_px_max: float
    measure: Measure
    target: float
    gallery_size: int
    threshold: float
    run: str
    at: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """The threshold for one probe. `warning` is "" or says, in a sentence, why it no longer fits the gallery."""

    threshold: float
    calibrated: bool
    warning: str = ""


def decide_by(
    points: Sequence[OperatingPoint],
    measure: Measure,
    probe_px: float,
    gallery_size: int,
    *,
    otherwise: float,
) -> Decision:
    """The calibrated threshold for a probe of that size, the latest of those whose range holds it; `otherwise`, not
    calibrated, where there is none.

    An "fpir" threshold is for a gallery of some size: a larger one gives more false alarms than it was chosen for.
    """
    fitting = [p for p in points if p.measure == measure and p.probe_px_min <= probe_px <= p.probe_px_max]
    if not fitting:
        return Decision(otherwise, calibrated=False)
    point = max(fitting, key=lambda p: p.at.timestamp() if p.at is not None else 0.0)
    warning = ""
    if measure == "fpir" and gallery_size > point.gallery_size:
        warning = (
            f"The threshold was calibrated for a gallery of {point.gallery_size:,}; it has {gallery_size:,} people "
            f"now. More than {point.target * 100:g} % of strangers may get a name: calibrate again."
        )
    return Decision(point.threshold, calibrated=True, warning=warning)


def save_operating_point(gallery: Gallery, space: Space, point: OperatingPoint, *, actor: str = "local") -> None:
    """Store a threshold; an earlier one for the same conditions is replaced.

    Raises NotAllowed, SettingsInvalid when its numbers make no sense, SpaceMismatch when the space names no encoder.
    """
    require(Permission.WEIGHTS)  # it decides who is recognised, as the weights do
    numbers = (point.probe_px_min, point.probe_px_max, point.target, point.threshold)
    sensible = all(math.isfinite(number) for number in numbers) and point.measure in ("fpir", "far")
    if not (
        sensible
        and 0 <= point.probe_px_min <= point.probe_px_max
        and 0 < point.target < 1
        and -1 <= point.threshold <= 1
        and point.gallery_size >= 0
    ):
        raise SettingsInvalid(
            f"This operating point makes no sense: {point}.",
            "Give a size range in pixels, a target rate between 0 and 1 and a threshold between -1 and 1.",
        )
    with gallery.database.transaction() as connection:
        at = gallery.database.now()
        connection.execute(
            """INSERT OR REPLACE INTO operating_point(encoder_id, upscaler_sha256, flip_tta, probe_px_min,
                probe_px_max, measure, target, gallery_size, threshold, run, at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                rows.encoder_id(connection, space),
                space.upscaler,
                int(space.flip_tta),
                float(point.probe_px_min),
                float(point.probe_px_max),
                point.measure,
                float(point.target),
                int(point.gallery_size),
                float(point.threshold),
                point.run,
                at.isoformat(),
            ),
        )
        rows.write_audit(connection, at, actor, "operating point saved")


def operating_points(gallery: Gallery, space: Space) -> list[OperatingPoint]:
    """The thresholds calibrated for exactly this space, smallest probes first, latest first among equals."""
    query = """SELECT p.probe_px_min, p.probe_px_max, p.measure, p.target, p.gallery_size, p.threshold, p.run, p.at
        FROM operating_point p JOIN encoder e ON e.id = p.encoder_id
        WHERE e.weights_sha256 = :weights AND p.upscaler_sha256 = :upscaler AND p.flip_tta = :flip
        ORDER BY p.probe_px_min, p.probe_px_max, p.id DESC"""
    with gallery.database.reading() as connection:
        return [
            replace(OperatingPoint(*row[:-1]), at=rows.stored_moment(row[-1]))
            for row in connection.execute(query, rows.space_parameters(space))
        ]


def take_back(gallery: Gallery, space: Space, *, run: str | None = None, actor: str = "local") -> list[OperatingPoint]:
    """Remove the thresholds of this space, those of one run or all; sizes without one go by the uncalibrated default
    again. Returns what was removed: saved again, it is undone. Raises GalleryBusy, NotAllowed."""
    require(Permission.WEIGHTS)  # it decides who is recognised, as the weights do
    gone = [point for point in operating_points(gallery, space) if run is None or point.run == run]
    with gallery.database.transaction() as connection:
        removed = connection.execute(
            """DELETE FROM operating_point WHERE encoder_id IN (SELECT id FROM encoder WHERE weights_sha256 = :weights)
            AND upscaler_sha256 = :upscaler AND flip_tta = :flip AND (:run IS NULL OR run = :run)""",
            {**rows.space_parameters(space), "run": run},
        ).rowcount
        if removed:
            rows.write_audit(connection, gallery.database.now(), actor, f"{removed} operating points removed")
    return gone
