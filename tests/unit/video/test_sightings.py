"""The log of sightings: off at first, one row a stay, gone with its time and with the person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.faces.quality import Quality
from core.gallery.records import Candidate, NewTemplate, Space
from core.gallery.store import Gallery
from core.recognition.results import Probe, Recognition
from core.video.live import LiveFace
from core.video.sightings import (
    STAY_S,
    WRITE_EVERY_S,
    SightingLog,
    SightingRule,
    forget,
    purge,
    read_rule,
    sightings,
    write_rule,
)

pytestmark = pytest.mark.both_databases

SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def on(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gallery(place, clock) -> Iterator[Gallery]:
    with Gallery.open(place, now=clock) as gallery:
        for axis, name in enumerate(("Ada", "Ben")):
            vector = np.zeros(512, np.float32)
            vector[axis] = 1
            gallery.enrol(name, [NewTemplate(vector, "hr", 140.0, image_sha256=name, source="made up")], space=SPACE)
        yield gallery


def seen(gallery: Gallery, name: str, score: float = 0.6, *, frames: int = 5, outcome: str = "match") -> LiveFace:
    identity = gallery.identity(name)
    crop = np.full((24, 24, 3), 80, np.uint8)
    probe = Probe(crop, crop, crop, 24.0, 24, Quality(24.0, 1.0, 100.0, 40.0), (), None, (480, 640), "bicubic")
    found = Recognition(
        outcome,
        "",
        identity=name if outcome == "match" else None,
        score=score,
        threshold=0.35,
        top_k=(Candidate(identity.id, name, score, "hr", None),),
        probe=probe,
    )
    return LiveFace(1, (0.1, 0.1, 0.3, 0.4), found, frames, True)


def test_nothing_is_kept_until_somebody_says_so(gallery) -> None:
    assert read_rule(gallery) == SightingRule(kept=False, crops=False, retention_h=72.0)
    assert SightingLog(gallery, "hall").note([seen(gallery, "Ada")]) == 0
    assert sightings(gallery) == []


def test_one_stay_is_one_row_with_its_best_score(gallery, clock) -> None:
    write_rule(gallery, SightingRule(kept=True))
    log = SightingLog(gallery, "hall")
    for score in (0.5, 0.8, 0.6):
        log.note([seen(gallery, "Ada", score)])
        clock.on(WRITE_EVERY_S)
    [one] = sightings(gallery)
    assert (one.name, one.source, one.score, one.crop) == ("Ada", "hall", 0.8, None)
    assert (one.ended - one.began).total_seconds() == pytest.approx(2 * WRITE_EVERY_S)
    clock.on(STAY_S + 1)
    log.note([seen(gallery, "Ada"), seen(gallery, "Ben")])
    assert [(each.name, each.score) for each in sightings(gallery)] == [("Ben", 0.6), ("Ada", 0.6), ("Ada", 0.8)]


def test_strangers_and_single_frames_are_never_logged(gallery) -> None:
    write_rule(gallery, SightingRule(kept=True))
    log = SightingLog(gallery, "hall")
    assert log.note([seen(gallery, "Ada", outcome="unknown"), seen(gallery, "Ben", frames=2)]) == 0
    assert sightings(gallery) == []


@pytest.mark.parametrize("outcome", ["tie", "repeat"])
def test_a_face_that_nobody_is_named_for_is_never_logged(gallery, outcome) -> None:
    write_rule(gallery, SightingRule(kept=True))
    assert SightingLog(gallery, "hall").note([seen(gallery, "Ada", outcome=outcome)]) == 0
    assert sightings(gallery) == []


def test_faces_are_kept_only_when_asked_for_and_go_when_no_longer(gallery) -> None:
    write_rule(gallery, SightingRule(kept=True, crops=True))
    SightingLog(gallery, "hall").note([seen(gallery, "Ada")])
    assert sightings(gallery)[0].crop.startswith(b"\x89PNG")
    assert write_rule(gallery, SightingRule(kept=True, crops=False)) == 1
    assert sightings(gallery)[0].crop is None


def test_what_is_older_than_the_retention_time_goes(gallery, clock) -> None:
    write_rule(gallery, SightingRule(kept=True, retention_h=1.0))
    SightingLog(gallery, "hall").note([seen(gallery, "Ada")])
    clock.on(3599)
    assert purge(gallery) == 0 and len(sightings(gallery)) == 1
    clock.on(2)
    assert sightings(gallery) == []
    with gallery.database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM sighting").fetchone() == (0,)


def test_a_running_camera_follows_a_change_of_the_rule(gallery, clock) -> None:
    log = SightingLog(gallery, "hall")
    write_rule(gallery, SightingRule(kept=True))
    clock.on(WRITE_EVERY_S)
    assert log.note([seen(gallery, "Ada")]) == 1
    write_rule(gallery, SightingRule(kept=False))
    clock.on(WRITE_EVERY_S)
    assert log.note([seen(gallery, "Ben")]) == 0


def test_a_person_s_sightings_go_alone_and_with_the_person(gallery, tmp_path) -> None:
    write_rule(gallery, SightingRule(kept=True, crops=True))
    SightingLog(gallery, "a-camera-by-its-name").note([seen(gallery, "Ada"), seen(gallery, "Ben")])
    assert forget(gallery, gallery.identity("Ada").id) == 1
    assert [each.name for each in sightings(gallery)] == ["Ben"]
    gallery.remove("Ben")
    assert sightings(gallery) == []
    for path in tmp_path.iterdir():
        assert b"a-camera-by-its-name" not in path.read_bytes(), path.name


def test_sightings_of_somebody_who_was_removed_a_moment_ago_are_not_written(gallery) -> None:
    write_rule(gallery, SightingRule(kept=True))
    face = seen(gallery, "Ada")
    gallery.remove("Ada")
    assert SightingLog(gallery, "hall").note([face]) == 0


@pytest.mark.parametrize("hours", [0.0, -1.0, 1e6])
def test_a_retention_time_that_makes_no_sense_is_refused(hours: float) -> None:
    with pytest.raises(SettingsInvalid, match="can't be kept"):
        SightingRule(retention_h=hours)


def test_other_pages_copies_of_the_gallery_stay_fresh(gallery) -> None:
    write_rule(gallery, SightingRule(kept=True))
    before = gallery.audit(1)[0].id
    SightingLog(gallery, "hall").note([seen(gallery, "Ada")])
    assert gallery.audit(1)[0].id == before
