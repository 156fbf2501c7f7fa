"""Calibrated thresholds stored with the gallery, by weights, upscaler, probe size, gallery size and template mix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

from core.access.actor import require
from core.access.roles import Permission
from core.errors import SettingsInvalid
from core.gallery.audit import write_audit
from core.gallery.records import Space
from core.gallery.spaces import encoder_id, space_parameters
from core.gallery.store import Gallery
from core.gallery.stored_values import stored_moment
from core.gallery.template_mix import HR, TemplateMix, parse_template_sizes

Measure = Literal["fpir", "far"]

FRAMES_APART = 1.5
"""A threshold for pooled frames fits probes of up to so many times as many, and of fewer, but not single pictures. Of
118 LFW people (official XXS, galleries of 50) one that gave 5 % of single pictures a name gave it to 5.9 to 6.3 % of
two pictures pooled and to 6.6 to 7.5 % of five.
"""


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it was calibrated for; a score >= threshold is accepted.

    probe_px_min, probe_px_max: probes of these sizes, in pixels, both included. measure: "fpir" (top score against a
    gallery of gallery_size identities) or "far" (one to one). target: that rate, a fraction in (0, 1). run: the run
    that measured it. at: when it was stored. For fpir also templates and photographs: what each person was enrolled by
    (`core.gallery.template_mix`); frames: how many pictures of a face were pooled into one probe. confidence: how sure
    it is that strangers who weren't there stay within the target; 0: the target was met on the people it was chosen by.
    """

    probe_px_min: float
    probe_px_max: float
    measure: Measure
    target: float
    gallery_size: int
    threshold: float
    run: str
    at: datetime | None = None
    templates: str = HR
    photographs: int = 1
    frames: int = 1
    confidence: float = 0.0

    @property
    def mix(self) -> TemplateMix:
        return TemplateMix(self.templates, self.photographs)


_CONDITIONS = (
    *("encoder_id", "upscaler_sha256", "flip_tta", "probe_px_min", "probe_px_max", "measure", "target"),
    *("gallery_size", "templates", "photographs", "frames"),
)
"""What makes two operating points the same one, as the table has it."""

_STORED = tuple(field.name for field in fields(OperatingPoint) if field.name != "at")


@dataclass(frozen=True)
class Decision:
    """The threshold for one probe. `warning` is "" or says, in sentences, why it doesn't fit, or no longer fits, the
    gallery or the probe. `point` is what it was taken from, None for the default."""

    threshold: float
    calibrated: bool
    warning: str = ""
    point: OperatingPoint | None = None


def choose_threshold(
    points: Sequence[OperatingPoint],
    measure: Measure,
    probe_px: float,
    gallery_size: int,
    *,
    otherwise: float,
    mix: TemplateMix | None = None,
    frames: int = 1,
) -> Decision:
    """Return the threshold for a probe of size `probe_px`, pooled from `frames`, in a gallery of `gallery_size` people.

    `mix` says what people are enrolled by (None: nobody is). `otherwise` is the uncalibrated default where no point's
    range holds the probe. Of several "fpir" points, the one for the same templates decides, then the nearest gallery
    size, then the latest. Where none is for these templates and frames, the stricter of the nearest and `otherwise`
    decides, uncalibrated. `warning` says when the gallery outgrew its threshold.
    """
    fitting = [p for p in points if p.measure == measure and p.probe_px_min <= probe_px <= p.probe_px_max]
    if not fitting:
        return Decision(otherwise, calibrated=False)
    if measure == "far":
        point = max(fitting, key=_stored)
        return Decision(point.threshold, calibrated=True, point=point)
    point = min(fitting, key=lambda p: (bool(_misfit(p, mix, frames)), *_apart(p, mix, frames, gallery_size)))
    if because := _misfit(point, mix, frames):
        return Decision(max(point.threshold, otherwise), calibrated=False, warning=because, point=point)
    warning = ""
    if gallery_size > point.gallery_size:
        warning = (
            f"The threshold was calibrated for a gallery of {point.gallery_size:,}; it has {gallery_size:,} people "
            f"now. More than {point.target * 100:g} % of strangers may get a name: calibrate again."
        )
    return Decision(point.threshold, calibrated=True, warning=warning, point=point)


def _stored(point: OperatingPoint) -> float:
    return point.at.timestamp() if point.at is not None else 0.0


def _apart(point: OperatingPoint, mix: TemplateMix | None, frames: int, people: int) -> tuple[float, ...]:
    """How far a point is from what is asked, what counts most first; of equals the larger gallery, then the latest."""
    there = mix or point.mix
    return (
        point.templates != there.templates,
        _ratio(point.gallery_size, people),
        _ratio(point.photographs, there.photographs),
        _ratio(point.frames, frames),
        -point.gallery_size,
        -_stored(point),
    )


def _ratio(one: int, other: int) -> float:
    return abs(math.log(max(1, one)) - math.log(max(1, other)))


def _misfit(point: OperatingPoint, mix: TemplateMix | None, frames: int) -> str:
    """Why a threshold isn't one for this gallery and probe, and what to do; "" where it is."""
    if mix is not None and not mix.fits(point.templates, point.photographs):
        return (
            f"The threshold was calibrated for {point.mix}; people are enrolled by {mix}. It doesn't count as "
            "calibrated: calibrate again, with the gallery's templates."
        )
    if (point.frames > 1) == (frames > 1) and frames <= FRAMES_APART * point.frames:
        return ""
    made, now = _frames_said(point.frames, frames > 1), _frames_said(frames, False)
    return (
        f"The threshold was calibrated for {made}; this decision rests on {now}. It doesn't count as calibrated: "
        f"calibrate for {'pooled frames' if frames > 1 else 'single pictures'} too."
    )


def _frames_said(frames: int, count: bool) -> str:
    """In words; a number only where it is the point's: each track of a video rests on another number."""
    return "a single picture" if frames == 1 else f"{frames if count else 'more'} frames together"


def save_operating_point(gallery: Gallery, space: Space, point: OperatingPoint, *, actor: str = "local") -> None:
    """Store a threshold; an earlier one for the same conditions is replaced.

    Raises NotAllowed, SettingsInvalid when its numbers make no sense, SpaceMismatch when the space names no encoder.
    """
    require(Permission.WEIGHTS)  # it decides who is recognised, as the weights do
    numbers = (point.probe_px_min, point.probe_px_max, point.target, point.threshold, point.confidence)
    sensible = all(math.isfinite(number) for number in numbers) and point.measure in ("fpir", "far")
    if not (
        sensible
        and 0 <= point.probe_px_min <= point.probe_px_max
        and 0 < point.target < 1
        and -1 <= point.threshold <= 1
        and point.gallery_size >= 0
        and point.photographs >= 1
        and point.frames >= 1
        and 0 <= point.confidence < 1
        and parse_template_sizes(point.templates)
    ):
        raise SettingsInvalid(
            f"This operating point makes no sense: {point}.",
            "Give a size range in pixels, a target rate between 0 and 1 and a threshold between -1 and 1.",
        )
    with gallery.database.transaction() as connection:
        at = gallery.database.now()
        names = ("encoder_id", "upscaler_sha256", "flip_tta", *_STORED, "at")
        values = (
            encoder_id(connection, space),
            space.upscaler,
            int(space.flip_tta),
            *(getattr(point, name) for name in _STORED),
            at.isoformat(),
        )
        same = " AND ".join(f"{name} = :{name}" for name in _CONDITIONS)
        connection.execute(f"DELETE FROM operating_point WHERE {same}", dict(zip(names, values, strict=True)))  # nosec B608
        connection.execute(
            f"INSERT INTO operating_point({', '.join(names)}) "  # nosec B608  # columns' names
            f"VALUES ({', '.join('?' * len(names))})",
            values,
        )
        write_audit(connection, at, actor, "operating point saved")


def operating_points(gallery: Gallery, space: Space) -> list[OperatingPoint]:
    """The thresholds calibrated for exactly this space, smallest probes first, latest first among equals."""
    columns = ", ".join(f"p.{name}" for name in _STORED)
    query = f"""SELECT {columns}, p.at FROM operating_point p JOIN encoder e ON e.id = p.encoder_id
        WHERE e.weights_sha256 = :weights AND p.upscaler_sha256 = :upscaler AND p.flip_tta = :flip
        ORDER BY p.probe_px_min, p.probe_px_max, p.id DESC"""  # nosec B608  # columns' names
    with gallery.database.reading() as connection:
        return [
            OperatingPoint(**dict(zip(_STORED, row[:-1], strict=True)), at=stored_moment(row[-1]))
            for row in connection.execute(query, space_parameters(space))
        ]


def remove_operating_points(
    gallery: Gallery, space: Space, *, run: str | None = None, actor: str = "local"
) -> list[OperatingPoint]:
    """Remove the thresholds of this space, those of one run or all, and return them for undo.

    Sizes without one use the uncalibrated default again. Raises GalleryBusy, NotAllowed.
    """
    require(Permission.WEIGHTS)  # it decides who is recognised, as the weights do
    gone = [point for point in operating_points(gallery, space) if run is None or point.run == run]
    with gallery.database.transaction() as connection:
        removed = connection.execute(
            """DELETE FROM operating_point WHERE encoder_id IN (SELECT id FROM encoder WHERE weights_sha256 = :weights)
            AND upscaler_sha256 = :upscaler AND flip_tta = :flip AND run = coalesce(:run, run)""",
            {**space_parameters(space), "run": run},
        ).rowcount
        if removed:
            write_audit(connection, gallery.database.now(), actor, f"{removed} operating points removed")
    return gone
