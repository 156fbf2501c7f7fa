"""Thresholds are kept for the conditions they were calibrated under, and for no others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.errors import SettingsInvalid
from core.gallery.operating_points import (
    OperatingPoint,
    choose_threshold,
    operating_points,
    remove_operating_points,
    save_operating_point,
)
from core.gallery.schema import MIGRATIONS, migrate
from core.gallery.store import Gallery
from core.gallery.template_mix import TemplateMix

pytestmark = pytest.mark.both_databases

POINT = OperatingPoint(12, 20, "fpir", 0.01, 50, 0.41, "calibrate-1")


def test_a_threshold_comes_back_for_its_space_only(gallery, space):
    save_operating_point(gallery, space, POINT)
    save_operating_point(gallery, space, replace(POINT, probe_px_min=0, probe_px_max=12, threshold=0.5))
    save_operating_point(gallery, space, replace(POINT, threshold=0.43, run="calibrate-2"))
    found = operating_points(gallery, space)
    assert [(point.probe_px_min, point.threshold, point.run) for point in found] == [
        (0, 0.5, "calibrate-1"),
        (12, 0.43, "calibrate-2"),
    ]
    assert found[0].at is not None
    assert operating_points(gallery, replace(space, upscaler="d" * 64)) == []
    assert operating_points(gallery, replace(space, flip_tta=False)) == []
    assert operating_points(gallery, replace(space, weights_sha256="b" * 64)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"target": 0.0},
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"probe_px_min": 30},
        {"measure": "eer"},
        {"photographs": 0},
        {"frames": 0},
        {"confidence": 1.0},
        {"confidence": float("nan")},
        {"templates": "HR,20"},
        {"templates": ""},
    ],
)
def test_numbers_without_sense_are_refused(gallery, space, change):
    with pytest.raises(SettingsInvalid):
        save_operating_point(gallery, space, replace(POINT, **change))
    assert operating_points(gallery, space) == []


def test_thresholds_are_taken_back_by_run_or_all_for_their_space_only(gallery, space):
    other = replace(space, upscaler="d" * 64)
    second = replace(POINT, probe_px_min=21, probe_px_max=28, run="calibrate-2")
    save_operating_point(gallery, space, POINT)
    save_operating_point(gallery, space, second)
    save_operating_point(gallery, other, POINT)
    [gone] = remove_operating_points(gallery, space, run="calibrate-1")
    assert replace(gone, at=None) == POINT and [p.run for p in operating_points(gallery, space)] == ["calibrate-2"]
    assert gallery.audit(1)[0].event == "1 operating points removed"
    save_operating_point(gallery, space, gone)  # undone
    assert len(remove_operating_points(gallery, space)) == 2 and operating_points(gallery, space) == []
    assert len(operating_points(gallery, other)) == 1
    lines = len(gallery.audit())
    assert remove_operating_points(gallery, space) == [] and len(gallery.audit()) == lines, (
        "nothing was removed, so nothing is recorded"
    )


MATCHED = TemplateMix("HR,32,24,16", 1)


def test_thresholds_for_other_templates_photographs_and_frames_stand_side_by_side(gallery, space):
    kept = [
        POINT,
        replace(POINT, templates="HR,32,24,16"),
        replace(POINT, photographs=3),
        replace(POINT, frames=5),
        replace(POINT, gallery_size=500, confidence=0.9),
    ]
    for point in kept:
        save_operating_point(gallery, space, point)
    assert {replace(point, at=None) for point in operating_points(gallery, space)} == set(kept)
    save_operating_point(gallery, space, replace(kept[1], threshold=0.6, confidence=0.95))
    found = [point for point in operating_points(gallery, space) if point.templates == "HR,32,24,16"]
    assert [(point.threshold, point.confidence) for point in found] == [(0.6, 0.95)], "the same conditions"


def test_a_gallery_from_before_keeps_its_thresholds_as_those_of_full_size_templates(tmp_path, space):
    earlier = next(i for i, step in enumerate(MIGRATIONS) if step.name == "what thresholds were calibrated for")
    with closing(sqlite3.connect(tmp_path / "gallery.db", isolation_level=None)) as connection:
        migrate(connection, datetime(2026, 5, 1, tzinfo=UTC), MIGRATIONS[:earlier])
        connection.execute(
            "INSERT INTO encoder(name, weights_sha256, dim) VALUES ('made', ?, ?)", (space.weights_sha256, space.dim)
        )
        connection.execute(
            """INSERT INTO operating_point(encoder_id, upscaler_sha256, flip_tta, probe_px_min, probe_px_max, measure,
            target, gallery_size, threshold, run, at) VALUES (1, ?, ?, 12, 20, 'fpir', 0.01, 50, 0.41, 'calibrate-1',
            '2026-05-01T00:00:00+00:00')""",
            (space.upscaler, int(space.flip_tta)),
        )
    with Gallery.open(tmp_path / "gallery.db") as gallery:
        [kept] = operating_points(gallery, space)
    assert replace(kept, at=None) == POINT
    assert (kept.templates, kept.photographs, kept.frames, kept.confidence) == ("HR", 1, 1, 0.0)


def test_a_threshold_for_other_templates_decides_only_uncalibrated_and_says_so():
    fits = choose_threshold([POINT], "fpir", 16, 20, otherwise=0.35, mix=TemplateMix())
    assert (fits.threshold, fits.calibrated, fits.warning) == (0.41, True, "")
    other = choose_threshold([POINT], "fpir", 16, 20, otherwise=0.35, mix=MATCHED)
    assert (other.threshold, other.calibrated) == (0.41, False), "the stricter of both"
    assert "full-size templates and matched ones at 32, 24 and 16 px" in other.warning
    assert "calibrate again" in other.warning
    lax = choose_threshold([replace(POINT, threshold=0.3)], "fpir", 16, 20, otherwise=0.35, mix=MATCHED)
    assert (lax.threshold, lax.calibrated) == (0.35, False)
    own = choose_threshold(
        [POINT, replace(POINT, templates="HR,32,24,16", threshold=0.5)], "fpir", 16, 20, otherwise=0.35, mix=MATCHED
    )
    assert (own.threshold, own.calibrated, own.warning) == (0.5, True, "")
    pairs = choose_threshold([replace(POINT, measure="far")], "far", 16, 20, otherwise=0.35, mix=MATCHED)
    assert pairs.calibrated, "one to one there are no templates"


@pytest.mark.parametrize(("photographs", "fits"), [(1, False), (2, True), (3, True), (4, True), (5, False)])
def test_about_as_many_photographs_a_person_as_calibrated_for(photographs, fits):
    point = replace(POINT, photographs=3)
    decision = choose_threshold([point], "fpir", 16, 20, otherwise=0.35, mix=TemplateMix("HR", photographs))
    assert decision.calibrated is fits
    assert fits or f"from {'1 photograph' if photographs == 1 else '5 photographs'} a person" in decision.warning


@pytest.mark.parametrize(
    ("made", "pooled", "fits"),
    [(1, 1, True), (1, 2, False), (5, 1, False), (5, 2, True), (5, 7, True), (5, 8, False)],
)
def test_pooled_frames_have_thresholds_of_their_own(made, pooled, fits):
    decision = choose_threshold(
        [replace(POINT, frames=made)], "fpir", 16, 20, otherwise=0.35, mix=TemplateMix(), frames=pooled
    )
    assert decision.calibrated is fits and (decision.warning == "") is fits


def test_of_several_the_nearest_gallery_size_decides_not_the_latest():
    def at(size, day, threshold):
        return replace(POINT, gallery_size=size, threshold=threshold, at=datetime(2026, 5, day, tzinfo=UTC))

    points = [at(50, 1, 0.41), at(500, 2, 0.5), at(5000, 3, 0.6)]
    chosen = {
        people: choose_threshold(points, "fpir", 16, people, otherwise=0.35).threshold for people in (10, 60, 400, 9000)
    }
    assert chosen == {10: 0.41, 60: 0.41, 400: 0.5, 9000: 0.6}
    assert choose_threshold([at(50, 1, 0.41), at(50, 2, 0.44)], "fpir", 16, 50, otherwise=0.35).threshold == 0.44
