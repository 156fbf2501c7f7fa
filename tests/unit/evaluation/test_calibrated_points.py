"""Calibrated thresholds in the gallery, and in identification: each decides for its size, and says where it doesn't."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from core.evaluation.job import store_points
from core.gallery.operating_points import OperatingPoint, choose_threshold, operating_points, save_operating_point
from core.gallery.records import NewTemplate
from core.gallery.store import Gallery
from core.settings import UNCALIBRATED_THRESHOLD
from tests.unit.evaluation.sets import SYSTEM


def point(threshold: float, low: float = 0, high: float = 40, **other: object) -> OperatingPoint:
    return replace(OperatingPoint(low, high, "fpir", 0.01, 5, threshold, "evaluate/x"), **other)  # type: ignore[arg-type]


def test_the_threshold_of_the_probes_own_size_decides() -> None:
    points = [point(0.5), point(0.3, 40.1, 10_000), point(0.9, measure="far")]
    assert choose_threshold(points, "fpir", 16, 3, otherwise=0.35).threshold == 0.5
    assert choose_threshold(points, "fpir", 112, 3, otherwise=0.35).threshold == 0.3
    assert choose_threshold(points, "far", 16, 3, otherwise=0.35).threshold == 0.9
    stock = choose_threshold([], "fpir", 16, 3, otherwise=0.35)
    assert (stock.threshold, stock.calibrated, stock.warning) == (0.35, False, "")


def test_a_gallery_that_has_outgrown_its_threshold_is_told() -> None:
    assert choose_threshold([point(0.5)], "fpir", 16, 5, otherwise=0.35).warning == ""
    warning = choose_threshold([point(0.5)], "fpir", 16, 6, otherwise=0.35).warning
    assert "gallery of 5" in warning and "6 people" in warning and "calibrate again" in warning
    assert choose_threshold([point(0.5, measure="far")], "far", 16, 600, otherwise=0.35).warning == ""


def test_identification_uses_what_was_calibrated_and_says_so(make_pipeline, portrait, tmp_path) -> None:
    pipeline = make_pipeline()
    pipeline.gallery.add("Eileen", pipeline.infer_embedding(portrait))
    small = pipeline.run(portrait, reduce_to_px=16)
    assert not small.calibrated and small.threshold == UNCALIBRATED_THRESHOLD
    save_operating_point(pipeline.gallery.store, pipeline.space, point(0.9999))
    save_operating_point(pipeline.gallery.store, pipeline.space, point(0.1, 40.1, 10_000))
    small, large = pipeline.run(portrait, reduce_to_px=16), pipeline.run(portrait)
    assert small.calibrated and (small.threshold, small.outcome) == (0.9999, "unknown")
    assert large.calibrated and (large.threshold, large.outcome) == (0.1, "match")
    assert large.warning == ""
    for number in range(5):
        pipeline.gallery.add(f"Other {number}", np.random.default_rng(number).normal(size=512))
    assert "calibrated for a gallery of 5" in pipeline.run(portrait).warning
    given = make_pipeline(recognition_threshold=0.2)
    given.gallery = pipeline.gallery
    asked = given.run(portrait)
    assert (asked.threshold, asked.calibrated) == (0.2, False), "a threshold that was asked for stays"


def test_a_gallery_with_other_templates_or_pooled_frames_does_not_decide_as_calibrated(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    pipeline.gallery.add("Eileen", pipeline.infer_embedding(portrait))
    save_operating_point(pipeline.gallery.store, pipeline.space, point(0.5, 40.1, 10_000))
    assert pipeline.run(portrait).calibrated
    [probe] = pipeline.find(portrait, every=False)
    [pooled] = pipeline.judge([probe], pipeline.embed([probe]), [112.0], frames=[4])
    assert (pooled.calibrated, pooled.threshold) == (False, 0.5) and "rests on more frames together" in pooled.warning
    vector = pipeline.embed([probe])[0]
    pipeline.gallery.store.add_templates("Eileen", [NewTemplate(vector, "sr", 16.0, 16)], space=pipeline.space)
    found = pipeline.run(portrait)
    assert (found.calibrated, found.threshold) == (False, 0.5) and "matched ones at 16 px" in found.warning
    save_operating_point(pipeline.gallery.store, pipeline.space, point(0.6, 40.1, 10_000, templates="HR,16"))
    found = pipeline.run(portrait)
    assert (found.calibrated, found.threshold, found.warning) == (True, 0.6, "")


def test_a_comparison_uses_the_one_to_one_threshold_of_its_smaller_face(make_pipeline, portrait) -> None:
    pipeline = make_pipeline()
    assert not pipeline.compare(portrait, portrait).calibrated
    save_operating_point(pipeline.gallery.store, pipeline.space, point(0.6, 40.1, 10_000, measure="far"))
    same = pipeline.compare(portrait, portrait)
    assert same.calibrated and same.threshold == 0.6


def test_points_are_stored_for_the_system_that_measured_them(tmp_path: Path) -> None:
    store_points(tmp_path / "gallery.db", SYSTEM, [point(0.42), point(0.3, 40.1, 10_000)])
    with Gallery.open(tmp_path / "gallery.db") as gallery:
        from core.gallery.records import Space

        kept = operating_points(gallery, Space("some", "0" * 64, "bicubic", False))
        assert [p.threshold for p in kept] == [0.42, 0.3] and kept[0].run == "evaluate/x"
        assert operating_points(gallery, Space("some", "1" * 64, "bicubic", False)) == []
