"""Retention times that the operator sets, and the purge that enforces them.

Data with a retention time is listed in PURGES. Pictures of faces are removed only where a time is set; sightings have
theirs in the gallery, from the moment that they are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.access.roles import Permission
from core.errors import SettingsInvalid
from core.gallery.audit import write_audit
from core.gallery.store import Gallery
from core.gallery.stored_values import stored_moment
from core.models.active_file import read_active, write_active
from core.settings import Settings
from core.video import sightings

LONGEST_DAYS = 36_500
_KEY = "retention"


@dataclass(frozen=True)
class Retention:
    """Retention times in days; None keeps content until it is removed manually."""

    crops_days: int | None = None


@dataclass(frozen=True)
class PurgeReport:
    """Numbers of items that a purge removed, by kind."""

    count: int
    what: str


Purge = Callable[[Settings, Gallery, Retention, datetime, str], PurgeReport | None]


def read_retention(settings: Settings) -> Retention:
    """Return the retention times. Raises SettingsInvalid when the file holds something else."""
    said = read_active(settings).get(_KEY, {})
    if not isinstance(said, dict):
        raise SettingsInvalid(f"{settings.active_path}: {_KEY!r} isn't an object.", "Set the times again.")
    return Retention(_days(said.get("crops_days"), "crops_days"))


def write_retention(settings: Settings, retention: Retention) -> None:
    """Store the retention times. Raises SettingsInvalid (below 1 day), StorageFailed."""
    values = {name: _days(value, name) for name, value in vars(retention).items()}
    kept = {name: value for name, value in values.items() if value is not None}
    write_active(settings, **{_KEY: kept or None})


def purge(settings: Settings, gallery: Gallery, *, actor: str = "retention") -> list[PurgeReport]:
    """Remove everything past its retention time, with its traces, and report it. Raises GalleryBusy, StorageFailed."""
    retention, now = read_retention(settings), gallery.database.now()
    return [done for one in PURGES if (done := one(settings, gallery, retention, now, actor)) is not None]


def purge_crops(
    settings: Settings, gallery: Gallery, retention: Retention, now: datetime, actor: str
) -> PurgeReport | None:
    """Remove pictures of faces older than `crops_days`.

    Recognition continues with the vectors; without its picture a template can't be re-embedded for other weights.
    """
    if retention.crops_days is None:
        return None
    before = now - timedelta(days=retention.crops_days)
    with gallery.database.reading() as connection:
        if not _older(connection, before):
            return PurgeReport(0, "pictures of faces")
    with gallery.database.transaction(Permission.VIEW) as connection:  # the rule asks for it, not who happens to look
        old = _older(connection, before)
        connection.executemany("UPDATE template SET crop = NULL WHERE id = ?", [(number,) for number, _ in old])
        for person in sorted({person for _, person in old}):
            write_audit(connection, now, actor, "pictures purged", person)
    gallery.tidy()
    return PurgeReport(len(old), "pictures of faces")


def purge_sightings(
    settings: Settings, gallery: Gallery, retention: Retention, now: datetime, actor: str
) -> PurgeReport | None:
    """Purge sightings by the rule stored in the gallery."""
    return PurgeReport(sightings.purge(gallery), "sightings")


PURGES: tuple[Purge, ...] = (purge_crops, purge_sightings)
"""Everything that has a retention time. Another kind is one more name here."""


def _older(connection: Any, before: datetime) -> list[tuple[int, int]]:
    found = connection.execute("SELECT id, identity_id, added_at FROM template WHERE crop IS NOT NULL").fetchall()
    return [(number, person) for number, person, at in found if stored_moment(at) < before]


def _days(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= LONGEST_DAYS:
        raise SettingsInvalid(
            f"{name} is a whole number of days from 1 to {LONGEST_DAYS:,}, got {value!r}.", "Choose another time."
        )
    return value
