"""Sightings: a log in the gallery's file of who was seen when; off by default, kept for a limited time.

One row is one stay of one person in front of one camera, from the first to the last sighting. Only people in the
gallery are logged, never strangers; their faces only where that is switched on too. A person who is removed from the
gallery is removed here with it. What is deleted is overwritten in the file (secure_delete).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.access.actor import require
from core.access.roles import Permission
from core.errors import SettingsInvalid
from core.gallery.audit import write_audit
from core.gallery.storage import Connection
from core.gallery.store import Gallery
from core.gallery.stored_values import insert
from core.images import encode_image
from core.recognition.results import Recognition
from core.video.live import LiveFace

STAY_S = 60.0
"""Seen again by the same camera after less than this, it is the same stay."""

WRITE_EVERY_S = 10.0
"""A stay that goes on is written again at most so often."""

LEAST_FRAMES = 3
"""A person seen in fewer frames isn't logged."""

MOST_RETENTION_H = 24.0 * 366


@dataclass(frozen=True)
class SightingRule:
    """Whether sightings are `kept`, whether with `crops` (faces), and for how many hours."""

    kept: bool = False
    crops: bool = False
    retention_h: float = 72.0

    def __post_init__(self) -> None:
        if not 0 < self.retention_h <= MOST_RETENTION_H:
            raise SettingsInvalid(
                f"Sightings can't be kept for {self.retention_h:g} hours.",
                f"Choose more than 0 and at most {MOST_RETENTION_H:,.0f}.",
            )


@dataclass(frozen=True, eq=False)
class Sighting:
    """One stay. `score` is the best of it, `probe_px` and `threshold` those that it was reached with; `crop` is a
    file's bytes (PNG or WebP), None where faces aren't kept."""

    id: int
    identity_id: int
    name: str
    began: datetime
    ended: datetime
    score: float
    threshold: float
    probe_px: float
    frames: int
    source: str
    crop: bytes | None = None


def read_rule(gallery: Gallery) -> SightingRule:
    """The rule of the gallery; by default nothing is kept."""
    with gallery.database.reading() as connection:
        row = connection.execute("SELECT kept, crops, retention_h FROM sighting_rule").fetchone()
    return SightingRule(bool(row[0]), bool(row[1]), float(row[2])) if row else SightingRule()


def write_rule(gallery: Gallery, rule: SightingRule, *, actor: str = "local") -> int:
    """Set the rule and delete at once what it no longer allows; return the number of deleted sightings or faces.
    Raises NotAllowed."""
    require(Permission.WEIGHTS)
    with gallery.database.transaction() as connection:
        connection.execute(
            "INSERT INTO sighting_rule(id, kept, crops, retention_h) VALUES (1, ?, ?, ?) "
            "ON CONFLICT(id) DO UPDATE SET kept = excluded.kept, crops = excluded.crops, "
            "retention_h = excluded.retention_h",
            (int(rule.kept), int(rule.crops), rule.retention_h),
        )
        write_audit(connection, gallery.database.now(), actor, "sighting rule changed", None)
        gone = 0
        if not rule.crops:
            gone += connection.execute("UPDATE sighting SET crop = NULL WHERE crop IS NOT NULL").rowcount
    return gone + purge(gallery)


def purge(gallery: Gallery) -> int:
    """Delete sightings older than the retention time and return their number. Called by what writes or reads
    the log."""
    limit = gallery.database.now() - timedelta(hours=read_rule(gallery).retention_h)
    with gallery.database.reading() as connection:
        old = connection.execute("SELECT count(*) FROM sighting WHERE ended < ?", (_text(limit),)).fetchone()[0]
    if not old:
        return 0  # no write: others' copies of the gallery stay fresh
    with gallery.database.transaction(Permission.VIEW) as connection:
        return connection.execute("DELETE FROM sighting WHERE ended < ?", (_text(limit),)).rowcount


def sightings(gallery: Gallery, *, identity_id: int | None = None, limit: int = 200) -> list[Sighting]:
    """The latest sightings within the retention time, newest first; of one person, or of all."""
    purge(gallery)
    with gallery.database.reading() as connection:
        name = connection.cipher.sql("i.name", "name", "i.id")
        crop = connection.cipher.sql("s.crop", "crop", "s.identity_id")
        found = connection.execute(
            f"""SELECT s.id, s.identity_id, {name}, s.began, s.ended, s.score, s.threshold, s.probe_px, s.frames,
            s.source, {crop} FROM sighting s JOIN identity i ON i.id = s.identity_id
            WHERE s.identity_id = coalesce(:person, s.identity_id)
            ORDER BY s.ended DESC, s.id DESC LIMIT :limit""",  # nosec B608  # columns' names
            {"person": identity_id, "limit": limit},
        ).fetchall()
    return [
        Sighting(
            id=int(number),
            identity_id=int(person),
            name=name,
            began=_time(began),
            ended=_time(ended),
            score=score,
            threshold=threshold,
            probe_px=px,
            frames=int(frames),
            source=source,
            crop=crop,
        )
        for number, person, name, began, ended, score, threshold, px, frames, source, crop in found
    ]


def forget(gallery: Gallery, identity_id: int | None = None, *, actor: str = "local") -> int:
    """Delete the sightings of one person, or all of them, and their traces in the file; return their number."""
    with gallery.database.transaction(Permission.DELETE) as connection:
        gone = connection.execute(
            "DELETE FROM sighting WHERE identity_id = coalesce(:person, identity_id)", {"person": identity_id}
        ).rowcount
        write_audit(connection, gallery.database.now(), actor, "sightings deleted", identity_id)
    gallery.database.tidy()
    return gone


@dataclass
class _Stay:
    id: int
    ended: datetime
    written: datetime
    best: float


class SightingLog:
    """Writes the sightings of one camera. For one thread; the rule is read again regularly, so a change takes effect at
    once."""

    def __init__(self, gallery: Gallery, source: str) -> None:
        self._gallery = gallery
        self._source = source
        self._stays: dict[int, _Stay] = {}
        self._rule = read_rule(gallery)
        self._looked = gallery.database.now()

    def note(self, faces: Sequence[LiveFace]) -> int:
        """Record the faces of a frame; return the number of rows written."""
        now = self._gallery.database.now()
        if (now - self._looked).total_seconds() >= WRITE_EVERY_S:
            self._rule, self._looked = read_rule(self._gallery), now
            purge(self._gallery)
        if not self._rule.kept:
            self._stays.clear()
            return 0
        written = 0
        for face in faces:
            found = face.recognition
            if found is None or found.outcome != "match" or face.frames < LEAST_FRAMES or not found.top_k:
                continue
            written += self._seen(found.top_k[0].identity_id, found, face.frames, now)
        return written

    def _seen(self, identity_id: int, found: Recognition, frames: int, now: datetime) -> bool:
        score = found.score or 0.0
        stay = self._stays.get(identity_id)
        if stay is None or (now - stay.ended).total_seconds() > STAY_S:
            row = self._begin(identity_id, found, frames, now)
            if row is not None:
                self._stays[identity_id] = _Stay(row, now, now, score)
            return row is not None
        stay.ended = now
        if (now - stay.written).total_seconds() < WRITE_EVERY_S:
            return False
        stay.written = now
        return self._go_on(stay, identity_id, found, frames, score > stay.best)

    def _begin(self, identity_id: int, found: Recognition, frames: int, now: datetime) -> int | None:
        with self._gallery.database.transaction(Permission.VIEW) as connection:  # looking is what makes sightings
            if connection.execute("SELECT 1 FROM identity WHERE id = ?", (identity_id,)).fetchone() is None:
                return None  # removed a moment ago
            at = _text(now)
            return insert(
                connection,
                """INSERT INTO sighting(identity_id, began, ended, score, threshold, probe_px, frames, source, crop)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                (
                    identity_id,
                    at,
                    at,
                    found.score or 0.0,
                    found.threshold,
                    found.probe_px or 0.0,
                    frames,
                    self._source,
                    self._crop(connection, identity_id, found),
                ),
            )

    def _go_on(self, stay: _Stay, person: int, found: Recognition, frames: int, better: bool) -> bool:
        with self._gallery.database.transaction(Permission.VIEW) as connection:
            connection.execute("UPDATE sighting SET ended = ? WHERE id = ?", (_text(stay.ended), stay.id))
            if better:
                stay.best = found.score or stay.best
                connection.execute(
                    "UPDATE sighting SET score = ?, threshold = ?, probe_px = ?, frames = ?, crop = ? WHERE id = ?",
                    (
                        stay.best,
                        found.threshold,
                        found.probe_px or 0.0,
                        frames,
                        self._crop(connection, person, found),
                        stay.id,
                    ),
                )
        return True

    def _crop(self, connection: Connection, person: int, found: Recognition) -> bytes | None:
        if not self._rule.crops or found.probe is None:
            return None
        crop = found.probe.crop
        image = encode_image(crop, "png") if crop.shape[0] <= 64 else encode_image(crop)
        return connection.cipher.encrypt(image, "crop", person)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
