"""Thresholds are kept for the conditions they were calibrated under, and for no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import SettingsInvalid
from core.gallery.operating_points import OperatingPoint, operating_points, save_operating_point, take_back

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
    [{"target": 0.0}, {"threshold": 1.5}, {"threshold": float("nan")}, {"probe_px_min": 30}, {"measure": "eer"}],
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
    [gone] = take_back(gallery, space, run="calibrate-1")
    assert replace(gone, at=None) == POINT and [p.run for p in operating_points(gallery, space)] == ["calibrate-2"]
    assert gallery.audit(1)[0].event == "1 operating points removed"
    save_operating_point(gallery, space, gone)  # undone
    assert len(take_back(gallery, space)) == 2 and operating_points(gallery, space) == []
    assert len(operating_points(gallery, other)) == 1
    lines = len(gallery.audit())
    assert take_back(gallery, space) == [] and len(gallery.audit()) == lines, "nothing was done, and nothing is told"
