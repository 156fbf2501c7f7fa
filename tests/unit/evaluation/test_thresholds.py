"""Thresholds of a run: read again, put into a gallery, and what a gallery uses by probe size."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import CoreError
from core.evaluation.calibrate import points_json
from core.evaluation.result import Evaluation, ReportUnreadable
from core.evaluation.thresholds import points_of, space_of, store_thresholds, thresholds_in_use
from core.gallery.operating_points import OperatingPoint, operating_points
from core.gallery.store import Gallery
from core.jobs.run_dir import Run, create_run

SYSTEM = {
    "name": "made",
    "encoder": "edgeface_xxs",
    "weights_sha256": "a" * 64,
    "upscaler_id": "bicubic",
    "flip_tta": False,
}
EVALUATION = Evaluation("calibrate", "", "", {"systems": [SYSTEM]})
SMALL = OperatingPoint(0.0, 20.0, "fpir", 0.01, 300, 0.48, "evaluate/x")
LARGE = OperatingPoint(20.000001, 10_000.0, "fpir", 0.01, 300, 0.31, "evaluate/x")


def a_run(root: Path, text: str | None) -> Run:
    run = create_run(root, "evaluate", "made", {})
    if text is not None:
        (run.path / "operating_points.json").write_text(text, encoding="utf-8")
    return run


def test_points_are_read_as_they_were_written(tmp_path: Path) -> None:
    matched = replace(LARGE, templates="HR,32,24,16", photographs=3, frames=5, confidence=0.9)
    assert points_of(a_run(tmp_path, points_json([SMALL, matched]))) == [SMALL, matched]
    assert points_of(a_run(tmp_path, "[]")) == []


def test_points_from_before_templates_were_told_are_for_full_size_ones(tmp_path: Path) -> None:
    [row] = json.loads(points_json([SMALL]))
    earlier = {name: row[name] for name in row if name not in ("templates", "photographs", "frames", "confidence")}
    assert points_of(a_run(tmp_path, json.dumps([earlier]))) == [SMALL]
    assert (SMALL.templates, SMALL.photographs, SMALL.frames, SMALL.confidence) == ("HR", 1, 1, 0.0)


@pytest.mark.parametrize("text", [None, "{", "[1]", json.dumps([{"threshold": 0.3}])])
def test_points_that_cant_be_read_are_said(tmp_path: Path, text: str | None) -> None:
    with pytest.raises(ReportUnreadable, match="thresholds"):
        points_of(a_run(tmp_path, text))


def test_they_go_into_a_gallery_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(CoreError):
        store_thresholds(tmp_path / "none.db", EVALUATION, [SMALL])
    assert not (tmp_path / "none.db").exists()
    with Gallery.open(tmp_path / "gallery.db"):
        pass
    assert store_thresholds(tmp_path / "gallery.db", EVALUATION, [SMALL, LARGE]) == 2
    with Gallery.open(tmp_path / "gallery.db") as gallery:
        kept = operating_points(gallery, space_of(EVALUATION))
    assert [point.threshold for point in kept] == [0.48, 0.31]


def test_an_evaluation_that_names_no_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportUnreadable, match="names no weights"):
        space_of(Evaluation("calibrate", "", "", {"systems": []}))


def test_each_size_has_its_own_and_the_latest_counts() -> None:
    newer = OperatingPoint(0.0, 20.0, "fpir", 0.05, 300, 0.40, "evaluate/y", datetime(2026, 5, 2, tzinfo=UTC))
    older = OperatingPoint(0.0, 20.0, "fpir", 0.01, 300, 0.48, "evaluate/x", datetime(2026, 5, 1, tzinfo=UTC))
    found = {each.probe: each for each in thresholds_in_use([older, newer, LARGE], 301, measure="fpir")}
    assert {probe: each.decision.threshold for probe, each in found.items()} == {
        "HR": 0.31,
        "32 px": 0.31,
        "24 px": 0.31,
        "16 px": 0.40,
    }
    assert found["16 px"].decision.point == newer and "it has 301 people" in found["16 px"].decision.warning
    other = thresholds_in_use([older, newer, LARGE], 10, measure="far")
    assert {each.decision.threshold for each in other} == {0.35} and all(each.decision.point is None for each in other)
